//! The server's figures, a line for each moment: `--stat`.

use super::info::{human_bytes, keys, number};
use crate::session::{Failed, Session};
use my_redis_server::resp::decoder::Value;
use std::thread;
use std::time::Duration;

/// The titles of the columns.
const HEAD: &str = "------- data ------ --------------------- load -------------------- - child -\n\
     keys       mem      clients blocked requests            connections          \n";

/// After this number of lines the titles come again.
const LINES_PER_HEAD: usize = 20;

/// Prints lines until the program is ended.
pub fn print(session: &mut Session) -> Result<(), Failed> {
    let interval = match session.options.interval {
        Duration::ZERO => Duration::from_secs(1),
        interval => interval,
    };
    let mut requests_before = 0;
    for line in 0.. {
        let info = match session.call_patiently(&[b"INFO".to_vec()])? {
            Value::Error(text) => {
                let text = format!("ERROR: {}\n", String::from_utf8_lossy(&text));
                session.output.bytes(text.as_bytes());
                return Err(Failed);
            }
            reply => reply.text(),
        };
        if line % LINES_PER_HEAD == 0 {
            session.output.bytes(HEAD.as_bytes());
        }
        session.output.bytes(row(&info, requests_before).as_bytes());
        requests_before = number(&info, "total_commands_processed");
        thread::sleep(interval);
    }
    Ok(())
}

fn row(info: &str, requests_before: i64) -> String {
    let requests = number(info, "total_commands_processed");
    let more = match requests_before {
        0 => 0,
        before => requests.saturating_sub(before),
    };
    format!(
        "{:<11}{:<8} {:<8}{:<8}{:<19} {:<12}{}\n",
        keys(info),
        human_bytes(number(info, "used_memory").max(0) as u64),
        number(info, "connected_clients"),
        number(info, "blocked_clients"),
        format!("{requests} (+{more})"),
        number(info, "total_connections_received"),
        child(info)
    )
}

/// What the server writes or reads beside its work.
fn child(info: &str) -> &'static str {
    let runs = |name: &str| number(info, name) != 0;
    match (
        runs("loading"),
        runs("bgsave_in_progress"),
        runs("aof_rewrite_in_progress"),
    ) {
        (true, false, false) => "LOAD",
        (false, true, true) => "SAVE+AOF",
        (false, true, false) => "SAVE",
        (false, false, true) => "AOF",
        _ => "",
    }
}
