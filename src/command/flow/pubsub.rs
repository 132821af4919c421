//! Channels: <https://redis.io/commands/?group=pubsub>. Who listens is kept in [`crate::state::pubsub`].

use crate::command::acl::check;
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::*;
use crate::state::pubsub::Kind;

#[rustfmt::skip]
pub(super) const COMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "subscribe", arity: -2, handler: NoLock(subscribe),
        channels: Some(Channels::All),
        flags: flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, WHILE_SUBSCRIBED]), group: Group::PubSub, since: "2.0.0",
        syntax: "channel [channel ...]", summary: "Listens for messages published to channels.",
        complexity: "O(N) where N is the number of channels to subscribe to.", ..BASE },
    CommandSpec { name: "unsubscribe", arity: -1, handler: NoLock(unsubscribe),
        flags: flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, WHILE_SUBSCRIBED]), group: Group::PubSub, since: "2.0.0",
        syntax: "[channel [channel ...]]", summary: "Stops listening to messages posted to channels.",
        complexity: "O(N) where N is the number of channels to unsubscribe.", ..BASE },
    CommandSpec { name: "psubscribe", arity: -2, handler: NoLock(psubscribe),
        channels: Some(Channels::AllPatterns),
        flags: flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, WHILE_SUBSCRIBED]), group: Group::PubSub, since: "2.0.0",
        syntax: "pattern [pattern ...]",
        summary: "Listens for messages published to channels that match one or more patterns.",
        complexity: "O(N) where N is the number of patterns to subscribe to.", ..BASE },
    CommandSpec { name: "punsubscribe", arity: -1, handler: NoLock(punsubscribe),
        flags: flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, WHILE_SUBSCRIBED]), group: Group::PubSub, since: "2.0.0",
        syntax: "[pattern [pattern ...]]",
        summary: "Stops listening to messages published to channels that match one or more patterns.",
        complexity: "O(N) where N is the number of patterns to unsubscribe.", ..BASE },
    CommandSpec { name: "ssubscribe", arity: -2, handler: NoLock(ssubscribe), keys: &[keys(1, -1, 1, &[NOT_KEY])],
        channels: Some(Channels::All),
        flags: flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, WHILE_SUBSCRIBED]), group: Group::PubSub, since: "7.0.0",
        syntax: "shardchannel [shardchannel ...]", summary: "Listens for messages published to shard channels.",
        complexity: "O(N) where N is the number of shard channels to subscribe to.", ..BASE },
    CommandSpec { name: "sunsubscribe", arity: -1, handler: NoLock(sunsubscribe), keys: &[keys(1, -1, 1, &[NOT_KEY])],
        flags: flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, WHILE_SUBSCRIBED]), group: Group::PubSub, since: "7.0.0",
        syntax: "[shardchannel [shardchannel ...]]", summary: "Stops listening to messages posted to shard channels.",
        complexity: "O(N) where N is the number of shard channels to unsubscribe.", ..BASE },
    CommandSpec { name: "publish", arity: 3, handler: NoLock(publish),
        channels: Some(Channels::First),
        flags: flags(&[PUBSUB, LOADING, STALE, FAST, MAY_REPLICATE]), group: Group::PubSub, since: "2.0.0",
        syntax: "channel message", summary: "Posts a message to a channel.",
        complexity: "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total \
            number of subscribed patterns (by any client).", ..BASE },
    CommandSpec { name: "spublish", arity: 3, handler: NoLock(spublish), keys: &[key(1, &[NOT_KEY])],
        channels: Some(Channels::First),
        flags: flags(&[PUBSUB, LOADING, STALE, FAST, MAY_REPLICATE]), group: Group::PubSub, since: "7.0.0",
        syntax: "shardchannel message", summary: "Post a message to a shard channel",
        complexity: "O(N) where N is the number of clients subscribed to the receiving shard channel.", ..BASE },
    CommandSpec { name: "pubsub", arity: -2, handler: Container(PUBSUB_SUBCOMMANDS),
        group: Group::PubSub, since: "2.8.0",
        summary: "A container for Pub/Sub commands.", complexity: "Depends on subcommand.", ..BASE },
];

#[rustfmt::skip]
const PUBSUB_SUBCOMMANDS: &[CommandSpec] = &[
    CommandSpec { name: "channels", arity: -2, handler: NoLock(channels),
        flags: flags(&[PUBSUB, LOADING, STALE]), group: Group::PubSub, since: "2.8.0",
        syntax: "[pattern]", summary: "Returns the active channels.",
        complexity: "O(N) where N is the number of active channels, and assuming constant time pattern matching \
            (relatively short channels and patterns)", ..BASE },
    CommandSpec { name: "numsub", arity: -2, handler: NoLock(numsub),
        flags: flags(&[PUBSUB, LOADING, STALE]), group: Group::PubSub, since: "2.8.0",
        syntax: "[channel [channel ...]]", summary: "Returns a count of subscribers to channels.",
        complexity: "O(N) for the NUMSUB subcommand, where N is the number of requested channels", ..BASE },
    CommandSpec { name: "numpat", arity: 2, handler: NoLock(numpat),
        flags: flags(&[PUBSUB, LOADING, STALE]), group: Group::PubSub, since: "2.8.0",
        summary: "Returns a count of unique pattern subscriptions.", ..BASE },
    CommandSpec { name: "shardchannels", arity: -2, handler: NoLock(shard_channels),
        flags: flags(&[PUBSUB, LOADING, STALE]), group: Group::PubSub, since: "7.0.0",
        syntax: "[pattern]", summary: "Returns the active shard channels.",
        complexity: "O(N) where N is the number of active shard channels, and assuming constant time pattern matching \
            (relatively short shard channels).", ..BASE },
    CommandSpec { name: "shardnumsub", arity: -2, handler: NoLock(shard_numsub),
        flags: flags(&[PUBSUB, LOADING, STALE]), group: Group::PubSub, since: "7.0.0",
        syntax: "[shardchannel [shardchannel ...]]", summary: "Returns the count of subscribers of shard channels.",
        complexity: "O(N) for the SHARDNUMSUB subcommand, where N is the number of requested shard channels", ..BASE },
    CommandSpec { name: "help", arity: 2, handler: NoLock(pubsub_help),
        flags: flags(&[LOADING, STALE]), group: Group::PubSub, since: "6.2.0",
        summary: "Returns helpful text about the different subcommands.", ..BASE },
];

/// ```text
/// > SUBSCRIBE news
/// 1) "subscribe"
/// 2) "news"
/// 3) (integer) 1
/// > GET news
/// (error) ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this \
/// context
/// > UNSUBSCRIBE news
/// 1) "unsubscribe"
/// 2) "news"
/// 3) (integer) 0
/// ```
fn subscribe(call: &mut Call) -> CommandResult {
    subscribe_to(call, Kind::Channel)
}

/// ```text
/// > PSUBSCRIBE n*
/// 1) "psubscribe"
/// 2) "n*"
/// 3) (integer) 1
/// ```
fn psubscribe(call: &mut Call) -> CommandResult {
    subscribe_to(call, Kind::Pattern)
}

/// In a transaction it is refused: each command is to have one reply. Redis has always allowed SUBSCRIBE and PSUBSCRIBE
/// there, which are older than this rule.
///
/// ```text
/// > SSUBSCRIBE news
/// 1) "ssubscribe"
/// 2) "news"
/// 3) (integer) 1
/// ```
fn ssubscribe(call: &mut Call) -> CommandResult {
    if call.session.transaction.is_running {
        return Err(CommandError::err(
            "SSUBSCRIBE isn't allowed for a DENY BLOCKING client",
        ));
    }
    subscribe_to(call, Kind::ShardChannel)
}

fn subscribe_to(call: &mut Call, kind: Kind) -> CommandResult {
    call.session.doorbell()?;
    for name in &call.arguments[1..] {
        call.session.subscriptions.subscribe(kind, name);
        confirm(call, kind, Some(name));
    }
    // ACL SETUSER disconnects the subscribers that it finds. This client was none when the command was permitted.
    let account = call.session.account();
    if !account.may_do_all() {
        let command = call.commands.of_request(call.arguments)?;
        if check::permits(&account.user(), command, call.arguments).is_err() {
            call.session.disconnect(&call.session.client);
        }
    }
    Ok(())
}

/// ```text
/// > UNSUBSCRIBE
/// 1) "unsubscribe"
/// 2) (nil)
/// 3) (integer) 0
/// ```
fn unsubscribe(call: &mut Call) -> CommandResult {
    unsubscribe_from(call, Kind::Channel)
}

/// ```text
/// > PUNSUBSCRIBE n*
/// 1) "punsubscribe"
/// 2) "n*"
/// 3) (integer) 0
/// ```
fn punsubscribe(call: &mut Call) -> CommandResult {
    unsubscribe_from(call, Kind::Pattern)
}

/// ```text
/// > SUNSUBSCRIBE
/// 1) "sunsubscribe"
/// 2) (nil)
/// 3) (integer) 0
/// ```
fn sunsubscribe(call: &mut Call) -> CommandResult {
    unsubscribe_from(call, Kind::ShardChannel)
}

/// Ends the subscriptions of this kind: those that the request names, or all.
fn unsubscribe_from(call: &mut Call, kind: Kind) -> CommandResult {
    let all = call.session.subscriptions.names(kind);
    let names: Vec<&[u8]> = match &call.arguments[1..] {
        [] => all.iter().map(|name| &**name).collect(),
        names => names.to_vec(),
    };
    for name in &names {
        call.session.subscriptions.unsubscribe(kind, name);
        call.hear_out();
        confirm(call, kind, Some(name));
    }
    if names.is_empty() {
        confirm(call, kind, None);
    }
    Ok(())
}

/// Replies what the client has subscribed to, or no longer has, and how many subscriptions it has now.
fn confirm(call: &mut Call, kind: Kind, name: Option<&[u8]>) {
    let subscriptions = &call.session.subscriptions;
    let count = match kind {
        Kind::ShardChannel => subscriptions.count(kind),
        _ => subscriptions.count(Kind::Channel) + subscriptions.count(Kind::Pattern),
    };
    call.reply.push(3);
    call.reply.bulk(call.spec.name.as_bytes());
    call.reply.bulk_or_null(name);
    call.reply.count(count);
}

/// ```text
/// > PUBLISH news hello
/// (integer) 0
/// ```
fn publish(call: &mut Call) -> CommandResult {
    publish_to(call, Kind::Channel);
    Ok(())
}

/// ```text
/// > SPUBLISH news hello
/// (integer) 0
/// ```
fn spublish(call: &mut Call) -> CommandResult {
    publish_to(call, Kind::ShardChannel);
    Ok(())
}

/// Sends a message; what a script publishes is sent when the script has ended.
fn publish_to(call: &mut Call, kind: Kind) {
    let (channel, message) = (call.argument(1), call.argument(2));
    let pubsub = &call.server.pubsub;
    if let Some(held) = &mut call.session.transaction.held {
        held.hold(kind, channel, message);
        return call.reply.count(pubsub.receivers(kind, channel));
    }
    let receivers = match kind {
        Kind::ShardChannel => pubsub.publish_to_shard(channel, message),
        Kind::Channel | Kind::Pattern => pubsub.publish(channel, message),
    };
    call.reply.count(receivers);
    let listeners = &call.server.keyspace.listeners;
    listeners.record_for_replicas(call.session.database, call.arguments);
}

/// ```text
/// > PUBSUB CHANNELS n*
/// (empty array)
/// ```
fn channels(call: &mut Call) -> CommandResult {
    list_channels(call, Kind::Channel)
}

/// ```text
/// > PUBSUB SHARDCHANNELS n*
/// (empty array)
/// > PUBSUB SHARDCHANNELS n* m*
/// (error) ERR unknown subcommand or wrong number of arguments for 'SHARDCHANNELS'. Try PUBSUB HELP.
/// ```
fn shard_channels(call: &mut Call) -> CommandResult {
    list_channels(call, Kind::ShardChannel)
}

fn list_channels(call: &mut Call, kind: Kind) -> CommandResult {
    if call.arguments.len() > 3 {
        return Err(CommandError::misused_subcommand("PUBSUB", call.argument(1)));
    }
    let pattern = call.arguments.get(2).copied();
    let names = call.server.pubsub.names(kind, pattern);
    call.reply.array(names.len());
    names.iter().for_each(|name| call.reply.bulk(name));
    Ok(())
}

/// ```text
/// > PUBSUB NUMSUB news
/// 1) "news"
/// 2) (integer) 0
/// ```
fn numsub(call: &mut Call) -> CommandResult {
    count_subscribers(call, Kind::Channel)
}

/// ```text
/// > PUBSUB SHARDNUMSUB news
/// 1) "news"
/// 2) (integer) 0
/// ```
fn shard_numsub(call: &mut Call) -> CommandResult {
    count_subscribers(call, Kind::ShardChannel)
}

fn count_subscribers(call: &mut Call, kind: Kind) -> CommandResult {
    let names = &call.arguments[2..];
    call.reply.array(2 * names.len());
    for name in names {
        call.reply.bulk(name);
        call.reply.count(call.server.pubsub.subscribers(kind, name));
    }
    Ok(())
}

/// ```text
/// > PUBSUB NUMPAT
/// (integer) 0
/// ```
fn numpat(call: &mut Call) -> CommandResult {
    call.reply.count(call.server.pubsub.count(Kind::Pattern));
    Ok(())
}

fn pubsub_help(call: &mut Call) -> CommandResult {
    call.help(&[
        "CHANNELS [<pattern>]",
        "    Return the currently active channels matching a <pattern> (default: '*').",
        "NUMPAT",
        "    Return number of subscriptions to patterns.",
        "NUMSUB [<channel> ...]",
        "    Return the number of subscribers for the specified channels, excluding",
        "    pattern subscriptions(default: no channels).",
        "SHARDCHANNELS [<pattern>]",
        "    Return the currently active shard level channels matching a <pattern> (default: '*').",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    Return the number of subscribers for the specified shard level channel(s)",
    ]);
    Ok(())
}
