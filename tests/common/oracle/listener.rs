//! The events that a server tells of its keys (keyspace notifications), in order.

use super::raw_client::RawClient;
use super::text::shown;
use crate::common::{request, strings};

/// A subscriber to all events of a server.
pub struct Listener {
    subscriber: RawClient,
    /// Says when all has been told.
    publisher: RawClient,
}

impl Listener {
    pub fn connect(port: u16) -> Listener {
        let [mut subscriber, publisher] = [0, 1].map(|_| RawClient::connect(port));
        subscriber.send(&request(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]));
        subscriber.send(&request(&["PSUBSCRIBE", "__key*@*__:*"]));
        let answers = [subscriber.receive(), subscriber.receive()];
        assert!(answers.iter().all(Option::is_some));
        Listener {
            subscriber,
            publisher,
        }
    }

    /// The events since the last time.
    pub fn heard(&mut self) -> Vec<String> {
        const END: &str = "__keyend@0__:";
        self.publisher.send(&request(&["PUBLISH", END, ""]));
        let answer = self.publisher.receive().expect("it answers");
        assert_eq!(answer.bytes, b":1\r\n");
        let messages = std::iter::from_fn(|| {
            let answer = self.subscriber.receive().expect("it tells");
            let [_, _, channel, message] = &strings(answer.value)[..] else {
                panic!("a message of a pattern has four parts")
            };
            let is_end = channel == END.as_bytes();
            (!is_end).then(|| format!("{} {}", shown(channel), shown(message)))
        });
        messages.collect()
    }
}
