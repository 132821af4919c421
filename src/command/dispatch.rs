//! From a request to its reply: looks the command up, takes the locks it needs, runs it, counts it.
//!
//! The only place, with `dispatch/exec.rs` for EXEC and beside the background threads of the server, where keyspace locks
//! are taken.

mod exec;

use super::call::{Call, ReplyMode, Session};
use super::error::{CommandError, CommandResult, QUOTED_BYTES, c_string};
use super::table::{
    self, Command, Handler, LOADING, MAY_REPLICATE, MODULES, NO_MULTI, PROTECTED, PUBSUB, READONLY,
    UNQUEUED, WHILE_SUBSCRIBED, WRITE,
};
use super::transaction::{self, discard_queue};
use super::{latency, monitor, slowlog, waiting};
use crate::keyspace::db::{Db, Lookups, WriteDb};
use crate::keyspace::space::{FETCHED_TOGETHER, Key, Keyspace, Place};
use crate::keyspace::survey::Survey;
use crate::keyspace::waiters::Ticket;
use crate::resp::reply::{Mark, Reply};
use crate::state::Server;
use crate::state::pause::Extent;
use crate::util::clock::{self, Stopwatch};
use smallvec::SmallVec;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

/// What the log says of HTTP.
const HTTP_WARNING: &str = "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: \
     commands to Redis. This is likely due to an attacker attempting to use Cross Protocol Scripting to compromise your \
     Redis instance. Connection aborted.";

/// Commands of one packet that may follow each other under one lock.
const MOST_UNDER_ONE_LOCK: usize = 64;

/// For more keys than this a command looks ahead: see [`Keyspace::fetch`].
const MANY_KEYS: usize = 4;

/// Keys of a command; more take an allocation.
type Keys<'a> = SmallVec<[Key<'a>; 2]>;

/// The lock that a changing command leaves to the next one of the same packet, which often changes the same key: else
/// clients that work on one key would hand its lock to and fro for each of their commands. Whoever holds this must drop
/// it before doing anything that may take time, and keeps others waiting for 64 commands at most.
#[derive(Default)]
pub struct LockInHand<'a> {
    db: Option<WriteDb<'a>>,
    commands: usize,
}

impl<'a> LockInHand<'a> {
    /// Exclusive locks on the shards of these keys: the one in hand, if it is the right one.
    fn write(
        &mut self,
        keyspace: &'a Keyspace,
        database: usize,
        keys: &[Key<'_>],
        now_ms: i64,
    ) -> &mut WriteDb<'a> {
        self.commands += 1;
        if self.commands == MOST_UNDER_ONE_LOCK {
            self.release();
            // Those who wait for it would not be as quick as this thread to take it.
            thread::yield_now();
        }
        let db = self.db.take();
        let kept = db.and_then(|mut db| db.turn_to(keys, now_ms).then_some(db));
        self.db.insert(kept.unwrap_or_else(|| {
            self.commands = 0;
            keyspace.write(database, keys, now_ms)
        }))
    }

    /// Lets the lock go.
    pub fn release(&mut self) {
        self.db = None;
    }
}

/// Carries out one request and writes its reply, unless CLIENT PAUSE postpones it. `stopwatch` was last read when the request before
/// ended.
pub fn execute<'a>(
    server: &'a Server,
    session: &mut Session,
    arguments: &[&[u8]],
    reply: &mut Reply,
    stopwatch: &mut Stopwatch,
    lock: &mut LockInHand<'a>,
) {
    let mark = reply.mark();
    let command = match find(arguments)
        .and_then(|command| check(server, session, command, arguments).map(|()| command))
    {
        Ok(command) => command,
        Err(_) if is_http(arguments[0]) => {
            lock.release();
            server.log.warning_of_clients(HTTP_WARNING);
            session.client.closes_after_reply.store(true, Relaxed);
            return;
        }
        Err(error) => {
            lock.release();
            reject(server, session, arguments, reply, error);
            return finish(session, reply, mark);
        }
    };
    session.client.last_command.store(command.number, Relaxed);
    if let Some(extent) = server.pause.at(stopwatch.now_ms())
        && has_to_wait(session, command, extent)
    {
        session.is_postponed = true;
        return;
    }
    if session.queue.is_some() && !command.spec.has(UNQUEUED) {
        lock.release();
        enqueue(session, command, arguments);
        reply.simple("QUEUED");
        return finish(session, reply, mark);
    }
    let result = run(server, session, command, arguments, reply, stopwatch, lock);
    let has_failed = result.is_err();
    conclude(server, session, command, arguments, reply, mark, result);
    note_call(server, session, command, arguments, stopwatch.lap_ns());
    if session.reply_mode != ReplyMode::On {
        // Of a transaction, what is not to be heard has been dropped command by command.
        let is_transaction = matches!(command.spec.handler, Handler::Exec) && !has_failed;
        let is_heard = is_transaction || is_about_subscriptions(command);
        finish(session, reply, if is_heard { reply.mark() } else { mark });
    }
}

/// Answers a request that cannot run.
#[cold]
fn reject(
    server: &Server,
    session: &mut Session,
    arguments: &[&[u8]],
    reply: &mut Reply,
    mut error: CommandError,
) {
    let command = find(arguments).ok();
    if let Some(queue) = &mut session.queue {
        queue.is_spoilt = true;
    }
    if let Some(exec) = command
        && matches!(exec.spec.handler, Handler::Exec)
    {
        discard_queue(session);
        unwatch(server, session);
        error = error.aborting();
        // Those who look on have seen MULTI.
        monitor::show(server, session, exec.spec, arguments);
    }
    let command = command.map(|command| command.number);
    answer_error(server, session, reply, &error, command, false);
}

/// Lets a command wait for EXEC, unless it is known already that EXEC will do nothing.
fn enqueue(session: &mut Session, command: &'static Command, arguments: &[&[u8]]) {
    if let Some(queue) = &mut session.queue
        && !queue.is_spoilt
        && !session.client.watch.is_spoilt()
    {
        queue.push(command, arguments);
        transaction::publish(session);
    }
}

/// Answers the error of a command that has failed, and shows the command to those who look on.
#[inline]
fn conclude(
    server: &Server,
    session: &Session,
    command: &Command,
    arguments: &[&[u8]],
    reply: &mut Reply,
    mark: Mark,
    result: CommandResult,
) {
    if let Err(error) = result {
        reply.take_back(mark);
        answer_error(server, session, reply, &error, Some(command.number), true);
    }
    monitor::show(server, session, command.spec, arguments);
}

/// Counts a call that has run, and logs it if it was slow.
#[inline]
fn note_call(
    server: &Server,
    session: &Session,
    command: &Command,
    arguments: &[&[u8]],
    duration_ns: u64,
) {
    let (statistics, client) = (&server.statistics, session.client.id);
    let tracks_latency = server.config.latency_tracking.get();
    statistics.note_call(client, command.number, duration_ns, tracks_latency);
    latency::note(server, command.spec, duration_ns);
    slowlog::note(server, session, command.spec, arguments, duration_ns);
}

/// Whether this begins a line of HTTP. A page in a browser can make it send a request here, with commands in its body;
/// before those are reached, the connection is closed.
fn is_http(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"post") || word.eq_ignore_ascii_case(b"host:")
}

/// The command or subcommand that a request names.
pub fn find(arguments: &[&[u8]]) -> Result<&'static Command, CommandError> {
    let name = arguments[0];
    let command = table::find(name).ok_or_else(|| unknown_command(arguments))?;
    // A container that cannot stand alone says so by its arity.
    let subcommand = match arguments.get(1) {
        Some(word) if !command.spec.subcommands().is_empty() => word,
        _ => return Ok(command),
    };
    table::find_subcommand(command.spec, subcommand).ok_or_else(|| {
        let name = c_string(subcommand);
        CommandError::UnknownSubcommand {
            container: command.spec.name.to_ascii_uppercase(),
            name: name[..name.len().min(QUOTED_BYTES)].to_vec(),
        }
    })
}

/// The keys of a request; none if the arguments contradict what the command declares. Its handler then finds the fault,
/// and has no lock.
pub fn keys<'a>(
    command: &Command,
    arguments: &[&'a [u8]],
    database: usize,
) -> SmallVec<[Key<'a>; 2]> {
    let mut keys = Keys::new();
    for spec in command.spec.keys {
        match spec.indexes(arguments) {
            Some(indexes) => keys.extend(indexes.map(|index| Key::new(database, arguments[index]))),
            None => return Keys::new(),
        }
    }
    keys
}

/// What may keep a command from running at all.
fn check(
    server: &Server,
    session: &Session,
    command: &Command,
    arguments: &[&[u8]],
) -> CommandResult {
    if !command.spec.accepts(arguments.len()) {
        return Err(CommandError::WrongArity(command.full_name()));
    }
    if command.spec.has(PROTECTED | MODULES) {
        check_permission(server, session, command)?;
    }
    if command.spec.has(NO_MULTI) && session.queue.is_some() {
        return Err(CommandError::NotInMulti);
    }
    if session.is_restricted() && !command.spec.has(WHILE_SUBSCRIBED) {
        return Err(CommandError::Subscribed(command.full_name()));
    }
    if session.monitoring.is_some() && command.spec.has(WRITE | READONLY) {
        return Err(CommandError::Monitoring);
    }
    // PING is refused too, so that health checks notice; as in Redis.
    if server.refuses_writes() && (does(session, command, WRITE) || command.spec.name == "ping") {
        return Err(CommandError::StopWrites);
    }
    if server.loading.is_under_way() && !command.spec.has(LOADING) {
        return Err(CommandError::Loading);
    }
    Ok(())
}

/// Commands for those clients alone that a directive names.
fn check_permission(server: &Server, session: &Session, command: &Command) -> CommandResult {
    let config = &server.config;
    let (permission, name, directive) = match command.spec.has(MODULES) {
        true => (
            config.enable_module_command(),
            "MODULE",
            "enable-module-command",
        ),
        false => (
            config.enable_debug_command(),
            "DEBUG",
            "enable-debug-command",
        ),
    };
    match permission.includes(session.client.is_local) {
        true => Ok(()),
        false => Err(CommandError::NotAllowed(name, directive)),
    }
}

/// Whether a command has one of these flags, itself or by what is queued.
fn does(session: &Session, command: &Command, flags: u32) -> bool {
    let queue = session.queue.as_ref();
    match command.spec.handler {
        Handler::Exec => queue.is_some_and(|queue| queue.has(flags)),
        _ => command.spec.has(flags),
    }
}

/// Whether a pause of this extent makes a command wait. As in Redis, a command that only is to be queued waits too, and under a
/// pause of all commands even CLIENT UNPAUSE does.
#[cold]
fn has_to_wait(session: &Session, command: &Command, extent: Extent) -> bool {
    extent == Extent::All || does(session, command, WRITE | MAY_REPLICATE)
}

/// Runs a command under the locks that its handler's type asks for.
fn run<'a>(
    server: &'a Server,
    session: &mut Session,
    command: &'static Command,
    arguments: &[&[u8]],
    reply: &mut Reply,
    stopwatch: &Stopwatch,
    lock: &mut LockInHand<'a>,
) -> CommandResult {
    let (database, now_ms) = (session.database, stopwatch.now_ms());
    let touches = !session.client.no_touch.load(Relaxed);
    let keyspace = &server.keyspace;
    let keys = keys(command, arguments, database);
    if keys.len() > MANY_KEYS && keyspace.is_large(&keys[0].place()) {
        let places: Vec<Place> = keys.iter().map(Key::place).collect();
        let together = places.chunks(FETCHED_TOGETHER);
        together.for_each(|places| keyspace.fetch(places));
    }
    let mut call = Call {
        arguments,
        keys: &keys,
        spec: command.spec,
        reply,
        session,
        server,
        now_ms,
    };
    let handler = handler_of(command, arguments);
    if !matches!(handler, Handler::Write(_) | Handler::Wait(_)) {
        lock.release();
    }
    match handler {
        Handler::NoLock(handler) | Handler::CallableContainer(handler, _) => handler(&mut call),
        Handler::Survey(handler) => handler(&mut call, &Survey::Unlocked(keyspace)),
        Handler::Read(read) | Handler::ReadAll(read) => {
            keyspace.remove_expired(&keys, now_ms);
            let mut db = match handler {
                Handler::Read(_) => keyspace.read(database, &keys, now_ms),
                _ => keyspace.read_all(database, now_ms),
            };
            db.set_touches(touches);
            let result = read(&mut call, &db);
            count_lookups(&call, &db);
            result
        }
        Handler::Write(_) | Handler::Wait(_) => {
            let db = lock.write(keyspace, database, &keys, now_ms);
            db.touches = touches;
            let result = run_locked(&mut call, handler, db);
            db.serve_waiters();
            result
        }
        Handler::WriteAll(_) => {
            keyspace.remove_expired(&keys, now_ms);
            let mut db = keyspace.write_all(database, now_ms);
            db.touches = touches;
            let result = run_locked(&mut call, handler, &mut db);
            db.serve_waiters();
            result
        }
        Handler::Exec => exec::exec(&mut call, stopwatch),
        Handler::ByArguments(_) | Handler::Container(_) => unreachable!("handler_of is neither"),
    }
}

/// What runs a command with these arguments.
fn handler_of(command: &Command, arguments: &[&[u8]]) -> Handler {
    match command.spec.handler {
        Handler::ByArguments(choose) => choose(arguments),
        // Its arity asks for a second word, so the command is one of its subcommands.
        Handler::Container(_) => unreachable!("a container alone is no command"),
        handler => handler,
    }
}

/// Runs a command all of whose locks are held, exclusively: one that writes, or any in a transaction.
#[inline]
fn run_locked(call: &mut Call, handler: Handler, db: &mut Db) -> CommandResult {
    let result = match handler {
        Handler::Write(handler) | Handler::WriteAll(handler) => handler(call, db),
        Handler::Wait(handler) => {
            handler(call).and_then(|wish| waiting::serve_or_wait(call, db, wish))
        }
        Handler::Read(handler) | Handler::ReadAll(handler) => handler(call, db),
        Handler::NoLock(handler) | Handler::CallableContainer(handler, _) => handler(call),
        Handler::Survey(handler) => handler(call, &Survey::Locked(db)),
        Handler::Exec => unreachable!("it is not queued"),
        Handler::ByArguments(_) | Handler::Container(_) => unreachable!("handler_of is neither"),
    };
    count_lookups(call, db);
    result
}

fn count_lookups(call: &Call, db: &Db) {
    let Lookups { hits, misses } = db.take_lookups();
    let client = call.session.client.id;
    call.server.statistics.note_lookups(client, hits, misses);
}

/// Lets a client watch no key any more. It must hold no lock.
pub fn unwatch(server: &Server, session: &mut Session) {
    if session.watched.is_empty() {
        return;
    }
    let watched = std::mem::take(&mut session.watched);
    let keys: Vec<Key> = watched.keys().collect();
    let watch = &session.client.watch;
    let mut db = server
        .keyspace
        .write(session.database, &keys, clock::unix_ms());
    db.leave_watchers(&keys, watch);
    watch.renew();
}

fn answer_error(
    server: &Server,
    session: &Session,
    reply: &mut Reply,
    error: &CommandError,
    command: Option<usize>,
    has_run: bool,
) {
    let text = error.text();
    server
        .statistics
        .note_error(session.client.id, command, has_run, &text);
    reply.error(&text);
}

/// Takes a client out of the queues of the keys that it has waited for.
pub(super) fn leave_waiters(server: &Server, database: usize, keys: &[Key<'_>], ticket: Ticket) {
    let mut db = server.keyspace.write(database, keys, clock::unix_ms());
    db.leave_waiters(keys, ticket);
}

/// Whether a command answers with what it changes about subscriptions. That is no reply: the client hears it always.
fn is_about_subscriptions(command: &Command) -> bool {
    command.spec.has(PUBSUB) && command.spec.has(WHILE_SUBSCRIBED)
}

/// Ends a request: drops the reply if the client does not want it.
fn finish(session: &mut Session, reply: &mut Reply, mark: Mark) {
    drop_unheard(session, reply, mark);
    session.reply_mode = match session.reply_mode {
        ReplyMode::SkipNext => ReplyMode::Skip,
        ReplyMode::Skip => ReplyMode::On,
        mode => mode,
    };
}

/// Takes back what was written since the mark, if the client does not want to hear it.
fn drop_unheard(session: &Session, reply: &mut Reply, mark: Mark) {
    if matches!(session.reply_mode, ReplyMode::Off | ReplyMode::Skip) {
        reply.take_back(mark);
    }
}

/// The error for a request whose first word is no command; it quotes what came.
fn unknown_command(arguments: &[&[u8]]) -> CommandError {
    let mut quoted = Vec::new();
    let (name, arguments) = arguments.split_first().expect("a request has a name");
    for argument in arguments.iter().map(|argument| c_string(argument)) {
        if quoted.len() >= QUOTED_BYTES {
            break;
        }
        let rest = QUOTED_BYTES - quoted.len();
        quoted.push(b'\'');
        quoted.extend_from_slice(&argument[..argument.len().min(rest)]);
        quoted.extend_from_slice(b"' ");
    }
    let name = c_string(name);
    let name = &name[..name.len().min(QUOTED_BYTES)];
    CommandError::UnknownCommand([b"'", name, b"', with args beginning with: ", &quoted].concat())
}
