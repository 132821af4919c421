//! What must be true of the commands that draw elements of a hash, set or sorted set, and of those that scan them.

use super::{Folder, Server, strings, wait_until};
use my_redis_server::resp::decoder::Value;
use std::collections::BTreeSet;

/// What is drawn from the key `k` are its elements, different ones unless the count is negative, and in time all of
/// them.
pub fn check_draws(draw: &str, add: impl Fn(&str) -> Vec<&str>) {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    for len in [1, 10, 1000] {
        let all: BTreeSet<Vec<u8>> = (0..len)
            .map(|index| {
                let element = format!("m{index}");
                client.integer(&add(&element));
                element.into_bytes()
            })
            .collect();
        for count in [1, 2, len / 5, len / 2, len - 1, len, 2 * len] {
            let drawn = strings(client.call(&[draw, "k", &count.to_string()]));
            let different: BTreeSet<Vec<u8>> = drawn.iter().cloned().collect();
            assert_eq!(
                (drawn.len(), different.len()),
                (count.min(len), count.min(len))
            );
            assert!(different.is_subset(&all));
        }
        let mut missing = all.clone();
        wait_until("every element is drawn", || {
            let drawn = strings(client.call(&[draw, "k", "-500"]));
            assert!(drawn.len() == 500 && drawn.iter().all(|element| all.contains(element)));
            drawn.iter().for_each(|element| {
                missing.remove(element);
            });
            missing.is_empty()
        });
    }
}

/// A scan of the key `k` with a small COUNT finds every element that is there all the time, while others come and go.
pub fn check_scan_of_what_changes(scan: &str, add: impl Fn(&str) -> Vec<&str>, remove: &str) {
    let folder = Folder::new();
    let server = Server::ours(&folder, &["--save", ""]);
    let mut client = server.client();
    let stays: Vec<String> = (0..600).map(|index| format!("stays{index}")).collect();
    stays
        .iter()
        .for_each(|element| drop(client.call(&add(element))));
    let mut found = BTreeSet::new();
    let mut cursor = b"0".to_vec();
    for step in 0.. {
        let reply = client.call(&[scan.as_bytes(), b"k", &cursor, b"COUNT", b"7"]);
        let Value::Array(parts) = reply else {
            panic!("{reply:?}")
        };
        let Value::Bulk(next) = parts[0].clone() else {
            panic!("no cursor")
        };
        found.extend(strings(parts[1].clone()));
        // The table grows to several times its size, and more slowly loses half of what was added.
        for index in 0..40 {
            client.call(&add(&format!("new{step}:{index}")));
            client.call(&[remove, "k", &format!("new{step}:{}", index / 2)]);
        }
        cursor = next;
        if cursor == b"0" {
            break;
        }
    }
    assert!(
        stays
            .iter()
            .all(|element| found.contains(element.as_bytes()))
    );
}
