//! Messages to subscribers: what it costs the server to pass them on.

use rustix::event::{PollFd, PollFlags, poll};
use std::io::Read;
use std::net::TcpStream;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::data::{request, value};
use crate::options::Options;
use crate::peer::{Peer, Program};
use crate::results::Better::{Higher, Lower};
use crate::subject::{Case, Measured};

const TEXT_BYTES: usize = 64;
/// Messages that are passed on in one measurement.
const DELIVERIES: usize = 400_000;
/// What every message begins with: `*3`, `message`, the channel, and the length of the text.
const HEAD_BYTES: usize = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$64\r\n".len();

pub fn cases(_: &Options) -> Vec<Case> {
    let case = |(subscribers, pipeline): (usize, usize)| Case {
        group: format!("one publisher, {TEXT_BYTES} bytes, by pipeline"),
        name: format!("{subscribers} listen, {pipeline}"),
        commands: vec!["PUBLISH"],
        measure: Box::new(move |program| measure(program, subscribers, pipeline)),
    };
    let cases = [
        (0, 1),
        (0, 16),
        (1, 1),
        (1, 16),
        (100, 1),
        (100, 16),
        (1000, 1),
        (1000, 16),
    ];
    cases.into_iter().map(case).collect()
}

fn measure(program: &Program, subscribers: usize, pipeline: usize) -> Measured {
    let peer = Peer::start(program, &[])?;
    let packets = (DELIVERIES / subscribers.max(1)).min(100_000) / pipeline;
    let messages = packets * pipeline;
    let mut publisher = peer.client();
    let streams: Vec<TcpStream> = (0..subscribers)
        .map(|_| {
            let mut client = peer.client();
            client.ask("SUBSCRIBE c");
            // The confirmation has six lines.
            (0..5).for_each(|_| drop(client.line()));
            client.into_stream()
        })
        .collect();
    let bytes = messages * (HEAD_BYTES + TEXT_BYTES + 2);
    let listeners = listen(streams, bytes);
    let (began, before) = (Instant::now(), peer.cpu());
    let mut batch = Vec::new();
    for _ in 0..packets {
        batch.clear();
        for _ in 0..pipeline {
            request(&mut batch, &[b"PUBLISH", b"c", value(TEXT_BYTES)]);
        }
        publisher.exchange(&batch, pipeline);
    }
    listeners.join().expect("the listener does not fail");
    let cpu_us = (peer.cpu() - before).as_secs_f64() * 1e6;
    let told = (messages * subscribers.max(1)) as f64;
    Ok(vec![
        (("CPU µs/message", Lower), cpu_us / told),
        (("messages/s", Higher), told / began.elapsed().as_secs_f64()),
    ])
}

/// Reads so many bytes from each of these.
fn listen(mut streams: Vec<TcpStream>, bytes: usize) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut missing = vec![bytes; streams.len()];
        let mut piece = vec![0; 1 << 20];
        while missing.iter().any(|bytes| *bytes > 0) {
            let fds = streams
                .iter()
                .map(|stream| PollFd::new(stream, PollFlags::IN));
            let mut fds: Vec<PollFd> = fds.collect();
            poll(&mut fds, None).expect("the system can wait");
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            for (index, stream) in streams
                .iter_mut()
                .enumerate()
                .filter(|(index, _)| ready[*index])
            {
                let len = stream.read(&mut piece).expect("the server sends");
                assert!(len > 0, "the server has closed the connection");
                missing[index] -= len;
            }
        }
    })
}
