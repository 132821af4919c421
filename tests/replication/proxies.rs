//! The proxies of the README, configured as it says.

use super::pair::Whose::Ours;
use super::pair::{ask_anew, wait_for_link};
use crate::common::{Client, Folder, Server, free_port, wait_until};
use my_redis_server::resp::decoder::Value;
use std::fs;
use std::process::{Child, Command, Stdio};

/// A proxy before three servers.
struct Proxy {
    process: Child,
    port: u16,
    _folder: Folder,
}

impl Proxy {
    /// Starts a program with the block of the README that has this language, for these servers.
    fn start(program: &str, language: &str, options: &[&str], servers: [&Server; 3]) -> Proxy {
        let port = free_port();
        let mut text = block(language).replace("127.0.0.1:6000", &format!("127.0.0.1:{port}"));
        for (shown, server) in ["6379", "6380", "6381"].into_iter().zip(servers) {
            let place = format!("127.0.0.1:{}", server.port);
            text = text.replace(&format!("127.0.0.1:{shown}"), &place);
        }
        let folder = Folder::new();
        let path = folder.path().join("proxy.conf");
        fs::write(&path, text).expect("a file");
        let process = Command::new(program)
            .args(options)
            .arg(path)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("tools/install_proxies.sh installs it");
        Proxy {
            process,
            port,
            _folder: folder,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The block of code in the README that has this language.
fn block(language: &str) -> String {
    let readme = include_str!("../../README.md");
    let (_, after) = readme
        .split_once(&format!("```{language}\n"))
        .expect("the README has it");
    let (block, _) = after.split_once("```").expect("it has an end");
    block.to_string()
}

#[test]
fn haproxy_leads_to_the_primary() {
    let folders = [(); 3].map(|()| Folder::new());
    let primary = Ours.server(&folders[0], &[]);
    let [second, third] = [1, 2].map(|place| Ours.replica(&folders[place], &primary, &[]));
    for replica in [&second, &third] {
        wait_for_link(&mut replica.client());
    }
    // `-db`: it stays in the foreground.
    let servers = [&primary, &second, &third];
    let proxy = Proxy::start("haproxy", "haproxy", &["-db", "-f"], servers);
    let ok = Some(Value::Simple(b"OK".to_vec()));
    wait_until("it to lead somewhere", || {
        ask_anew(proxy.port, &["SET", "k", "1"]) == ok
    });
    assert_eq!(primary.client().ask("GET k"), "\"1\"");
    drop(primary);
    assert_eq!(third.client().ask("REPLICAOF NO ONE"), "OK");
    wait_until("it to lead to the new primary", || {
        ask_anew(proxy.port, &["SET", "k", "2"]) == ok
    });
    assert_eq!(third.client().ask("GET k"), "\"2\"");
}

#[test]
fn twemproxy_spreads_keys_over_servers() {
    let folders = [(); 3].map(|()| Folder::new());
    let servers = folders.each_ref().map(|folder| Ours.server(folder, &[]));
    let [first, second, third] = &servers;
    let proxy = Proxy::start("nutcracker", "yaml", &["-c"], [first, second, third]);
    let ok = Some(Value::Simple(b"OK".to_vec()));
    wait_until("it to answer", || {
        ask_anew(proxy.port, &["SET", "key:0", "0"]) == ok
    });
    let mut client = Client::connect(proxy.port);
    // Names that differ little would lie close to each other.
    let names: Vec<String> = (1..=300u64)
        .map(|number| format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    for (number, name) in names.iter().enumerate() {
        let reply = client.call(&["SET", name, &number.to_string()]);
        assert_eq!(Some(reply), ok);
    }
    let sizes = servers
        .each_ref()
        .map(|server| server.client().integer(&["DBSIZE"]));
    assert_eq!(sizes.iter().sum::<i64>(), 301);
    assert!(sizes.iter().all(|size| *size > 0), "{sizes:?}");
    let Value::Array(values) = client.call(&["MGET", &names[0], &names[100], &names[299]]) else {
        panic!("MGET gives an array")
    };
    let expected = ["0", "100", "299"].map(|value| Value::Bulk(value.into()));
    assert_eq!(values, expected);
    let four: Vec<&str> = names[..4].iter().map(String::as_str).collect();
    assert_eq!(client.integer(&[&["DEL"], &four[..]].concat()), 4);
    assert_eq!(client.integer(&["INCR", &names[4]]), 5);
}
