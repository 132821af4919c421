//! Our server with both clients: every mode of redis-cli works with it, and ours prints the same.

use super::duel::Duel;
use std::fs;

#[test]
fn both_clients_work_with_our_server() {
    let mut duel = Duel::with_our_server(&["--databases", "4"]);
    let script = duel.folder.path().join("script.lua");
    fs::write(script, "return {KEYS[1], ARGV[1]}").expect("the file can be written");
    duel.set_up(&[
        "SET string hello",
        "RPUSH list a b c",
        "HSET hash name ann age 33",
    ]);
    for line in [
        "PING",
        "nosuch",
        "--no-raw LRANGE list 0 -1",
        "--no-raw -3 HGETALL hash",
        "--json HGETALL hash",
        "-n 3 SET a 1",
        "-n 9 PING",
        "-a secret PING",
        "-s SOCKET GET string",
        "--eval script.lua key , argument",
        "--pipe <<< \"SET a 1\\r\\nNOSUCH\\r\\nGET a\\r\\n\"",
        "<<< \"multi\\nselect 2\\nget a\\nexec\\nget string\\nselect 0\\n3 incr n\\n\"",
        "INFO cluster",
        "--no-raw MEMORY DOCTOR",
    ] {
        duel.check(line);
    }
    for line in [
        "--scan",
        "--bigkeys",
        "--memkeys",
        "--memkeys-samples 0 --pattern nosuch",
    ] {
        duel.check_sorted(line);
    }
    for topic in ["get", "dbsize", "@hyperloglog"] {
        duel.check_words(&format!("help {topic}"));
    }
    duel.finish();
}
