//! `--wire`: the bytes of requests and replies, taken apart.

use super::duel::{Duel, our_client};
use super::scripted_server::ScriptedServer;
use std::fs;
use std::os::unix::fs::PermissionsExt;

#[test]
fn every_element_is_a_line() {
    let mut duel = Duel::new(&[]);
    duel.set_up(&["HSET h name \"a\\r\\nb\""]);
    let run = duel.run_ours("-p PORT -3 --wire=lines HGETALL h");
    assert!(!run.status.success(), "there is no such option");
    let run = duel.run_ours("-p PORT --wire HGETALL h");
    assert_eq!(String::from_utf8_lossy(&run.stdout), "name\na\r\nb\n");
    assert_eq!(
        String::from_utf8_lossy(&run.stderr),
        r"-> *2\r\n                                  a command of 2 words
->   $7\r\nHGETALL\r\n                     a string of 7 bytes
->   $1\r\nh\r\n                           a string of 1 byte
<- *2\r\n                                  an array of 2 elements
<-   $4\r\nname\r\n                        a string of 4 bytes
<-   $4\r\na\r\nb\r\n                      a string of 4 bytes
"
    );
    let run = duel.run_ours("-p PORT -n 1 --wire GET nokey");
    assert_eq!(
        String::from_utf8_lossy(&run.stderr),
        r"-> *2\r\n                                  a command of 2 words
->   $6\r\nSELECT\r\n                      a string of 6 bytes
->   $1\r\n1\r\n                           a string of 1 byte
<- +OK\r\n                                 a simple string
-> *2\r\n                                  a command of 2 words
->   $3\r\nGET\r\n                         a string of 3 bytes
->   $5\r\nnokey\r\n                       a string of 5 bytes
<- $-1\r\n                                 null, as a string of RESP2
"
    );
}

#[test]
fn both_protocols_stand_beside_each_other() {
    let mut duel = Duel::new(&[]);
    duel.set_up(&["HSET h name ann", "SET n 1"]);
    let run = duel.run_ours("-p PORT --wire=both HGETALL h");
    let stderr = String::from_utf8_lossy(&run.stderr);
    let both = stderr.split_once("<- RESP2").expect("there is a table").1;
    let words: Vec<&str> = both.split_whitespace().collect();
    assert_eq!(
        words,
        [
            "RESP3",
            "<-",
            r"*2\r\n",
            r"%1\r\n",
            "<-",
            r"$4\r\nname\r\n",
            r"$4\r\nname\r\n",
            "<-",
            r"$3\r\nann\r\n",
            r"$3\r\nann\r\n"
        ]
    );
    // A command that writes is sent once.
    let run = duel.run_ours("-p PORT --wire=both INCR n");
    assert_eq!(String::from_utf8_lossy(&run.stdout), "2\n");
    assert!(!String::from_utf8_lossy(&run.stderr).contains("RESP3"));
}

#[test]
fn passwords_are_not_shown() {
    let duel = Duel::new(&["--requirepass", "secret"]);
    let run = duel.run_ours("REDISCLI_AUTH=secret -p PORT --wire PING");
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(stderr.contains(r"$8\r\n********\r\n"), "{stderr}");
    assert!(!stderr.contains("secret"), "{stderr}");
    assert_eq!(run.stdout, b"PONG\n");
    let run = duel.run_ours_unprepared("-p PORT --wire -a wrong PING");
    let stderr = String::from_utf8_lossy(&run.stderr);
    assert!(stderr.contains(r"<- -WRONGPASS ********\r\n"), "{stderr}");
    for command in [
        "HELLO 3 AUTH bob secret",
        "ACL SETUSER bob >secret",
        "ACL SETUSER bob #secret",
        "CONFIG SET maxmemory 0 requirepass secret",
        "CONFIG SET primaryauth secret",
        "MIGRATE 127.0.0.1 1 key 0 1 AUTH secret",
        "AUTH default secret",
    ] {
        let line = format!("REDISCLI_AUTH=secret -p PORT --wire {command}");
        let stderr = duel.run_ours_unprepared(&line).stderr;
        let stderr = String::from_utf8_lossy(&stderr).into_owned();
        assert!(stderr.contains(r"********\r\n"), "{stderr}");
        assert!(!stderr.contains("secret"), "{stderr}");
        let line = format!("REDISCLI_AUTH=secret -p PORT --wire=html page.html {command}");
        duel.run_ours_unprepared(&line);
        let path = duel.folder.path().join("page.html");
        assert!(!fs::read_to_string(&path).unwrap().contains("secret"));
        let rights = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(rights & 0o777, 0o600);
    }
}

#[test]
fn the_wire_becomes_a_page() {
    let duel = Duel::new(&[]);
    let run = duel.run_ours("-p PORT --wire=html page.html ECHO \"<b>&\"");
    assert_eq!(run.stdout, b"<b>&\n");
    assert!(run.stderr.is_empty());
    let page = fs::read_to_string(duel.folder.path().join("page.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert_eq!(page.matches("&lt;b&gt;&amp;").count(), 2);
    assert!(!page.contains("<b>&"));
    // Each exchange is written once: the end of the page follows the last.
    let run = duel.run_ours("-p PORT --wire=html page.html -r 50 ECHO same");
    assert!(run.status.success());
    let page = fs::read_to_string(duel.folder.path().join("page.html")).unwrap();
    assert_eq!(page.matches("</html>").count(), 1);
    assert!(page.ends_with("</html>\n"));
    assert_eq!(page.matches("The client sends").count(), 50);
    assert_eq!(page.matches("The server answers").count(), 50);
    for (path, reason) in [
        ("/nosuch/page.html", "No such file or directory"),
        ("/dev/full", "No space left on device"),
        ("/", "Is a directory"),
    ] {
        for line in [
            "-r 2 PING",
            "<<< \"PING\\nPING\\n\"",
            "<<< \"PING\\n:wire off\\nPING\\n\"",
        ] {
            let run = duel.run_ours(&format!("-p PORT --wire=html {path} {line}"));
            let told = format!("Error writing '{path}': {reason}\n");
            assert_eq!(String::from_utf8_lossy(&run.stderr), told);
            assert_eq!(run.stdout, b"PONG\nPONG\n");
            assert_eq!(run.status.code(), Some(1), "{path} {line}");
        }
        let run = duel.run_ours(&format!("-p PORT --wire=html {path} --scan"));
        assert_eq!(run.status.code(), Some(1), "{path}");
    }
}

#[test]
fn a_snapshot_begins_with_a_line() {
    let duel = Duel::new(&[]);
    let ok: &[u8] = b"+OK\r\n";
    let server = ScriptedServer::start(&[ok, ok, b"\n$5\r\nREDIS"]);
    let line = format!("-p {} --wire --rdb fetched.rdb", server.port);
    let stderr = duel.run_ours_unprepared(&line).stderr;
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    let sent = stderr.find("SYNC\\r\\n").expect("SYNC is shown");
    let header = stderr.find("<- $5\\r\\n ").expect("the header is shown");
    assert!(sent < header, "{stderr}");
    assert!(
        stderr.contains("a snapshot of this length follows"),
        "{stderr}"
    );
}

/// A command of a transaction has run nowhere yet, so there is no reply to show in another protocol.
#[test]
fn a_transaction_is_shown_in_one_protocol() {
    let duel = Duel::new(&[]);
    let run = duel.run(
        our_client(),
        "-p PORT <<< \":wire both\\nMULTI\\nGET a\\nEXEC\\nGET a\"",
    );
    let stderr = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(stderr.matches("RESP3").count(), 1, "{stderr}");
    assert!(stderr.contains("is shown in one protocol"), "{stderr}");
}

#[test]
fn the_prompt_switches_the_wire() {
    let duel = Duel::new(&[]);
    let run = duel.run(
        our_client(),
        "-p PORT <<< \"PING\\n:wire on\\nECHO a\\n:wire off\\nPING\\n:wire x\\n\"",
    );
    let lines = "PONG\na\nPONG\nUse ':wire on', ':wire both' or ':wire off'.\n";
    assert_eq!(String::from_utf8_lossy(&run.stdout), lines);
    assert_eq!(run.stderr.iter().filter(|byte| **byte == b'\n').count(), 4);
}
