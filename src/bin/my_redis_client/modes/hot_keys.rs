//! The keys that are used most, by the counters that a server keeps whose policy of eviction is LFU: `--hotkeys`.

use super::survey::{self, ask_for_each};
use crate::session::{Failed, Session};
use crate::terminal::complain;
use my_redis_server::resp::decoder::Value;
use my_redis_server::util::quoting::quoted;

/// How many keys are told.
const MAX_KEYS: usize = 16;

/// Looks through all keys, and tells each that is among the hottest so far, and a summary.
pub fn find(session: &mut Session) -> Result<(), Failed> {
    let mut hottest = Hottest::default();
    let survey = survey::run(session, "hot", |keys, survey, session| {
        for (key, counter) in keys.iter().zip(counters(keys, session)?) {
            survey.count(&session.output);
            if hottest.insert(key, counter) {
                let key = quoted(key);
                let line = format!("Hot key '{key}' found so far with counter {counter}");
                survey.tell(&line, &session.output);
            }
        }
        Ok(())
    })?;
    let mut text = survey.summary();
    for (counter, key) in hottest.0.iter().rev() {
        text += &format!("hot key found with counter: {counter}\tkeyname: {key}\n");
    }
    session.output.bytes(text.as_bytes());
    Ok(())
}

/// The hottest keys, coolest first. A key that is as hot as another stands before it.
#[derive(Default)]
struct Hottest(Vec<(i64, String)>);

impl Hottest {
    /// Takes a key in if it is hot enough.
    fn insert(&mut self, key: &[u8], counter: i64) -> bool {
        let place = self.0.partition_point(|(other, _)| *other < counter);
        let is_full = self.0.len() == MAX_KEYS;
        if counter == 0 || (is_full && place == 0) {
            return false;
        }
        self.0.insert(place, (counter, quoted(key)));
        if is_full {
            self.0.remove(0);
        }
        true
    }
}

/// The counters of keys; 0 for those that are gone.
fn counters(keys: &[Vec<u8>], session: &mut Session) -> Result<Vec<i64>, Failed> {
    let request = |key: &Vec<u8>| vec![b"OBJECT".to_vec(), b"FREQ".to_vec(), key.clone()];
    let requests: Vec<_> = keys.iter().map(request).collect();
    let replies = ask_for_each(session, &requests)?;
    let counters = keys.iter().zip(replies).map(|(key, reply)| match reply {
        Value::Integer(counter) => Ok(counter),
        Value::Error(text) => {
            complain!("Error: {}", String::from_utf8_lossy(&text));
            Err(Failed)
        }
        _ => {
            let key = quoted(key);
            complain!("Warning: OBJECT freq on '{key}' failed (may have been deleted)");
            Ok(0)
        }
    });
    counters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hottest_stay() {
        let mut hottest = Hottest::default();
        assert!(!hottest.insert(b"cold", 0));
        for counter in 1..=20 {
            assert!(hottest.insert(b"key", counter));
        }
        assert!(!hottest.insert(b"cool", 5));
        let counters: Vec<i64> = hottest.0.iter().map(|(counter, _)| *counter).collect();
        assert_eq!(counters, (5..=20).collect::<Vec<_>>());
    }
}
