//! Runs a command whose locks are held already, exclusively: one that writes, or any in a transaction. And what comes
//! after every handler that was given keys. `run` and `exec` take the locks; nothing here takes or drops one.

use super::plan::Body;
use super::wait;
use crate::command::call::Call;
use crate::command::error::{CommandError, CommandResult};
use crate::command::spec::{READONLY, WRITE};
use crate::keyspace::db::{Db, Lookups, WriteDb};
use crate::keyspace::entry::Entry;
use crate::keyspace::survey::Survey;

/// Runs a command under exclusive locks, and commits what it did.
#[inline]
pub(super) fn run_locked(call: &mut Call, body: Body, db: &mut WriteDb) -> CommandResult {
    let result = match body {
        // The role changes under all locks.
        _ if call.is_refused_by_replica() => Err(CommandError::ReadOnlyReplica),
        Body::Write(handler, _) => handler(call, db),
        Body::Wait(handler) => handler(call).and_then(|wish| wait::serve_or_wait(call, db, wish)),
        Body::Read(handler, _) => handler(call, db),
        Body::NoLock(handler) => handler(call),
        Body::Survey(handler) => handler(call, &Survey::locked(db)),
        // Neither comes here: EXEC is never queued, EXEC runs scripts itself, and no script calls a script.
        Body::Exec | Body::Script(_) => Err(CommandError::NotInMulti),
    };
    db.commit(call.arguments);
    if call.server.replication.is_replica() {
        remember_deadlines(call, db);
    }
    after_handler(call, db, result)
}

/// Remembers the keys of a command that a client of a writable replica has given, if they have a deadline now.
#[cold]
fn remember_deadlines(call: &Call, db: &Db) {
    if call.session.is_replaying || !call.spec.has(WRITE) {
        return;
    }
    for key in call.keys {
        if let Some(deadline_ms) = db.look_silently(key).and_then(Entry::expires_at_ms) {
            let key = (deadline_ms, key.database(), key.bytes.into());
            call.server.replication.local_deadlines.remember(key);
        }
    }
}

/// Counts the look-ups of a command, remembers what a client that tracks has read, and refuses a command that has
/// reached for a key that was not locked for it.
#[inline]
pub(super) fn after_handler(call: &mut Call, db: &Db, result: CommandResult) -> CommandResult {
    let Lookups { hits, misses } = db.take_lookups();
    let client = call.session.client.id;
    match &mut call.session.transaction.held {
        Some(held) => held.count_lookups(hits, misses),
        None => call.server.statistics.count_lookups(client, hits, misses),
    }
    if call.session.tracks_reads() && call.spec.has(READONLY) {
        for key in call.keys {
            match &mut call.session.transaction.held {
                Some(held) => held.hold_read(key.bytes),
                None => call.server.tracking.remember(client, key.bytes),
            }
        }
    }
    if db.has_strayed() {
        return Err(CommandError::UndeclaredKey);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::COMMANDS;
    use crate::command::call::Then;
    use crate::command::execute::Engine;
    use crate::command::execute::plan::Extent;
    use crate::command::session::Session;
    use crate::keyspace::space::Key;
    use crate::keyspace::string_form::StringForm;
    use crate::keyspace::view::View;
    use crate::resp::reply::Reply;
    use crate::resp::request::LargeArguments;
    use crate::state::clients::NoLink;
    use crate::state::config::Config;
    use std::sync::Arc;

    fn session(engine: &Engine) -> Session {
        let account = engine.acl.default_account().clone();
        let client = engine.clients.unlisted(account, Arc::new(NoLink));
        Session::new(engine, &client)
    }

    /// A key in another shard than this one.
    fn far_from(key: &Key) -> Vec<u8> {
        let mut names = (0..).map(|number: usize| number.to_string().into_bytes());
        let name = names.find(|name| Key::new(0, name).shard() != key.shard());
        name.expect("some key lies in another shard")
    }

    /// Sets the key that the first argument names, whatever keys are declared.
    fn set_argument(call: &mut Call, db: &mut Db) -> CommandResult {
        let key = Key::new(0, call.argument(1));
        assert!(db.read(&key).is_none());
        db.put_string(&key, b"value", StringForm::Natural, None);
        db.changed(&key, "set", 1);
        Ok(())
    }

    #[test]
    fn a_command_that_reaches_for_a_key_it_does_not_declare_gets_an_error() {
        let engine = Engine::new(Config::default(), None);
        let mut session = session(&engine);
        let declared = Key::new(0, b"declared");
        let other = far_from(&declared);
        let mut db = engine.locks.write(View::from(0), &[declared]);
        let mut set = |name: &[u8]| {
            assert!(db.turn_to(View::from(0), &[declared]));
            let mut call = Call {
                arguments: &[b"set", name],
                keys: &[declared],
                spec: COMMANDS.find(b"set").expect("it is a command").spec,
                reply: &mut Reply::default(),
                session: &mut session,
                server: &engine,
                commands: &COMMANDS,
                large: &LargeArguments::new(),
                now_ms: 0,
                epoch: 0,
                then: Then::Nothing,
            };
            let result = run_locked(&mut call, Body::Write(set_argument, Extent::Keys), &mut db);
            result.map_err(|error| error.to_string())
        };
        let text = "ERR the command has reached for a key that it does not declare";
        assert_eq!(set(&other), Err(text.to_string()));
        // The next command under the same lock is another matter.
        assert_eq!(set(b"declared"), Ok(()));
        drop(db);
        let keys = [declared, Key::new(0, &other)];
        let db = engine.locks.read(View::from(0), &keys).unwrap();
        let are_there = keys.each_ref().map(|key| db.look_silently(key).is_some());
        assert_eq!(
            are_there,
            [true, false],
            "what it did without a lock is lost"
        );
    }
}
