//! Users and their rights, compared with a real redis-server.
//!
//! Redis 7.2 shows the rules of commands as they were given, and 7.0 the shortest that mean the same: where both are
//! equal, the real server is asked, else what 7.2.4 shows stands here. All users are given `sanitize-payload`, which a
//! new user has in 7.2 alone.

use crate::common::oracle::Oracle;
use crate::common::stage;

/// Rules and what they make of a user.
const USERS: &str = r#"
ACL SETUSER default sanitize-payload
ACL LIST
ACL USERS
ACL WHOAMI
ACL GETUSER default
ACL GETUSER nobody
ACL SETUSER ann sanitize-payload on >secret ~foo* %R~bar* &chan* +@read (+@write ~w* resetchannels)
ACL GETUSER ann
ACL LIST
ACL SETUSER ann <secret >abc #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b >abc
ACL GETUSER ann
ACL SETUSER ann !2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b
ACL SETUSER ann !2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b
ACL SETUSER ann <secret
ACL SETUSER ann nopass
ACL GETUSER ann
ACL SETUSER ann resetpass
ACL GETUSER ann
ACL SETUSER ann ON Off oN ALLKEYS RESETCHANNELS ALLCOMMANDS CLEARSELECTORS SKIP-SANITIZE-PAYLOAD
ACL GETUSER ann
ACL SETUSER ann reset sanitize-payload
ACL LIST
ACL SETUSER ann %RW~a %R~b %W~b ~c %r~c %rw~* %W~w
ACL GETUSER ann
ACL SETUSER ann resetkeys %R~*
ACL SETUSER ann &a &b &a
ACL GETUSER ann
ACL SETUSER ann allchannels
ACL SETUSER ann "(~a &b)" "(" "+get" "%W~x" ")"
ACL LIST
ACL SETUSER ann clearselectors reset
ACL DELUSER ann ann nobody
ACL LIST
"#;

/// Rules that are refused; none of a request takes effect then.
const WRONG_RULES: &str = r#"
ACL SETUSER
ACL SETUSER "a b"
ACL SETUSER "a\x00b"
ACL SETUSER ann sanitize-payload on
ACL SETUSER ann off +nosuch
ACL SETUSER ann ~* %X~a
ACL SETUSER ann ~* %RR~a
ACL SETUSER ann off +@nosuch
ACL SETUSER ann +
ACL SETUSER ann -
ACL SETUSER ann +@
ACL SETUSER ann -nosuch
ACL SETUSER ann ~* ~a
ACL SETUSER ann &* &a
ACL SETUSER ann "~a b"
ACL SETUSER ann "&a\tb"
ACL SETUSER ann "~a\x00b"
ACL SETUSER ann %X~a
ACL SETUSER ann %~a
ACL SETUSER ann %RR~a
ACL SETUSER ann %R
ACL SETUSER ann %
ACL SETUSER ann <abc
ACL SETUSER ann #abc
ACL SETUSER ann #BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad
ACL SETUSER ann !abc
ACL SETUSER ann (
ACL SETUSER ann (+get
ACL SETUSER ann on (+get ~a
ACL SETUSER ann +get)
ACL SETUSER ann )
ACL SETUSER ann (on)
ACL SETUSER ann (+nosuch)
ACL SETUSER ann "(~* ~a)"
ACL SETUSER ann ((+get))
ACL SETUSER ann +config|get|x
ACL SETUSER ann +config|nosuch
ACL SETUSER ann +get|
ACL SETUSER ann +nosuch|x
ACL SETUSER ann -select|0
ACL SETUSER ann -acl|whoami|x
ACL SETUSER ann +@all|x
ACL SETUSER ann nonsense
ACL GETUSER ann
ACL DELUSER ann
ACL DELUSER default
ACL DELUSER ann default
ACL SETUSER ann ~ & ""
ACL SETUSER ann ()
ACL SETUSER ann "( +get ~x  )"
ACL DELUSER ann
"#;

const REQUESTS: &str = r#"
ACL
ACL NOSUCH
ACL CAT
ACL CAT READ WRITE
ACL CAT ""
ACL CAT nosuch
ACL WHOAMI x
ACL LIST x
ACL USERS x
ACL DELUSER
ACL GETUSER
ACL GENPASS 0
ACL GENPASS -1
ACL GENPASS 4097
ACL GENPASS x
ACL GENPASS 1 2
ACL LOAD
ACL LOAD x
ACL SAVE
ACL LOG x
ACL LOG 1 2
ACL LOG RESET
ACL LOG
ACL LOG -1
ACL DRYRUN default
ACL DRYRUN default get
ACL DRYRUN default get a
ACL DRYRUN default acl
ACL DRYRUN default acl nosuch
ACL DRYRUN default nosuch a
ACL DRYRUN default config get
ACL DRYRUN nobody get a
ACL HELP
CONFIG GET requirepass
CONFIG GET aclfile
CONFIG GET acl-pubsub-default
CONFIG GET acllog-max-len
CONFIG SET aclfile x
CONFIG SET acllog-max-len 1
AUTH zz x
CONFIG SET acllog-max-len 0
AUTH zz x
CONFIG SET acllog-max-len 128
CONFIG SET acllog-max-len -1
CONFIG SET acllog-max-len x
CONFIG SET acl-pubsub-default x
CONFIG SET acl-pubsub-default allchannels
ACL SETUSER ann sanitize-payload
ACL GETUSER ann
ACL SETUSER ann resetchannels
ACL SETUSER ann reset (+publish) (~x resetchannels &c)
ACL GETUSER ann
ACL LIST
ACL DELUSER ann
CONFIG SET acl-pubsub-default resetchannels
CLIENT KILL USER nobody
CLIENT KILL USER default
AUTH ann x
AUTH default x
AUTH x
"#;

#[test]
fn users_are_what_their_rules_make_of_them() {
    let mut oracle = Oracle::start();
    oracle.scripts(&[USERS, WRONG_RULES, REQUESTS]);
    oracle.finish();
}

/// What a user may do with keys, channels and commands.
const RIGHTS: &[&str] = &[
    "Z: ACL SETUSER ann reset on nopass ~a* %R~r* %W~w* &c* &d -@all +@all -config -debug -set -select
     Z: ACL SETUSER ann +select|0
     A: AUTH ann anything
     A: ACL WHOAMI
     A: GET b
     A: GET a
     A: SET a 1
     A: MGET a1 b2
     A: MGET a1 r2
     A: APPEND w1 x
     A: APPEND r1 x
     A: GETSET w1 x
     A: LPUSH w2 x
     A: LPUSH r1 x
     A: COPY r1 w1
     A: COPY w1 r1
     A: COPY r1 z
     A: RENAME r1 w1
     A: EXISTS w1
     A: EXISTS zz
     A: OBJECT ENCODING w1
     A: OBJECT ENCODING zz
     A: SELECT 1
     A: SELECT 0
     A: SELECT
     A: CONFIG GET port
     A: CONFIG
     A: DEBUG JMAP
     A: ZUNIONSTORE ad 2 a1 b2
     A: XREAD STREAMS ax bx 0 0
     A: XADD bx * f v
     A: XGROUP CREATE bx g 0
     A: GEORADIUS ag 1 1 1 m STORE bg
     A: BITOP AND ab bb
     A: BLPOP ab bb 1
     A: WATCH bb
     A: SMOVE a b m
     A: SINTERCARD 2 a b
     A: LMOVE a b LEFT LEFT
     A: FLUSHALL
     A: NOSUCH
     A: GET
     A: AUTH ann
     A: AUTH bob x
     A: AUTH ann x y
     A: ACL WHOAMI
     A: RESET
     A: ACL WHOAMI",
    // Channels.
    "Z: ACL SETUSER ann reset on nopass &c* &d +@all
     A: AUTH ann x
     A: PUBLISH x 1
     A: PUBLISH c1 1
     A: SPUBLISH x 1
     A: SPUBLISH c1 1
     A: PUBSUB CHANNELS
     B: AUTH ann x
     B: PSUBSCRIBE c1*
     B: PSUBSCRIBE c*
     B: SSUBSCRIBE x
     A: SUBSCRIBE c1
     A: SUBSCRIBE d
     A: UNSUBSCRIBE c1 x
     C: AUTH ann x
     C: SUBSCRIBE x
     C: SSUBSCRIBE d",
    // In transactions.
    "Z: ACL SETUSER ann reset on nopass ~a* &c* +@all -config
     A: AUTH ann x
     A: MULTI
     A: GET zz
     A: EXEC
     A: MULTI
     A: GET a
     A: CONFIG GET port
     A: GET a
     A: EXEC
     A: MULTI
     A: INCR a
     A: GET a
     A: PUBLISH c1 x
     A: APPEND aw q
     Z: ACL SETUSER ann -incr resetkeys ~aw resetchannels
     A: EXEC
     A: GET aw",
    // In scripts.
    r#"Z: ACL SETUSER ann reset on nopass ~a* &c* +@all -config
     A: AUTH ann x
     A: EVAL "return redis.call('get','zz')" 0
     A: EVAL "return redis.pcall('get','zz')" 0
     A: EVAL "redis.call('set','a1','x') return redis.call('get','zz')" 1 a1
     A: GET a1
     A: EVAL "return redis.call('publish','q','x')" 0
     A: EVAL "return redis.call('publish','c','x')" 0
     A: EVAL "return redis.acl_check_cmd('get','a')" 0
     A: EVAL "return redis.acl_check_cmd('get','b')" 0
     A: EVAL "return redis.acl_check_cmd('config','get')" 0
     A: EVAL "return redis.acl_check_cmd('nosuch')" 0
     A: EVAL "return 1" 1 zz
     A: EVAL "return 1" 1 a
     A: MULTI
     A: EVAL "return redis.pcall('get','zz')" 0
     A: EVAL "return redis.pcall('get','a1')" 0
     A: EXEC"#,
    // SORT, whose patterns may name any key.
    "Z: ACL SETUSER ann reset on nopass ~a* +@all
     A: AUTH ann x
     A: RPUSH al 3 1 2
     A: SORT al
     A: SORT al BY w*
     A: SORT al BY nosort
     A: SORT al GET #
     A: SORT al GET x* BY y*
     A: SORT al BY y* GET x*
     A: SORT al STORE bl
     A: SORT al STORE al2
     A: SORT_RO al BY w*
     Z: ACL SETUSER ann %R~*
     A: SORT al BY w*
     A: SORT al GET w* STORE al2
     A: SORT al GET w* STORE bl2",
    // Selectors: one of them must permit all of a request.
    r#"Z: ACL SETUSER ann reset on nopass ~a* +get "(~b* +set +get)" "(%R~c* %W~d* +copy +mget)"
     A: AUTH ann x
     A: GET a
     A: SET a 1
     A: SET b 1
     A: GET b
     A: COPY c d
     A: COPY d c
     A: MGET c1 c2
     A: MGET c1 d2
     A: MGET a1 b1
     A: PING"#,
];

/// Who logs in, and what happens to those whose user changes.
const CONNECTIONS: &[&str] = &[
    "Z: ACL SETUSER ann reset on >pw +@all ~* &*
     A: AUTH ann pw
     A: SUBSCRIBE news
     B: AUTH ann pw
     B: SUBSCRIBE x
     C: AUTH ann pw
     D: AUTH ann pw
     D: PSUBSCRIBE x
     Z: ACL SETUSER ann resetchannels &x
     Z: ACL SETUSER ann &y
     B: PING
     C: PING
     Z: ACL DELUSER ann
     Z: ACL SETUSER ann on >pw +ping",
    "Z: ACL SETUSER ann reset on >pw +@all ~* &*
     A: AUTH ann pw
     A: ACL DELUSER ann
     B: AUTH ann pw",
    "Z: ACL SETUSER ann reset on >pw +@all
     A: AUTH ann pw
     Z: ACL SETUSER ann off
     A: ACL WHOAMI
     B: AUTH ann pw
     Z: ACL SETUSER ann -@all
     A: ACL WHOAMI
     A: AUTH ann pw
     A: MULTI
     A: RESET
     A: PING",
    "Z: ACL SETUSER ann reset on >pw +@all
     A: AUTH ann pw
     B: AUTH ann pw
     Z: CLIENT KILL USER ann
     Z: CLIENT KILL USER ann",
    // With a password.
    "Z: CONFIG SET requirepass foo
     A: PING
     B: GET x
     B: NOSUCH
     B: GET
     B: MULTI
     B: HELLO
     B: HELLO 2 AUTH default bar
     B: HELLO 2 SETNAME x
     B: AUTH bar
     B: COMMAND COUNT
     B: AUTH foo
     B: PING
     B: RESET
     B: PING
     B: AUTH default foo
     B: PING
     Z: CONFIG GET requirepass
     Z: CONFIG SET requirepass \"\"
     C: PING",
    "Z: ACL SETUSER default off
     A: PING
     A: AUTH default x
     A: AUTH x
     Z: ACL SETUSER default on
     A: PING
     Z: ACL SETUSER default >pw
     B: PING
     B: AUTH pw
     B: PING
     Z: ACL SETUSER default nopass
     B: AUTH pw",
];

#[test]
fn a_user_may_do_what_its_rules_say() {
    stage::compare(RIGHTS);
}

#[test]
fn clients_log_in_and_lose_their_user() {
    stage::compare(CONNECTIONS);
}

/// A client that waits for a key is asked again when it could be served; 7.0 does not ask.
#[test]
fn what_a_client_waits_for_may_be_refused_meanwhile() {
    stage::check(&[r#"
        Z: ACL SETUSER ann reset on nopass ~* +@all
        A: AUTH ann x
        A: BLPOP l 0
        B: AUTH ann x
        B: BLMOVE l other LEFT LEFT 0
        Z: ACL SETUSER ann resetkeys ~l
        Z: RPUSH l x y
            to A: "*2\r\n$1\r\nl\r\n$1\r\nx\r\n"
            to B: "-NOPERM No permissions to access a key\r\n"
            to Z: ":2\r\n"
        Z: LRANGE l 0 -1
            to Z: "*1\r\n$1\r\ny\r\n"
        A: BLPOP m l 0
            to A: "-NOPERM No permissions to access a key\r\n"
        Z: DEL l
            to Z: ":1\r\n"
        A: BLPOP l 0
        Z: ACL SETUSER ann -blpop
        Z: RPUSH l x
            to A: "-NOPERM User ann has no permissions to run the 'blpop' command\r\n"
            to Z: ":1\r\n""#]);
}
