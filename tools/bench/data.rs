//! What the servers are filled with: keys of 16 bytes, and values that do not compress.

use std::sync::LazyLock;

use crate::clients::Client;

/// Requests in one packet while a server is filled.
const BATCH: usize = 1000;
/// The longest value.
pub const MOST_VALUE_BYTES: usize = 1 << 20;

static TEXT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let letters = (0..2 * MOST_VALUE_BYTES).map(|_| fastrand::alphanumeric() as u8);
    letters.collect()
});

/// Letters and digits, from anywhere in a text of them: making new ones would take longer than sending them.
pub fn value(len: usize) -> &'static [u8] {
    let first = fastrand::usize(..=TEXT.len() - len);
    &TEXT[first..first + len]
}

/// As redis-benchmark names its keys.
pub fn key(number: usize) -> String {
    format!("key:{number:012}")
}

/// The elements of collections have 16 bytes too.
pub fn element(number: usize) -> String {
    format!("element:{number:08}")
}

/// Appends a request.
pub fn request(batch: &mut Vec<u8>, words: &[&[u8]]) {
    batch.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        batch.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        batch.extend_from_slice(word);
        batch.extend_from_slice(b"\r\n");
    }
}

/// Appends a request that sets a key to a random value.
pub fn set(batch: &mut Vec<u8>, number: usize, value_bytes: usize) {
    let key = key(number);
    request(batch, &[b"SET", key.as_bytes(), value(value_bytes)]);
}

/// Sends so many requests, each of them answered by one line.
pub fn fill(client: &mut Client, requests: usize, mut append: impl FnMut(&mut Vec<u8>, usize)) {
    let mut batch = Vec::new();
    for first in (0..requests).step_by(BATCH) {
        let numbers = first..(first + BATCH).min(requests);
        let lines = numbers.len();
        batch.clear();
        numbers.for_each(|number| append(&mut batch, number));
        client.exchange(&batch, lines);
    }
}
