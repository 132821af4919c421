//! The prompt without a terminal: lines from a pipe, as scripts give them.

use super::duel::{Duel, without_digits};
use crate::common::free_port;

/// Lines that are given to the prompt, one text for each run.
const SESSIONS: &[&str] = &[
    "",
    "\n",
    "PING",
    "PING\n",
    "PING\r\n",
    "PING\nset a 1\nget a\n",
    "  ping   'hello world'  \n\n \t\nping\n",
    "set a \"b\nping\n",
    "set a 'b'c\nping\n",
    "set \"a\\x00b\" '\\''\nkeys *\n",
    "5 ping\n2 incr a\n",
    "0 ping\n-1 ping\n3\n3x ping\n007 ping\n99999999999999999999 ping\n- ping\n",
    "+2 ping\n\" 2\" ping\n\"\\t\\x0b+02\" ping\n\"\" ping\n\"\"\n\"2\\x00x\" ping\n\"\\x00\" ping\n",
    "0x2 ping\n2. ping\n+ ping\n+-2 ping\n\" \" ping\n\"2 \" ping\n",
    "- 2\n+0 ping\n-99999999999999999999 ping\n",
    "9223372036854775808 ping\n\"\" \"\"\n2 2 ping\n2 quit\nping\n",
    "multi\nget a\nset a 1\nexec\nget a\n",
    "multi\nnosuch\nexec\n",
    "multi\nselect 3\nset a 1\nexec\nset b 1\n",
    "multi\nselect 3\ndiscard\nset b 1\n",
    "multi\nselect 3\nnosuch\nexec\nset b 1\n",
    "watch a\nmulti\nselect 3\nset a 1\nexec\nset b 1\n",
    "select 3\nset a 1\nreset\nset b 1\n",
    "select 99\nset a 1\n",
    "hgetall hash\nreset\nhgetall hash\n",
    "quit\nping\n",
    "QUIT now\nping\n",
    "exit\nping\n",
    "clear\nping\n",
    "clear x\n",
    "restart\n",
    ":set hints\n:set nohints\n:set nosuch\n:set\n:nosuch x\nping\n",
    "connect 127.0.0.1 PORT\nping\n",
    "connect 127.0.0.1 CLOSED\nping\nconnect 127.0.0.1 PORT\nping\n",
    "connect 127.0.0.1\n",
    "client kill type normal skipme no\nping\nping\n",
    "select 2\nclient kill type normal skipme no\nset a 1\n",
    "multi\nclient kill type normal skipme no\nexec\nset a 1\n",
    "subscribe\nping\n",
    "monitor x\nping\n",
    "quit",
    "help nosuch\n",
];

#[test]
fn lines_from_a_pipe_do_what_they_do_in_redis_cli() {
    let mut duel = Duel::new(&["--databases", "16"]);
    duel.name("CLOSED", &free_port().to_string());
    duel.set_up(&["HSET hash name ann age 33"]);
    for session in SESSIONS {
        for options in ["", "--no-raw", "--csv", "-n 1 -r 2", "-3 --json", "-e"] {
            duel.check_session(options, session);
        }
    }
    duel.finish();
}

/// How long a command took is told from half a second on, for people alone.
#[test]
fn long_commands_are_timed() {
    let duel = Duel::new(&[]);
    for options in ["--no-raw", ""] {
        let [real, ours] = duel
            .run_both(&format!("-p PORT {options} <<< \"DEBUG SLEEP 0.6\""))
            .map(|run| without_digits(&run.stdout));
        assert_eq!(real, ours);
        assert_eq!(ours.contains("(#s)"), options == "--no-raw");
    }
}

/// The real client shows help in colours, also where no terminal reads them.
#[test]
fn help_has_the_words_of_redis_cli() {
    let mut duel = Duel::new(&[]);
    for topic in [
        "set",
        "GET",
        "acl",
        "acl setuser",
        "@hash",
        "@Hyperloglog",
        "@nosuch",
        "@generic",
        "@server",
        "config s",
        "xadd",
        "zunionstore",
        "bitfield",
        "geosearch",
        "migrate",
        "@stream",
        "@sorted-set",
        "@cluster",
        "@scripting",
        "@connection",
        "@pubsub",
        "@list",
        "@string",
        "@set",
        "@geo",
        "@transactions",
        "@bitmap",
    ] {
        duel.check_words(&format!("help {topic}"));
        duel.check_words(&format!("? {topic}"));
    }
    duel.finish();
}
