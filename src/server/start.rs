//! The life of the server as a whole: start, wait, stop.

use super::append_only::rewriter::Rewriter;
use super::append_only::{location, until};
use super::listener::Listener;
use super::log_feed::LogFeed;
use super::own_files::OwnFiles;
use super::replication::{hand_over, role};
use super::sockets::Sockets;
use super::workers::Workers;
use super::{append_only, expirer, loader, reaper, saver, supervisor};
use crate::REDIS_VERSION;
use crate::command::declarations::Declarations;
use crate::command::execute::Engine;
use crate::rdb::file;
use crate::state::Server;
use crate::state::append_only::Mode;
use crate::state::config::Config;
use crate::state::pause::Purpose;
use crate::state::replication::link::Address;
use crate::state::shutdown::{SaveMode, ShutdownMode};
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};

/// Starts the server and returns when it has stopped as it should.
///
/// # Errors
/// The line to print before the process ends with a failure. Nothing has been overwritten.
pub fn run(plan: Plan) -> Result<(), String> {
    let own_files = OwnFiles::default();
    let result = run_until_stopped(plan, &own_files);
    own_files.remove();
    result
}

/// What a server is started with.
#[derive(Debug, Default)]
pub struct Plan {
    /// The directives.
    pub config: Config,
    /// The file they were read from.
    pub config_file: Option<PathBuf>,
    /// The users that they declare.
    pub declarations: Declarations,
    /// Lines for the log about them.
    pub warnings: Vec<String>,
    /// The moment whose data are shown, in seconds of Unix time: `--until`.
    pub until_s: Option<i64>,
}

fn run_until_stopped(plan: Plan, own_files: &OwnFiles) -> Result<(), String> {
    let Plan {
        config,
        config_file,
        declarations,
        warnings,
        until_s,
    } = plan;
    let server = Arc::new(Engine::new(config, config_file));
    open_log(&server)?;
    greet(&server);
    warnings
        .iter()
        .for_each(|warning| server.log.warning(warning));
    declarations.apply(&server)?;
    server.apply_initial_maxclients();
    server.apply_background_purge();
    check_dump(&server)?;
    let opened = bind(&server, own_files)?;
    clear_temporaries(&server);
    stop_on_signals(&server, own_files)?;
    let startup = server.memory_peak.measure().allocated;
    server.startup_bytes.store(startup, Relaxed);
    let accepts = accept_clients(&server, opened)?;
    let listeners = &server.keyspace.listeners;
    listeners.set_journal(server.append_only.log.clone());
    let feed = Arc::new(LogFeed::new(&server));
    server.append_only.durability.set_writer(feed.clone());
    server.replication.set_feed(feed.clone());
    let rewrites = &server.append_only.rewrites;
    rewrites.begin_as(server.config.appendonly.get() && until_s.is_none());
    let mut rewriter = Rewriter::new(&server, &feed, location::folder(&server.config)?);
    let is_loaded = match until_s {
        Some(until_s) => until::load_until(&server, until_s)?,
        None => load(&server, &mut rewriter)?,
    };
    if !is_loaded {
        server
            .log
            .warning("Stopped while loading. Redis is now ready to exit, bye bye...");
        return Ok(());
    }
    if let Some(place) = server.loading.place(server.keyspace.databases()) {
        role::resume(&feed, &place);
    }
    if let Some(primary) = Address::parse(&server.config.replicaof.get()) {
        role::begin_as_replica(&feed, primary);
    }
    // Only after the dump is loaded: loading publishes no events.
    listeners.set_audience(server.pubsub.clone());
    server.loading.end();
    spawn_keepers(&server)?;
    if server.replication.is_replica() {
        role::ensure_follower(&feed);
    }
    spawn("rewriter", move || rewriter.run())?;
    for kind in accepts {
        server
            .log
            .notice(format_args!("Ready to accept connections {kind}"));
    }
    warn_of_small_limit(&server);
    write_pid_file(&server, own_files);
    supervisor::announce_ready(&server);
    stop_when_asked(&server)?;
    supervisor::announce_stopping(&server);
    Ok(())
}

/// Loads the append-only file if it is on, else the dump; `false` if the server was requested to stop meanwhile.
fn load(server: &Engine, rewriter: &mut Rewriter) -> Result<bool, String> {
    if !server.config.appendonly.get() {
        return loader::load(server, &server.dump_path());
    }
    let is_loaded = match rewriter.open_folder()? {
        true => append_only::load(server, &rewriter.folder)?,
        false => {
            // In Redis the data of the dump would be gone.
            let line = "There is no append-only file yet. It begins with the data of the dump, if there is one.";
            server.log.notice(line);
            loader::load(server, &server.dump_path())?
        }
    };
    if is_loaded {
        let continued = rewriter.continue_loaded();
        continued.map_err(|error| format!("Can't write the append-only file: {error}"))?;
    }
    Ok(is_loaded)
}

/// A number without its unit makes a limit that nothing fits.
fn warn_of_small_limit(server: &Server) {
    const LEAST_BYTES: u64 = 1024 * 1024;
    let limit = server.memory_limit.bytes();
    if (1..LEAST_BYTES).contains(&limit) {
        server.log.warning(format_args!(
            "WARNING: You specified a maxmemory value that is less than 1MB (current value is {limit} bytes). Are you \
             sure this is what you really want?"
        ));
    }
}

fn open_log(server: &Server) -> Result<(), String> {
    server.log.set_level(server.config.log_level());
    let path = server.config.logfile.get();
    server
        .log
        .set_file(Path::new(&*path))
        .map_err(|error| format!("Can't open the log file {path}: {error}"))
}

fn greet(server: &Server) {
    server.log.notice(format_args!(
        "my_redis_server {}, compatible with Redis {REDIS_VERSION}, port {}, pid {}",
        env!("CARGO_PKG_VERSION"),
        server.config.port.get(),
        std::process::id()
    ));
}

/// Removes the unfinished dumps of servers that were killed during a save.
fn clear_temporaries(server: &Server) {
    match file::remove_stale_temporaries(&server.dump_path()) {
        Ok(0) => {}
        Ok(count) => server.log.notice(format_args!(
            "Removed {count} unfinished dumps of killed servers"
        )),
        Err(error) => server
            .log
            .warning(format_args!("Removing unfinished dumps: {error}")),
    }
}

/// Refuses a dump that is not a regular file: it could not be replaced, and opening a pipe would wait for a writer.
fn check_dump(server: &Server) -> Result<(), String> {
    let path = server.dump_path();
    let kind = match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => return Ok(()),
        Ok(metadata) => metadata.file_type(),
        Err(_) => {
            hint_at_other_dump(server, &path);
            return Ok(());
        }
    };
    let kind = match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(format!(
        "The dump {} is {kind}, not a regular file",
        path.display()
    ))
}

/// Warns in a folder in which redis-server has run: its data is not loaded.
fn hint_at_other_dump(server: &Server, path: &Path) {
    const OTHER: &str = "dump.rdb";
    if path != Path::new(OTHER) && Path::new(OTHER).exists() {
        server.log.warning(format_args!(
            "There is a {OTHER} here. It is not loaded, because the dump of this server is {}; to load it, start with \
             --dbfilename {OTHER}",
            path.display()
        ));
    }
}

/// The sockets that a server listens on from the start.
struct Opened {
    /// Each with its word of `bind` and its port.
    tcp: Vec<((String, u16), Listener)>,
    /// The path in the file system.
    unix: Option<Listener>,
}

/// Opens all sockets to listen on. As in Redis, this machine need not have an address that begins with `-`.
fn bind(server: &Server, own_files: &OwnFiles) -> Result<Opened, String> {
    let backlog = server.config.tcp_backlog.get() as i32;
    let port = server.config.port.get() as u16;
    let mut tcp = Vec::new();
    if port != 0 {
        for address in server.config.bind_addresses() {
            let listener = bind_address(&address, port, backlog)?;
            tcp.extend(listener.map(|listener| ((address, port), listener)));
        }
        if tcp.is_empty() {
            return Err(format!("There is no address to listen on at port {port}"));
        }
    }
    let path = server.config.unixsocket.get();
    let mut unix = None;
    if !path.is_empty() {
        let mode = server.config.unixsocketperm.get() as u32;
        let listener = Listener::unix(&path, mode, backlog);
        unix = Some(listener.map_err(|error| format!("Could not listen on {path}: {error}"))?);
        own_files.add(&path);
    }
    match tcp.is_empty() && unix.is_none() {
        true => Err("Configured to not listen anywhere, exiting.".to_string()),
        false => Ok(Opened { tcp, unix }),
    }
}

/// Listens on a word of `bind`; `None` if this machine has no such address, and need not have it.
///
/// # Errors
/// The line for the log.
pub(super) fn bind_address(
    address: &str,
    port: u16,
    backlog: i32,
) -> Result<Option<Listener>, String> {
    let (host, may_be_missing) = match address.strip_prefix('-') {
        Some(host) => (host, true),
        None => (address, false),
    };
    match Listener::tcp(host, port, backlog) {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if may_be_missing && error.kind() == io::ErrorKind::AddrNotAvailable => Ok(None),
        Err(error) => Err(format!("Could not listen on {host}:{port}: {error}")),
    }
}

/// Starts the listeners. Until the dump is loaded, most commands get the error `LOADING`. Returns the kinds of the
/// sockets.
fn accept_clients(server: &Arc<Engine>, opened: Opened) -> Result<Vec<&'static str>, String> {
    server.loading.begin();
    let workers = Arc::new(Workers::default());
    let mut kinds = Vec::new();
    kinds.extend(opened.tcp.first().map(|(_, listener)| listener.kind()));
    kinds.extend(opened.unix.as_ref().map(Listener::kind));
    let sockets = Arc::new(Sockets::new(server, workers.clone()));
    sockets.accept(opened.tcp)?;
    server.set_sockets(sockets);
    if let Some(listener) = opened.unix {
        let server = server.clone();
        spawn("listener", move || {
            listener.run(&server, &workers, &AtomicBool::new(false))
        })?;
    }
    let for_reaper = server.clone();
    spawn("reaper", move || reaper::run(&for_reaper))?;
    Ok(kinds)
}

/// Starts the threads that save and expire keys, which need the loaded data.
fn spawn_keepers(server: &Arc<Engine>) -> Result<(), String> {
    let for_saver = server.clone();
    spawn("saver", move || saver::run(&for_saver))?;
    if server.is_read_only.load(Relaxed) {
        return Ok(());
    }
    let for_expirer = server.clone();
    spawn("expirer", move || expirer::run(&for_expirer)).map(drop)
}

/// Starts a thread.
///
/// # Errors
/// The line for the log.
pub(super) fn spawn(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, String> {
    let spawned = thread::Builder::new().name(name.to_string()).spawn(body);
    spawned.map_err(|error| format!("Could not start the thread '{name}': {error}"))
}

/// SIGINT and SIGTERM ask the server to stop. A second SIGINT ends it at once, without a dump; SIGHUP is ignored: the
/// server outlives the terminal it was started from.
fn stop_on_signals(server: &Arc<Engine>, own_files: &OwnFiles) -> Result<(), String> {
    let failed = |error: &dyn fmt::Display| format!("Could not handle signals: {error}");
    let (for_interrupt, own_files) = (server.clone(), own_files.clone());
    let on_interrupt = move || match for_interrupt.shutdown.is_under_way() {
        false => request_shutdown(&for_interrupt, "SIGINT"),
        true => end_at_once(&for_interrupt, &own_files),
    };
    ctrlc::set_handler(on_interrupt).map_err(|error| failed(&error))?;
    let mut signals = Signals::new([SIGTERM, SIGHUP]).map_err(|error| failed(&error))?;
    let server = server.clone();
    spawn("signals", move || {
        for signal in signals.forever() {
            if signal == SIGTERM {
                request_shutdown(&server, "SIGTERM");
            }
        }
    })
    .map(drop)
}

fn request_shutdown(server: &Server, signal: &str) {
    server
        .log
        .warning(format_args!("Received {signal} scheduling shutdown..."));
    let flags = match signal {
        "SIGINT" => server.config.shutdown_on_sigint.get(),
        _ => server.config.shutdown_on_sigterm.get(),
    };
    server.shutdown.request(ShutdownMode::from_directive(flags));
}

fn end_at_once(server: &Server, own_files: &OwnFiles) {
    server.log.warning("You insist... exiting now.");
    file::abandon(&server.dump_path());
    own_files.remove();
    std::process::exit(1);
}

/// Writes `pidfile`. As in Redis, the server runs even if it cannot.
fn write_pid_file(server: &Server, own_files: &OwnFiles) {
    let path = server.config.pidfile.get();
    if path.is_empty() {
        return;
    }
    match fs::write(&*path, format!("{}\n", std::process::id())) {
        Ok(()) => own_files.add(&path),
        Err(error) => server
            .log
            .warning(format_args!("Failed to write PID file {path}: {error}")),
    }
}

/// Waits for a request to stop, writes the dump if the request or the configuration wants one, and the rest of the
/// append-only file. Returns when that is done.
///
/// # Errors
/// The server cannot go on: the reason.
fn stop_when_asked(server: &Engine) -> Result<(), String> {
    loop {
        let mode = server.shutdown.wait()?;
        let append_only_mode = server.append_only.mode();
        if append_only_mode == Mode::WaitsForBase && !mode.is_forced {
            // The data that were there when it was turned on would be lost.
            server.log.warning("Writing initial AOF, can't exit.");
            go_on(server);
            continue;
        }
        if !mode.is_now && !hand_over::wait_for_replicas(server) {
            server.log.warning("Shutdown manually aborted.");
            go_on(server);
            continue;
        }
        let saves = match mode.save {
            SaveMode::Always => true,
            SaveMode::Never => false,
            SaveMode::IfConfigured => {
                !server.config.save_points().is_empty() && !server.is_read_only.load(Relaxed)
            }
        };
        server.log.warning("User requested shutdown...");
        if saves {
            server
                .log
                .notice("Saving the final RDB snapshot before exiting.");
        }
        // SHUTDOWN NOSAVE does not wait for a save that waits for a busy script.
        let gives_up = || server.shutdown.skips_save() && server.scripts.busy.is_any();
        let is_saved = match saves {
            true => server.saves.request_final(gives_up),
            false => Some(true),
        };
        if is_saved.is_none() {
            file::abandon(&server.dump_path());
        }
        if is_saved.unwrap_or(true) || mode.is_forced {
            append_only::finish(server);
            server.log.warning("Redis is now ready to exit, bye bye...");
            return Ok(());
        }
        server
            .log
            .warning("Error trying to save the DB, can't exit.");
        go_on(server);
    }
}

/// The server does not stop: clients may write again.
fn go_on(server: &Engine) {
    let alarm = &server.keyspace.alarm;
    server.pause.end(Purpose::Shutdown, alarm);
    server.shutdown.refuse();
}
