//! Scripts beside other clients: what is visible of one that runs, and what becomes of one that does not end.

mod atomicity;
mod busy;
mod deadlock;

use crate::common::{Client, Folder, Server};
use my_redis_server::resp::decoder::Value;
use std::collections::BTreeSet;

/// Our server with some databases, which saves only when it is asked to.
fn server() -> (Folder, Server) {
    let folder = Folder::new();
    let options = [
        "--save",
        "",
        "--databases",
        "3",
        "--enable-debug-command",
        "yes",
    ];
    let server = Server::ours(&folder, &options);
    (folder, server)
}

/// What is sent to run a script.
fn eval_request<'a>(script: &'a str, keys: &[&'a str], arguments: &[&'a str]) -> Vec<String> {
    let count = keys.len().to_string();
    let head = ["EVAL", script, &count].into_iter();
    let words = head
        .chain(keys.iter().copied())
        .chain(arguments.iter().copied());
    words.map(str::to_string).collect()
}

/// Runs a script.
fn eval(client: &mut Client, script: &str, keys: &[&str], arguments: &[&str]) -> Value {
    client.call(&eval_request(script, keys, arguments))
}

/// A reply as redis-cli prints it.
fn printed(reply: &Value) -> String {
    let printed = my_redis_server::resp::pretty::pretty(reply);
    String::from_utf8_lossy(&printed).trim_end().to_string()
}

/// What an error says.
fn error_text(reply: Value) -> String {
    match reply {
        Value::Error(text) => String::from_utf8_lossy(&text).into_owned(),
        other => panic!("no error: {other:?}"),
    }
}

/// Keys that lie in different shards of database 0: a script that declares one of them has not locked another.
fn far_apart(server: &Server, count: usize) -> Vec<String> {
    let mut client = server.client();
    let mut seen = BTreeSet::new();
    let names = (0..).map(|number| format!("key:{number}"));
    let is_new = |name: &String| seen.insert(client.integer(&["DEBUG", "SHARD", name]));
    names.filter(is_new).take(count).collect()
}
