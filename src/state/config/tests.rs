//! Tests of [`super`]: defaults, CONFIG GET, CONFIG SET, and what the command line sets.

use super::*;

/// `CONFIG GET *` of redis-server 7.0.15 started without a file, but for `dir`, and with our own values of `bind`,
/// `databases`, `dbfilename` and `save`.
#[rustfmt::skip]
const REDIS_7_0: &[(&str, &str)] = &[
    ("acl-pubsub-default", "resetchannels"),
    ("aclfile", ""),
    ("acllog-max-len", "128"),
    ("active-defrag-cycle-max", "25"),
    ("active-defrag-cycle-min", "1"),
    ("active-defrag-ignore-bytes", "104857600"),
    ("active-defrag-max-scan-fields", "1000"),
    ("active-defrag-threshold-lower", "10"),
    ("active-defrag-threshold-upper", "100"),
    ("active-expire-effort", "1"),
    ("activedefrag", "no"),
    ("activerehashing", "yes"),
    ("always-show-logo", "no"),
    ("aof-disable-auto-gc", "no"),
    ("aof-load-truncated", "yes"),
    ("aof-rewrite-incremental-fsync", "yes"),
    ("aof-timestamp-enabled", "no"),
    ("aof-use-rdb-preamble", "yes"),
    ("aof_rewrite_cpulist", ""),
    ("appenddirname", "appendonlydir"),
    ("appendfilename", "appendonly.aof"),
    ("appendfsync", "everysec"),
    ("appendonly", "no"),
    ("auto-aof-rewrite-min-size", "67108864"),
    ("auto-aof-rewrite-percentage", "100"),
    ("bgsave_cpulist", ""),
    ("bind", "127.0.0.1"),
    ("bind-source-addr", ""),
    ("bio_cpulist", ""),
    ("busy-reply-threshold", "5000"),
    ("client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"),
    ("client-query-buffer-limit", "1073741824"),
    ("cluster-allow-pubsubshard-when-down", "yes"),
    ("cluster-allow-reads-when-down", "no"),
    ("cluster-allow-replica-migration", "yes"),
    ("cluster-announce-bus-port", "0"),
    ("cluster-announce-hostname", ""),
    ("cluster-announce-ip", ""),
    ("cluster-announce-port", "0"),
    ("cluster-announce-tls-port", "0"),
    ("cluster-config-file", "nodes.conf"),
    ("cluster-enabled", "no"),
    ("cluster-link-sendbuf-limit", "0"),
    ("cluster-migration-barrier", "1"),
    ("cluster-node-timeout", "15000"),
    ("cluster-port", "0"),
    ("cluster-preferred-endpoint-type", "ip"),
    ("cluster-replica-no-failover", "no"),
    ("cluster-replica-validity-factor", "10"),
    ("cluster-require-full-coverage", "yes"),
    ("cluster-slave-no-failover", "no"),
    ("cluster-slave-validity-factor", "10"),
    ("crash-log-enabled", "yes"),
    ("crash-memcheck-enabled", "yes"),
    ("daemonize", "no"),
    ("databases", "1"),
    ("dbfilename", "dump.my_rdb"),
    ("disable-thp", "yes"),
    ("dynamic-hz", "yes"),
    ("enable-debug-command", "no"),
    ("enable-module-command", "no"),
    ("enable-protected-configs", "no"),
    ("hash-max-listpack-entries", "512"),
    ("hash-max-listpack-value", "64"),
    ("hash-max-ziplist-entries", "512"),
    ("hash-max-ziplist-value", "64"),
    ("hll-sparse-max-bytes", "3000"),
    ("hz", "10"),
    ("ignore-warnings", ""),
    ("io-threads", "1"),
    ("io-threads-do-reads", "no"),
    ("jemalloc-bg-thread", "yes"),
    ("latency-monitor-threshold", "0"),
    ("latency-tracking", "yes"),
    ("latency-tracking-info-percentiles", "50 99 99.9"),
    ("lazyfree-lazy-eviction", "no"),
    ("lazyfree-lazy-expire", "no"),
    ("lazyfree-lazy-server-del", "no"),
    ("lazyfree-lazy-user-del", "no"),
    ("lazyfree-lazy-user-flush", "no"),
    ("lfu-decay-time", "1"),
    ("lfu-log-factor", "10"),
    ("list-compress-depth", "0"),
    ("list-max-listpack-size", "-2"),
    ("list-max-ziplist-size", "-2"),
    ("logfile", ""),
    ("loglevel", "notice"),
    ("lua-time-limit", "5000"),
    ("masterauth", ""),
    ("masteruser", ""),
    ("maxclients", "10000"),
    ("maxmemory", "0"),
    ("maxmemory-clients", "0"),
    ("maxmemory-eviction-tenacity", "10"),
    ("maxmemory-policy", "noeviction"),
    ("maxmemory-samples", "5"),
    ("min-replicas-max-lag", "10"),
    ("min-replicas-to-write", "0"),
    ("min-slaves-max-lag", "10"),
    ("min-slaves-to-write", "0"),
    ("no-appendfsync-on-rewrite", "no"),
    ("notify-keyspace-events", ""),
    ("oom-score-adj", "no"),
    ("oom-score-adj-values", "0 200 800"),
    ("pidfile", ""),
    ("port", "6379"),
    ("proc-title-template", "{title} {listen-addr} {server-mode}"),
    ("propagation-error-behavior", "ignore"),
    ("protected-mode", "yes"),
    ("proto-max-bulk-len", "536870912"),
    ("rdb-del-sync-files", "no"),
    ("rdb-save-incremental-fsync", "yes"),
    ("rdbchecksum", "yes"),
    ("rdbcompression", "yes"),
    ("repl-backlog-size", "1048576"),
    ("repl-backlog-ttl", "3600"),
    ("repl-disable-tcp-nodelay", "no"),
    ("repl-diskless-load", "disabled"),
    ("repl-diskless-sync", "yes"),
    ("repl-diskless-sync-delay", "5"),
    ("repl-diskless-sync-max-replicas", "0"),
    ("repl-ping-replica-period", "10"),
    ("repl-ping-slave-period", "10"),
    ("repl-timeout", "60"),
    ("replica-announce-ip", ""),
    ("replica-announce-port", "0"),
    ("replica-announced", "yes"),
    ("replica-ignore-disk-write-errors", "no"),
    ("replica-ignore-maxmemory", "yes"),
    ("replica-lazy-flush", "no"),
    ("replica-priority", "100"),
    ("replica-read-only", "yes"),
    ("replica-serve-stale-data", "yes"),
    ("replicaof", ""),
    ("requirepass", ""),
    ("sanitize-dump-payload", "no"),
    ("save", "300 1"),
    ("server_cpulist", ""),
    ("set-max-intset-entries", "512"),
    ("set-proc-title", "yes"),
    ("shutdown-on-sigint", "default"),
    ("shutdown-on-sigterm", "default"),
    ("shutdown-timeout", "10"),
    ("slave-announce-ip", ""),
    ("slave-announce-port", "0"),
    ("slave-ignore-maxmemory", "yes"),
    ("slave-lazy-flush", "no"),
    ("slave-priority", "100"),
    ("slave-read-only", "yes"),
    ("slave-serve-stale-data", "yes"),
    ("slaveof", ""),
    ("slowlog-log-slower-than", "10000"),
    ("slowlog-max-len", "128"),
    ("socket-mark-id", "0"),
    ("stop-writes-on-bgsave-error", "yes"),
    ("stream-node-max-bytes", "4096"),
    ("stream-node-max-entries", "100"),
    ("supervised", "no"),
    ("syslog-enabled", "no"),
    ("syslog-facility", "local0"),
    ("syslog-ident", "redis"),
    ("tcp-backlog", "511"),
    ("tcp-keepalive", "300"),
    ("timeout", "0"),
    ("tls-auth-clients", "yes"),
    ("tls-ca-cert-dir", ""),
    ("tls-ca-cert-file", ""),
    ("tls-cert-file", ""),
    ("tls-ciphers", ""),
    ("tls-ciphersuites", ""),
    ("tls-client-cert-file", ""),
    ("tls-client-key-file", ""),
    ("tls-client-key-file-pass", ""),
    ("tls-cluster", "no"),
    ("tls-dh-params-file", ""),
    ("tls-key-file", ""),
    ("tls-key-file-pass", ""),
    ("tls-port", "0"),
    ("tls-prefer-server-ciphers", "no"),
    ("tls-protocols", ""),
    ("tls-replication", "no"),
    ("tls-session-cache-size", "20480"),
    ("tls-session-cache-timeout", "300"),
    ("tls-session-caching", "yes"),
    ("tracking-table-max-keys", "1000000"),
    ("unixsocket", ""),
    ("unixsocketperm", "0"),
    ("zset-max-listpack-entries", "128"),
    ("zset-max-listpack-value", "64"),
    ("zset-max-ziplist-entries", "128"),
    ("zset-max-ziplist-value", "64"),
];

/// Directives that Redis 7.2 has added.
const REDIS_7_2: &[(&str, &str)] = &[
    ("cluster-announce-human-nodename", ""),
    ("locale-collate", ""),
    ("set-max-listpack-entries", "128"),
    ("set-max-listpack-value", "64"),
];

/// The hidden directives of 7.2; one of them was not hidden in 7.0.
const HIDDEN: &[(&str, &str)] = &[
    ("aof-disable-auto-gc", "no"),
    ("enable-debug-assert", "no"),
    ("key-load-delay", "0"),
    ("loading-process-events-interval-bytes", "2097152"),
    ("rdb-key-save-delay", "0"),
    ("use-exit-on-panic", "no"),
    ("watchdog-period", "0"),
];

fn get(config: &Config, name: &str) -> String {
    let found = config.get_matching(&[name.as_bytes()]);
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    found[0].1.clone()
}

#[test]
fn every_directive_of_redis_is_there_with_its_default() {
    let config = Config::default();
    for (name, default) in REDIS_7_0.iter().chain(REDIS_7_2).chain(HIDDEN) {
        assert_eq!(get(&config, name), *default, "{name}");
    }
}

#[test]
fn there_are_no_others() {
    let config = Config::default();
    let mut expected: Vec<&str> = REDIS_7_0
        .iter()
        .chain(REDIS_7_2)
        .map(|(name, _)| *name)
        .collect();
    expected.retain(|name| HIDDEN.iter().all(|(hidden, _)| hidden != name));
    expected.push("dir");
    expected.sort();
    let mut names: Vec<String> = config
        .get_matching(&[b"*"])
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    names.sort();
    assert_eq!(names, expected);
}

#[test]
fn fields_hold_the_defaults() {
    let config = Config::default();
    assert_eq!(config.port.get(), 6379);
    assert_eq!(config.proto_max_bulk_len.get(), 536_870_912);
    assert!(config.rdbcompression.get());
    assert_eq!(&*config.dbfilename.get(), "dump.my_rdb");
    assert_eq!(config.save_points(), [(300, 1)]);
    assert_eq!(config.bind_addresses(), ["127.0.0.1"]);
    assert_eq!(config.log_level(), LogLevel::Notice);
    assert_eq!(config.enable_debug_command(), Permission::No);
}

#[test]
fn config_get_finds_what_redis_finds() {
    let config = Config::default();
    let names = |patterns: &[&str]| {
        let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        let mut names: Vec<String> = config
            .get_matching(&patterns)
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(&["MaxMemory"]), ["MaxMemory"]);
    assert_eq!(
        names(&["maxmemory", "maxmemory", "MAXMEMORY"]),
        ["maxmemory"]
    );
    assert_eq!(
        names(&["*max-*-entries*"]),
        [
            "hash-max-listpack-entries",
            "hash-max-ziplist-entries",
            "set-max-intset-entries",
            "set-max-listpack-entries",
            "zset-max-listpack-entries",
            "zset-max-ziplist-entries"
        ]
    );
    assert_eq!(names(&["use-exit-on*"]), [""; 0]);
    assert_eq!(names(&["use-exit-on-panic"]), ["use-exit-on-panic"]);
    assert_eq!(names(&["nope", "[", "max\\memory"]), [""; 0]);
}

#[test]
fn config_set_answers_what_redis_answers() {
    let config = Config::default();
    let check = |pairs: &[(&str, &str)], expected: &str| {
        let answer = config
            .set(pairs, true)
            .map(drop)
            .map_err(|error| error.to_string());
        assert_eq!(
            answer,
            if expected == "OK" {
                Ok(())
            } else {
                Err(expected.to_string())
            }
        );
    };
    let failed = |name: &str, reason: &str| {
        format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}")
    };
    check(&[("Repl-Backlog-Size", "100"), ("timeout", "5")], "OK");
    check(
        &[("nope", "1"), ("port", "6")],
        "Unknown option or number of arguments for CONFIG SET - 'nope'",
    );
    check(
        &[("dir", "/tmp"), ("nope", "1")],
        &failed("dir", "can't set protected config"),
    );
    check(
        &[("REPL-BACKLOG-SIZE", "0"), ("repl-backlog-size", "1")],
        &failed("repl-backlog-size", "duplicate parameter"),
    );
    check(
        &[("repl-backlog-size", "5"), ("TimeOut", "zz")],
        &failed("timeout", "argument couldn't be parsed into an integer"),
    );
    assert_eq!(
        (get(&config, "repl-backlog-size"), get(&config, "timeout")),
        ("100".into(), "5".into()),
        "all or nothing"
    );
    check(
        &[
            ("hash-max-ziplist-entries", "1"),
            ("hash-max-listpack-entries", "2"),
        ],
        "OK",
    );
    assert_eq!(get(&config, "hash-max-ziplist-entries"), "2");
}

#[test]
fn wrong_values_are_refused_in_the_words_of_redis() {
    let config = Config::default();
    let fails = |name: &str, value: &str, reason: &str| {
        let expected =
            format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}");
        assert_eq!(
            config.set(&[(name, value)], true).unwrap_err().to_string(),
            expected
        );
    };
    fails("databases", "3", "can't set immutable config");
    fails("replicaof", "a 1", "can't set immutable config");
    fails("dbfilename", "x", "can't set protected config");
    fails("activerehashing", "maybe", "argument must be 'yes' or 'no'");
    fails(
        "port",
        "70000",
        "argument must be between 0 and 65535 inclusive",
    );
    fails(
        "maxclients",
        "0",
        "argument must be between 1 and 4294967295 inclusive",
    );
    fails(
        "proto-max-bulk-len",
        "1",
        "argument must be between 1048576 and 9223372036854775807 inclusive",
    );
    fails(
        "proto-max-bulk-len",
        "-1",
        "argument must be a memory value",
    );
    fails(
        "maxmemory-clients",
        "101%",
        "percentage argument must be less or equal to 100",
    );
    fails(
        "maxmemory-clients",
        "9223372036854775808",
        "percentage argument must be less or equal to 100",
    );
    let loglevels =
        "argument(s) must be one of the following: debug, verbose, notice, warning, nothing";
    fails("loglevel", "loud", loglevels);
    fails("loglevel", "notice debug", loglevels);
    fails("loglevel", "", loglevels);
    let flags = "argument(s) must be one of the following: default, save, nosave, now, force";
    fails("shutdown-on-sigint", "", flags);
    fails(
        "shutdown-on-sigint",
        "save nosave",
        "shutdown options SAVE and NOSAVE can't be used simultaneously",
    );
    fails(
        "cluster-announce-hostname",
        "a_b",
        "Hostnames may only contain alphanumeric characters, hyphens or dots",
    );
    fails(
        "proc-title-template",
        "{foo}",
        "template format is invalid or contains unknown variables",
    );
    fails("save", "300  1", "Invalid save parameters");
    let hz = "argument must be between 0 and 2147483647 inclusive";
    fails("hz", "-1", hz);
    fails("hz", "2147483648", hz);
    fails(
        "tls-port",
        "6380",
        "'tls-port' is not supported by this server: the server speaks no TLS: put stunnel or another TLS proxy before \
         it",
    );
    fails("slaveof", "no one", "can't set immutable config");
}

#[test]
fn config_set_is_read_back_as_redis_shows_it() {
    let config = Config::default();
    let table = [
        ("loglevel", "NOTICE", "notice"),
        ("shutdown-on-sigint", "now force nosave", "nosave now force"),
        ("shutdown-on-sigint", "default", "default"),
        ("repl-backlog-size", "1gb", "1073741824"),
        (
            "cluster-link-sendbuf-limit",
            "99999999999999999999",
            "18446744073709551615",
        ),
        ("hz", "1000", "500"),
        ("hz", "0", "1"),
        ("save", "300 1 60 10", "300 1 60 10"),
        ("save", "", ""),
        ("bind", "127.0.0.1 ::1", "127.0.0.1 ::1"),
        ("bind", "", ""),
        ("notify-keyspace-events", "KEA", "AKE"),
        ("rdbcompression", "NO", "no"),
        ("masterauth", "a b", "a b"),
        (
            "client-output-buffer-limit",
            "normal 1mb 2kb 5",
            "normal 1048576 2048 5 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        ),
    ];
    for (name, value, shown) in table {
        assert!(
            config.set(&[(name, value)], false).is_ok(),
            "{name} {value}"
        );
        assert_eq!(get(&config, name), shown, "{name} {value}");
    }
}

#[test]
fn changes_are_named_and_can_be_undone() {
    let config = Config::default();
    let changes = config
        .set(
            &[
                ("PORT", "7000"),
                ("timeout", "0"),
                ("list-max-ziplist-size", "5"),
            ],
            false,
        )
        .unwrap();
    assert_eq!(
        changes.names().collect::<Vec<_>>(),
        ["port", "list-max-listpack-size"]
    );
    assert_eq!(config.port.get(), 7000);
    let error = config.undo(
        &changes,
        "port",
        "Unable to listen on this port. Check server logs.",
    );
    assert_eq!(
        error.to_string(),
        "CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check server logs."
    );
    assert_eq!(
        (config.port.get(), config.list_max_listpack_size.get()),
        (6379, -2)
    );
}

#[test]
fn protected_directives_need_permission() {
    let config = Config::default();
    config
        .set_initial("enable-protected-configs", &["local"])
        .unwrap();
    assert!(config.set(&[("dbfilename", "x.rdb")], false).is_err());
    assert!(config.set(&[("dbfilename", "x.rdb")], true).is_ok());
    let fails = |name: &str, value: &str, reason: &str| {
        let text = format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}");
        assert_eq!(
            config
                .set(&[("port", "1"), (name, value)], true)
                .unwrap_err()
                .to_string(),
            text
        );
        assert_eq!(config.port.get(), 6379, "all or nothing");
    };
    fails(
        "dbfilename",
        "a/b",
        "dbfilename can't be a path, just a filename",
    );
    fails("dir", "/nonexistent", "No such file or directory");
    fails("dir", "/etc/passwd", "Not a directory");
    fails("dir", "", "No such file or directory");
    assert!(config.set(&[("dir", ".")], true).is_ok());
    assert_eq!(
        get(&config, "dir"),
        std::env::current_dir().unwrap().to_str().unwrap()
    );
}

#[test]
fn initial_directives() {
    let config = Config::default();
    let check = |name: &str, arguments: &[&str], expected: Result<Option<&str>, &str>| {
        let result = config
            .set_initial(name, arguments)
            .map_err(|error| error.to_string());
        assert_eq!(
            result,
            expected
                .map(|warning| warning.map(str::to_string))
                .map_err(str::to_string)
        );
    };
    check("DATABASES", &["3"], Ok(None));
    check("tls-cluster", &["no"], Ok(None));
    check(
        "cluster-enabled",
        &["yes"],
        Err("'cluster-enabled' is not supported by this server: it is no node of a cluster"),
    );
    check(
        "rdb-del-sync-files",
        &["yes"],
        Ok(Some(
            "The directive 'rdb-del-sync-files' has no effect in this server: no dump is kept for replicas",
        )),
    );
    check("supervised", &["systemd"], Ok(None));
    check(
        "supervised",
        &["upstart"],
        Err("this server can tell systemd how it fares, but not upstart"),
    );
    check("bind", &["127.0.0.1 ::1"], Ok(None));
    check(
        "nope",
        &["1"],
        Err("Bad directive or wrong number of arguments"),
    );
    check("maxmemory", &[], Err("wrong number of arguments"));
    check("port", &["1", "2"], Err("wrong number of arguments"));
    check(
        "port",
        &["abc"],
        Err("argument couldn't be parsed into an integer"),
    );
    assert_eq!(config.databases.get(), 3);
    assert_eq!(config.bind_addresses(), ["127.0.0.1", "::1"]);
}

/// As redis-server 7.0.15 does with several `save` lines.
#[test]
fn initial_save_points_add_up() {
    let check = |lines: &[&[&str]], expected: &str| {
        let config = Config::default();
        for line in lines {
            config.set_initial("save", line).unwrap();
        }
        assert_eq!(&*config.save.get(), expected, "{lines:?}");
    };
    check(&[&["900", "1"]], "900 1");
    check(
        &[&["900", "1"], &["10", "2", "20", "3"], &["7", "7"]],
        "900 1 10 2 20 3 7 7",
    );
    check(&[&["300 1"]], "300 1");
    check(&[&[""]], "");
    check(&[&[]], "");
    check(&[&["900", "1"], &[""]], "");
    check(&[&[""], &["5", "1"]], "5 1");
}
