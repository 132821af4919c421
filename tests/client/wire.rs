//! `--wire`: the bytes of requests and replies, taken apart.

use super::duel::{Duel, our_client};
use std::fs;

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
    assert!(stderr.contains(r"$6\r\n******\r\n"), "{stderr}");
    assert!(!stderr.contains("secret"), "{stderr}");
    assert_eq!(run.stdout, b"PONG\n");
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
    let run = duel.run_ours("-p PORT --wire=html /nosuch/page.html PING");
    let complaint = "Error writing '/nosuch/page.html': No such file or directory";
    assert!(
        String::from_utf8_lossy(&run.stderr).starts_with(complaint),
        "{run:?}"
    );
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
