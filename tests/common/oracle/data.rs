//! What both servers hold, compared key by key.

use super::text::{shown, words};
use super::{DATABASES, Oracle};
use crate::common::request;
use my_redis_server::resp::decoder::Value;

impl Oracle {
    /// Compares what both servers hold: keys, types, values, deadlines, encodings.
    pub fn compare_data(&mut self, context: &str) {
        for database in 0..DATABASES {
            let mut report = Vec::new();
            report.extend(self.ask(&words(&["SELECT", &database.to_string()])));
            report.extend(self.ask(&words(&["DBSIZE"])));
            for key in self.keys() {
                let about = |command: &[&str]| [words(command), vec![key.clone()]].concat();
                let value = match self.asked_alone(&about(&["TYPE"])).as_slice() {
                    b"+string\r\n" => about(&["GET"]),
                    b"+list\r\n" => [about(&["LRANGE"]), words(&["0", "-1"])].concat(),
                    b"+hash\r\n" => about(&["HGETALL"]),
                    b"+set\r\n" => about(&["SMEMBERS"]),
                    b"+zset\r\n" => {
                        [about(&["ZRANGE"]), words(&["0", "-1", "WITHSCORES"])].concat()
                    }
                    b"+stream\r\n" => {
                        let all = words(&["FULL", "COUNT", "0"]);
                        [about(&["XINFO", "STREAM"]), all].concat()
                    }
                    other => panic!("{} is of type {}", shown(&key), shown(other)),
                };
                report.extend(self.ask(&value));
                let encoding = about(&["OBJECT", "ENCODING"]);
                for request in [about(&["TYPE"]), about(&["PTTL"]), encoding.clone()] {
                    report.extend(self.ask(&request));
                }
                // A listpack has an order.
                if value[0] == b"HGETALL" && self.asked_alone(&encoding) == b"$8\r\nlistpack\r\n" {
                    let answers = [0, 1].map(|index| self.ask_one(index, &value));
                    if answers[0] != answers[1] {
                        let [ours, real] = answers.map(|answer| shown(&answer));
                        report.push(format!(
                            "order of {value:?}\n  Redis: {real}\n  ours:  {ours}\n"
                        ));
                    }
                }
            }
            if !report.is_empty() {
                self.report(&format!(
                    "{context}database {database}\n{}",
                    report.concat()
                ));
            }
        }
        let _ = self.ask(&words(&["SELECT", "0"]));
    }

    /// The keys of the current database of our server; that the other has as many, DBSIZE says.
    fn keys(&mut self) -> Vec<Vec<u8>> {
        self.clients[0].send(&request(&["KEYS", "*"]));
        let answer = self.clients[0].receive().expect("it answers");
        let Value::Array(keys) = answer.value else {
            panic!("KEYS gives an array")
        };
        let keys = keys.into_iter().map(|key| match key {
            Value::Bulk(key) => key,
            other => panic!("a key is a string, not {other:?}"),
        });
        keys.collect()
    }

    /// What our server alone answers.
    fn asked_alone(&mut self, arguments: &[Vec<u8>]) -> Vec<u8> {
        self.ask_one(0, arguments)
    }
}
