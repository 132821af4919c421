//! Tests of the reply writer: what each value becomes in both protocols, and how an output is sent.

use super::*;
use std::io::{self, ErrorKind, Write};

fn check(write: impl Fn(&mut Reply), resp2: &str, resp3: &str) {
    for (protocol, expected) in [(Protocol::Resp2, resp2), (Protocol::Resp3, resp3)] {
        let mut reply = Reply::new(protocol);
        write(&mut reply);
        let mut output = Vec::new();
        reply.write_to(&mut output).unwrap();
        assert_eq!(String::from_utf8(output).unwrap(), expected);
    }
}

#[test]
fn values_in_both_versions() {
    check(|reply| reply.ok(), "+OK\r\n", "+OK\r\n");
    check(
        |reply| reply.error(b"ERR a\r\nb"),
        "-ERR a  b\r\n",
        "-ERR a  b\r\n",
    );
    check(|reply| reply.integer(-7), ":-7\r\n", ":-7\r\n");
    check(
        |reply| reply.bulk(b"a\r\n"),
        "$3\r\na\r\n\r\n",
        "$3\r\na\r\n\r\n",
    );
    check(|reply| reply.null(), "$-1\r\n", "_\r\n");
    check(|reply| reply.null_array(), "*-1\r\n", "_\r\n");
    check(|reply| reply.map(2), "*4\r\n", "%2\r\n");
    check(|reply| reply.set(2), "*2\r\n", "~2\r\n");
    check(|reply| reply.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n");
    check(
        |reply| reply.verbatim(b"hi"),
        "$2\r\nhi\r\n",
        "=6\r\ntxt:hi\r\n",
    );
}

#[test]
fn large_strings_keep_their_places() {
    let large = Arc::new(vec![b'x'; SHARED_FROM_BYTES]);
    let text = String::from_utf8(large.to_vec()).unwrap();
    let expected = format!(":1\r\n$16384\r\n{text}\r\n$16384\r\n{text}\r\n:2\r\n");
    let write = |reply: &mut Reply| {
        reply.integer(1);
        reply.shared_bulk(&large);
        let mark = reply.undo_point();
        reply.shared_bulk(&large);
        reply.undo_to(mark);
        let mut rest = Reply::default();
        rest.shared_bulk(&large);
        rest.integer(2);
        reply.append(rest);
        assert_eq!(reply.len(), expected.len());
    };
    check(write, &expected, &expected);
}

#[test]
fn long_replies_are_written_while_they_are_sent() {
    let write = |reply: &mut Reply| {
        reply.array(3000);
        let mut number = 0;
        reply.later(move |reply| {
            reply.double(0.5);
            number += 1;
            number < 3000
        });
        let mark = reply.undo_point();
        reply.later(|_| unreachable!("it was taken back"));
        reply.undo_to(mark);
        reply.integer(7);
    };
    let resp2 = format!("*3000\r\n{}:7\r\n", "$3\r\n0.5\r\n".repeat(3000));
    let resp3 = format!("*3000\r\n{}:7\r\n", ",0.5\r\n".repeat(3000));
    check(write, &resp2, &resp3);
}

/// An output that takes some bytes, then has to wait.
struct Slow {
    taken: Vec<u8>,
    room: usize,
}

impl Write for Slow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let len = bytes.len().min(self.room);
        self.room -= len;
        self.taken.extend_from_slice(&bytes[..len]);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_an_output_does_not_take_goes_out_later() {
    let large = Arc::new(vec![b'x'; SHARED_FROM_BYTES]);
    let fill = |reply: &mut Reply| {
        reply.shared_bulk(&large);
        reply.integer(1);
        let mut number = 0;
        let again = large.clone();
        reply.later(move |reply| {
            reply.integer(number);
            reply.shared_bulk(&again);
            number += 1;
            number < 10
        });
        reply.shared_bulk(&large);
    };
    let mut expected = Vec::new();
    let mut reply = Reply::default();
    fill(&mut reply);
    reply.write_to(&mut expected).unwrap();
    assert_eq!(expected.len(), 12 * (SHARED_FROM_BYTES + 10) + 11 * 4);
    for room in [1, 7, 8, 9, 4096, SHARED_FROM_BYTES, 100_000] {
        let mut slow = Slow {
            taken: Vec::new(),
            room: 0,
        };
        fill(&mut reply);
        while !reply.is_empty() {
            slow.room = room;
            let before = slow.taken.len();
            let sent = reply.write_to(&mut slow).unwrap();
            assert_eq!(sent, slow.taken.len() - before);
        }
        assert_eq!(slow.taken, expected, "{room}");
        assert_eq!(reply.len(), 0);
    }
}

#[test]
fn only_a_small_output_keeps_its_memory() {
    let capacity_after = |len: usize| {
        let mut reply = Reply::default();
        reply.bulk(&vec![b'x'; len]);
        let grown = reply.capacity();
        reply.write_to(&mut io::sink()).unwrap();
        reply.shrink();
        (grown, reply.capacity())
    };
    assert_eq!(capacity_after(10), (64, 64));
    assert_eq!(capacity_after(5000), (8192, 8192));
    assert_eq!(capacity_after(9000), (65536, 0));
    assert_eq!(capacity_after(100_000), (131_072, 0));
}
