//! Directives about the process: databases, log, access, measuring, debugging.

use super::{
    Directive, INT_MAX, LONG_MAX, PERMISSION, boolean, integer, optional_text, special, text, word,
};
use crate::state::config::value::{Kind, Word};

pub(super) const TABLE: &[Directive] = &[
    // Redis: 16.
    integer("databases", 1, INT_MAX, "1")
        .immutable()
        .number(|fields| &fields.databases),
    word("loglevel", LOG_LEVEL, "notice").number(|fields| &fields.loglevel),
    text("logfile", "")
        .immutable()
        .text(|fields| &fields.logfile),
    boolean("syslog-enabled", "no")
        .immutable()
        .refused("it logs to a file or to the standard output"),
    text("syslog-ident", "redis")
        .immutable()
        .no_effect("syslog-enabled is refused"),
    word("syslog-facility", SYSLOG_FACILITY, "local0")
        .immutable()
        .no_effect("syslog-enabled is refused"),
    boolean("daemonize", "no")
        .immutable()
        .refused("let a service manager run it in the background"),
    word("supervised", SUPERVISED, "no")
        .immutable()
        .check(supervisor)
        .number(|fields| &fields.supervised),
    optional_text("pidfile")
        .immutable()
        .text(|fields| &fields.pidfile),
    boolean("always-show-logo", "no")
        .immutable()
        .no_effect("there is no logo"),
    boolean("set-proc-title", "yes")
        .immutable()
        .no_effect("the title of the process stays as it is"),
    text("proc-title-template", "{title} {listen-addr} {server-mode}")
        .check(proc_title_template)
        .no_effect("the title of the process stays as it is"),
    text("locale-collate", "")
        .check(locale)
        .no_effect("strings are compared byte by byte"),
    text("ignore-warnings", "").no_effect("no warning keeps the server from starting"),
    word("enable-protected-configs", PERMISSION, "no")
        .immutable()
        .number(|fields| &fields.enable_protected_configs),
    word("enable-debug-command", PERMISSION, "no")
        .immutable()
        .number(|fields| &fields.enable_debug_command),
    word("enable-module-command", PERMISSION, "no")
        .immutable()
        .number(|fields| &fields.enable_module_command),
    optional_text("requirepass")
        .sensitive()
        .text(|fields| &fields.requirepass),
    text("aclfile", "")
        .immutable()
        .text(|fields| &fields.aclfile),
    integer("acllog-max-len", 0, LONG_MAX, "128").number(|fields| &fields.acllog_max_len),
    word("acl-pubsub-default", ACL_PUBSUB_DEFAULT, "resetchannels")
        .number(|fields| &fields.acl_pubsub_default),
    special("notify-keyspace-events", Kind::KeyspaceEvents, "")
        .number(|fields| &fields.notify_keyspace_events),
    integer("busy-reply-threshold", 0, LONG_MAX, "5000")
        .alias("lua-time-limit")
        .number(|fields| &fields.busy_reply_threshold),
    integer("slowlog-log-slower-than", -1, LONG_MAX, "10000")
        .number(|fields| &fields.slowlog_log_slower_than),
    integer("slowlog-max-len", 0, LONG_MAX, "128").number(|fields| &fields.slowlog_max_len),
    integer("latency-monitor-threshold", 0, LONG_MAX, "0")
        .number(|fields| &fields.latency_monitor_threshold),
    boolean("latency-tracking", "yes").flag(|fields| &fields.latency_tracking),
    special(
        "latency-tracking-info-percentiles",
        Kind::Percentiles,
        "50 99 99.9",
    )
    .text(|fields| &fields.latency_tracking_info_percentiles),
    special(
        "hz",
        Kind::Hint {
            least: 1,
            most: 500,
        },
        "10",
    )
    .no_effect("threads wake when there is something to do, not at a rate"),
    boolean("dynamic-hz", "yes")
        .no_effect("threads wake when there is something to do, not at a rate"),
    integer("shutdown-timeout", 0, INT_MAX, "10").number(|fields| &fields.shutdown_timeout),
    special("shutdown-on-sigint", Kind::Flags(SHUTDOWN_FLAGS), "default")
        .check(shutdown_flags)
        .number(|fields| &fields.shutdown_on_sigint),
    special(
        "shutdown-on-sigterm",
        Kind::Flags(SHUTDOWN_FLAGS),
        "default",
    )
    .check(shutdown_flags)
    .number(|fields| &fields.shutdown_on_sigterm),
    word("oom-score-adj", OOM_SCORE_ADJ, "no").refused("set it with the service manager"),
    special("oom-score-adj-values", Kind::OomScoreAdjValues, "0 200 800")
        .no_effect("oom-score-adj is refused"),
    boolean("disable-thp", "yes")
        .immutable()
        .no_effect("the server does not fork, so that large pages do no harm"),
    optional_text("server_cpulist")
        .immutable()
        .refused("set it with taskset"),
    optional_text("bio_cpulist")
        .immutable()
        .refused("set it with taskset"),
    optional_text("aof_rewrite_cpulist")
        .immutable()
        .refused("set it with taskset"),
    optional_text("bgsave_cpulist")
        .immutable()
        .refused("set it with taskset"),
    boolean("crash-log-enabled", "yes")
        .no_effect("a panic ends one connection, and is written to the standard error"),
    boolean("crash-memcheck-enabled", "yes").no_effect("a panic leaves no broken memory"),
    boolean("use-exit-on-panic", "no")
        .hidden()
        .no_effect("it is for the developers of Redis"),
    boolean("enable-debug-assert", "no")
        .immutable()
        .hidden()
        .no_effect("it is for the developers of Redis"),
    integer("watchdog-period", 0, INT_MAX, "0")
        .hidden()
        .no_effect("it is for the developers of Redis"),
];

const LOG_LEVEL: &[Word] = &[
    ("debug", 0),
    ("verbose", 1),
    ("notice", 2),
    ("warning", 3),
    ("nothing", 4),
];
const SYSLOG_FACILITY: &[Word] = &[
    ("user", 0),
    ("local0", 1),
    ("local1", 2),
    ("local2", 3),
    ("local3", 4),
    ("local4", 5),
    ("local5", 6),
    ("local6", 7),
    ("local7", 8),
];
const SUPERVISED: &[Word] = &[("upstart", 3), ("systemd", 2), ("auto", 1), ("no", 0)];
const ACL_PUBSUB_DEFAULT: &[Word] = &[("allchannels", 1), ("resetchannels", 0)];
const SHUTDOWN_FLAGS: &[Word] = &[
    ("default", 0),
    ("save", 1),
    ("nosave", 2),
    ("now", 4),
    ("force", 8),
];
/// `relative` is shown as `yes`, because both have one meaning.
const OOM_SCORE_ADJ: &[Word] = &[("no", 0), ("yes", 1), ("relative", 1), ("absolute", 2)];

fn supervisor(name: &str) -> Result<(), &'static str> {
    match name {
        "upstart" => Err("this server can tell systemd how it fares, but not upstart"),
        _ => Ok(()),
    }
}

fn shutdown_flags(shown: &str) -> Result<(), &'static str> {
    if shown.starts_with("save nosave") {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously");
    }
    Ok(())
}

/// Accepts only the locales that compare bytes, as this server does.
fn locale(name: &str) -> Result<(), &'static str> {
    if matches!(name, "" | "C" | "POSIX" | "C.UTF-8") {
        Ok(())
    } else {
        Err("Invalid locale name")
    }
}

/// Text with names in braces; `{{` is a brace.
fn proc_title_template(template: &str) -> Result<(), &'static str> {
    const KNOWN: &[&str] = &[
        "title",
        "listen-addr",
        "server-mode",
        "port",
        "tls-port",
        "unixsocket",
        "config-file",
    ];
    let invalid = Err("template format is invalid or contains unknown variables");
    if template.is_empty() {
        return invalid;
    }
    let mut rest = template;
    while let Some((_, after_brace)) = rest.split_once('{') {
        rest = match after_brace.strip_prefix('{') {
            Some(after_escaped) => after_escaped,
            None => match after_brace.split_once('}') {
                Some((name, after_name)) if KNOWN.contains(&name) => after_name,
                _ => return invalid,
            },
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates() {
        for good in ["{title} {listen-addr} {server-mode}", "abc", "{{x}", "a}"] {
            assert!(proc_title_template(good).is_ok(), "{good}");
        }
        for bad in ["", "{", "{foo}", "{title", "{}"] {
            assert!(proc_title_template(bad).is_err(), "{bad}");
        }
    }
}
