//! Clients that wait for entries of streams, compared with a real redis-server: who is served, when, and with what.

use crate::common::stage;

#[test]
fn readers_of_streams_are_served() {
    stage::compare(&[
        // Every reader gets the entry.
        "A: XREAD BLOCK 0 STREAMS s $
         B: XREAD BLOCK 0 STREAMS s 0
         C: XREAD BLOCK 0 COUNT 5 STREAMS s 5
         D: XADD s 1-1 f v
         D: XADD s 5-1 g w
         D: XLEN s",
        // `$` is the last ID when the reader comes.
        "D: XADD s 1 f v
         A: XREAD BLOCK 0 STREAMS s $
         B: XREAD BLOCK 0 STREAMS s 2
         D: XADD s 2 f v
         D: XADD s 3 f v
         A: XREAD BLOCK 0 STREAMS s $
         D: XDEL s 3
         D: XADD s 4 f v",
        "A: XREAD BLOCK 0 STREAMS s $
         D: XADD s 5 f v
         D: DEL s
         A: XREAD BLOCK 0 STREAMS s 3
         D: XADD s 1 f v
         D: XADD s 3 f v
         D: XADD s 4 f v",
        // Several streams.
        "A: XREAD BLOCK 0 STREAMS a b 0 0
         B: XREAD BLOCK 0 STREAMS b a $ 7
         D: XADD a 1 f v
         D: XADD b 2 f v
         B: XREAD BLOCK 0 STREAMS b a $ 7
         D: XADD a 8 f v",
        // All entries of a transaction are there before the first reader is served.
        "A: XREAD BLOCK 0 STREAMS s $
         B: XREAD BLOCK 0 COUNT 1 STREAMS s $
         D: MULTI
         D: XADD s 1 f v
         D: XADD s 2 f v
         D: EXEC
         A: XREAD BLOCK 0 STREAMS s $
         D: EVAL \"redis.call('XADD', 's', 3, 'f', 'v') redis.call('XADD', 's', 4, 'f', 'v')\" 1 s",
        "A: XREAD BLOCK 0 STREAMS a 0
         D: XGROUP CREATE a g 0 MKSTREAM
         D: XSETID a 5
         D: XADD a 6 f v",
        // Values of other types leave readers waiting.
        "A: XREAD BLOCK 0 STREAMS k 0
         B: BLPOP k 0
         D: SET k v
         D: DEL k
         D: XADD k 1 f v
         D: DEL k
         D: RPUSH k x
         D: EXISTS k",
        // All ways to fill a key.
        "D: XADD o 1 f v
         A: XREAD BLOCK 0 STREAMS k 0
         D: RENAME o k
         A: XREAD BLOCK 0 STREAMS n 0
         D: COPY k n
         A: XREAD BLOCK 0 STREAMS m 0
         D: RENAMENX n m",
        "A: XREAD BLOCK 0 STREAMS k $
         D: SELECT 1
         D: XADD k 1 f v
         D: MOVE k 0
         A: XREAD BLOCK 0 STREAMS k $
         D: XADD k 2 f v
         D: SWAPDB 0 1",
        // In a transaction, no command waits.
        "A: MULTI
         A: XREAD BLOCK 0 STREAMS s $
         A: XGROUP CREATE s g $ MKSTREAM
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         A: XADD s 1 f v
         A: XREAD BLOCK 0 STREAMS s 0
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         A: EXEC",
        // What follows in the pipeline comes afterwards.
        "A: XREAD BLOCK 0 STREAMS s $
         A: SET done yes
         A: XREAD BLOCK 0 STREAMS s $
         D: EXISTS done
         D: XADD s 1 f v
         D: EXISTS done
         D: XADD s 2 f v",
        // The reader's own database, also after SELECT by others.
        "A: SELECT 3
         A: XREAD BLOCK 0 STREAMS s $
         D: XADD s 1 f v
         D: SELECT 3
         D: XADD s 7 f v",
    ]);
}

#[test]
fn an_entry_goes_to_one_consumer_of_a_group() {
    stage::compare(&[
        // First come, first served.
        "D: XGROUP CREATE s g $ MKSTREAM
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         B: XREADGROUP GROUP g b BLOCK 0 STREAMS s >
         C: XREADGROUP GROUP g c BLOCK 0 STREAMS s >
         D: XADD s 1 f v
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         D: XADD s 2 f v
         D: XADD s 3 f v
         D: XADD s 4 f v
         D: XPENDING s g",
        // The first takes all, unless it wants fewer.
        "D: XGROUP CREATE s g $ MKSTREAM
         A: XREADGROUP GROUP g a COUNT 1 BLOCK 0 STREAMS s >
         B: XREADGROUP GROUP g b BLOCK 0 STREAMS s >
         C: XREADGROUP GROUP g c BLOCK 0 STREAMS s >
         D: MULTI
         D: XADD s 1 f v
         D: XADD s 2 f v
         D: XADD s 3 f v
         D: EXEC
         D: XADD s 4 f v
         D: XPENDING s g",
        // Each group, and each reader without one.
        "D: XGROUP CREATE s g $ MKSTREAM
         D: XGROUP CREATE s h 0
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         B: XREADGROUP GROUP h a BLOCK 0 NOACK STREAMS s >
         C: XREAD BLOCK 0 STREAMS s $
         E: XREADGROUP GROUP g e BLOCK 0 STREAMS s >
         D: XADD s 1 f v
         D: XPENDING s g
         D: XPENDING s h
         D: XADD s 2 f v
         D: XPENDING s g",
        // One consumer with several connections.
        "D: XGROUP CREATE s g $ MKSTREAM
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         B: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         D: XADD s 1 f v
         D: XADD s 2 f v
         D: XPENDING s g",
        // A consumer that waits for several streams gets what they hold when it is served.
        "D: XGROUP CREATE s g $ MKSTREAM
         D: XGROUP CREATE t g $ MKSTREAM
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s t > >
         B: XREADGROUP GROUP g b COUNT 1 BLOCK 0 STREAMS t s > >
         D: XADD t 1 f v
         D: XADD t 2 f v
         D: XPENDING s g
         D: XPENDING t g",
        // History never waits.
        "D: XGROUP CREATE s g $ MKSTREAM
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s 0
         D: XGROUP CREATE t g $ MKSTREAM
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s t > 0
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s t 0 >",
        // XGROUP SETID serves no waiting consumer. The next XADD does, with every entry after the new ID.
        "D: XADD s 1 f v
         D: XGROUP CREATE s g $
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         D: XGROUP SETID s g 0
         D: XADD s 2 f v
         D: XPENDING s g",
        // An entry that another consumer has taken in the meantime is none.
        "D: XGROUP CREATE s g $ MKSTREAM
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         D: MULTI
         D: XADD s 1 f v
         D: XREADGROUP GROUP g d STREAMS s >
         D: EXEC
         D: XADD s 2 f v
         D: XPENDING s g",
        // A consumer that is deleted while it waits comes back when it is served.
        "D: XGROUP CREATE s g $ MKSTREAM
         D: XGROUP CREATECONSUMER s g a
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         D: XGROUP DELCONSUMER s g a
         D: XADD s 1 f v
         D: XPENDING s g",
        // A stream that is emptied is there all the same.
        "D: XGROUP CREATE s g $ MKSTREAM
         D: XADD s 1 f v
         D: XGROUP SETID s g $
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         D: XTRIM s MAXLEN 0
         D: XADD s 2 f v
         D: XPENDING s g",
    ]);
}

#[test]
fn waits_for_entries_end_otherwise() {
    stage::compare(&[
        "A: XREAD BLOCK 0 STREAMS s $
         B: CLIENT UNBLOCK $A
         A: XREAD BLOCK 0 STREAMS s $
         B: CLIENT UNBLOCK $A TIMEOUT
         A: XREAD BLOCK 0 STREAMS s $
         B: CLIENT UNBLOCK $A ERROR
         B: XADD s 1 f v
         B: XGROUP CREATE s g $
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         B: CLIENT UNBLOCK $A
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         B: CLIENT UNBLOCK $A error
         B: XADD s 2 f v
         B: XPENDING s g
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >",
        // Who is gone takes nothing.
        "D: XGROUP CREATE s g $ MKSTREAM
         A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
         B: XREADGROUP GROUP g b BLOCK 0 STREAMS s >
         C: XREADGROUP GROUP g c BLOCK 0 STREAMS s >
         E: XREAD BLOCK 0 STREAMS s $
         A: (leaves)
         D: CLIENT KILL ID $B
         D: CLIENT KILL ID $E
         D: XADD s 1 f v
         D: XPENDING s g",
    ]);
}

/// A key without a group gives an error since 7.2, whatever it holds.
const NO_GROUP: &str =
    r#"to A: "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n""#;
const WRONG_TYPE: &str =
    r#"to A: "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n""#;

/// What becomes of the stream for which a consumer waits, and what the consumer is told then. 7.0 has other words.
const FATES: &[(&[&str], &str)] = &[
    (&["DEL s", r#"to D: ":1\r\n""#], NO_GROUP),
    (&["UNLINK s", r#"to D: ":1\r\n""#], NO_GROUP),
    (&["XGROUP DESTROY s g", r#"to D: ":1\r\n""#], NO_GROUP),
    (&["FLUSHALL"], NO_GROUP),
    (&["FLUSHDB"], NO_GROUP),
    (&["RENAME s t"], NO_GROUP),
    (&["MOVE s 1", r#"to D: ":1\r\n""#], NO_GROUP),
    (&["SWAPDB 0 1"], NO_GROUP),
    (&["SET s v"], WRONG_TYPE),
    (&["EXPIRE s -1", r#"to D: ":1\r\n""#], NO_GROUP),
];

#[test]
fn a_consumer_hears_of_the_fate_of_its_stream() {
    let script = |(lines, told): &(&[&str], &str)| {
        let mut script = vec![
            "D: XGROUP CREATE s g $ MKSTREAM".to_string(),
            "A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >".to_string(),
            format!("D: {}", lines[0]),
            told.to_string(),
        ];
        script.extend(lines[1..].iter().map(|line| line.to_string()));
        script.join("\n")
    };
    let scripts: Vec<String> = FATES.iter().map(script).collect();
    let scripts: Vec<&str> = scripts.iter().map(String::as_str).collect();
    stage::check(&scripts);
}

#[test]
fn waits_of_7_2() {
    stage::check(&[
        // A stream that takes the place of another, with the group and without.
        r#"D: XGROUP CREATE s g $ MKSTREAM
        D: XGROUP CREATE t g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: RENAME t s
        D: XADD t 1 f v
        to D: "$3\r\n1-0\r\n"
        D: RENAME t s
        to A: "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n""#,
        // Deleted and created anew in one step.
        r#"D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: MULTI
        D: DEL s
        D: XGROUP CREATE s g $ MKSTREAM
        D: EXEC
        to D: "*2\r\n:1\r\n+OK\r\n"
        D: MULTI
        D: XGROUP DESTROY s g
        D: XGROUP CREATE s g $
        D: EXEC
        to D: "*2\r\n:1\r\n+OK\r\n"
        D: MULTI
        D: DEL s
        D: SET s v
        D: EXEC
        to A: "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
        to D: "*2\r\n:1\r\n+OK\r\n""#,
        // A list, and a string in place of the second of two streams.
        r#"D: XGROUP CREATE s g $ MKSTREAM
        D: XGROUP CREATE t g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s t > >
        D: SET t v
        to A: "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
        D: DEL t
        to D: ":1\r\n"
        D: XGROUP CREATE t g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s t > >
        D: RPUSH l x
        to D: ":1\r\n"
        D: RENAME l s
        to A: "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n""#,
        // A group that is not the consumer's.
        r#"D: XGROUP CREATE s g $ MKSTREAM
        D: XGROUP CREATE s h $
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: XGROUP DESTROY s h
        to D: ":1\r\n"
        D: XGROUP DESTROY s g
        to A: "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n"
        to D: ":1\r\n""#,
        // The consumers of a group are told all; a reader without a group waits on.
        r#"D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        B: XREADGROUP GROUP g b BLOCK 0 STREAMS s >
        C: XREAD BLOCK 0 STREAMS s $
        D: DEL s
        to A: "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n"
        to B: "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n"
        to D: ":1\r\n"
        D: SET s v
        D: CLIENT UNBLOCK $C ERROR
        to C: "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"
        to D: ":1\r\n""#,
        // A key that expires, by itself and by an access.
        r#"D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: DEBUG SET-ACTIVE-EXPIRE 0
        D: PEXPIRE s 1
        to D: ":1\r\n"
        D: DEBUG SLEEP 0.01
        D: EXISTS s
        to A: "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n"
        to D: ":0\r\n"
        D: DEBUG SET-ACTIVE-EXPIRE 1"#,
        // An entry that is trimmed away at once is none.
        r#"D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: XADD s MAXLEN 0 1 f v
        to D: "$3\r\n1-0\r\n"
        D: XGROUP DESTROY s g
        to A: "-NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option\r\n"
        to D: ":1\r\n""#,
        // A consumer is there as soon as it waits.
        r#"D: XGROUP CREATE s g $ MKSTREAM
        A: XREADGROUP GROUP g a BLOCK 0 STREAMS s >
        D: XGROUP CREATECONSUMER s g a
        to D: ":0\r\n"
        D: XGROUP DELCONSUMER s g a
        to D: ":0\r\n"
        D: XGROUP CREATECONSUMER s g a
        to D: ":1\r\n""#,
    ]);
}

/// A reader receives what is in all of its streams when it is served; 7.0 looks at the one that was filled.
#[test]
fn a_reader_receives_what_there_is_when_it_is_served() {
    const BOTH: &str = r#"to A: "*2\r\n*2\r\n$1\r\na\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n\
        *2\r\n$1\r\nb\r\n*2\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n\
        *2\r\n$3\r\n2-0\r\n*2\r\n$1\r\nf\r\n$1\r\nw\r\n""#;
    const TWICE: &str = r#"A: XREAD BLOCK 0 STREAMS s s $ 0
        D: XADD s 1 f v
        to A: "*2\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n\
        *2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
        to D: "$3\r\n1-0\r\n""#;
    const FILLS: &str = r#"D: MULTI
        D: XADD b 1 f v
        D: XADD a 1 f v
        D: XADD b 2 f w
        D: EXEC"#;
    const FILLED: &str = r#"to D: "*3\r\n$3\r\n1-0\r\n$3\r\n1-0\r\n$3\r\n2-0\r\n""#;
    let both = BOTH.replace("\\\n        ", "");
    stage::check_in(
        &[2],
        &[
            &format!("A: XREAD BLOCK 0 STREAMS a b $ $\n{FILLS}\n{both}\n{FILLED}"),
            // A consumer too.
            &format!(
                "D: XGROUP CREATE a g $ MKSTREAM
                D: XGROUP CREATE b g $ MKSTREAM
                A: XREADGROUP GROUP g a BLOCK 0 STREAMS a b > >
                {FILLS}\n{both}\n{FILLED}"
            ),
            // An entry that is gone when the command or the transaction ends is none.
            r#"A: XREAD BLOCK 0 STREAMS a $
            D: MULTI
            D: XADD a 1 f v
            D: XDEL a 1
            D: EXEC
            to D: "*2\r\n$3\r\n1-0\r\n:1\r\n"
            D: XADD a MAXLEN 0 2 f v
            to D: "$3\r\n2-0\r\n"
            D: MULTI
            D: XADD a 3 f v
            D: DEL a
            D: EXEC
            to D: "*2\r\n$3\r\n3-0\r\n:1\r\n"
            D: XADD a 1 f v
            to A: "*1\r\n*2\r\n$1\r\na\r\n*1\r\n*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"
            to D: "$3\r\n1-0\r\n""#,
            // One stream that is named twice.
            &TWICE.replace("\\\n        ", ""),
        ],
    );
}
