//! The life of the server as a whole: start, wait, stop.

use super::listener::{self, Workers};
use super::{expirer, loader, reaper, saver};
use crate::REDIS_VERSION;
use crate::command::table;
use crate::rdb::file;
use crate::state::Server;
use crate::state::config::Config;
use crate::state::shutdown::SaveMode;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// Starts the server and returns when it has stopped as it should.
///
/// # Errors
/// The line to print before the process ends with a failure. Nothing has been overwritten.
pub fn run(
    config: Config,
    config_file: Option<PathBuf>,
    warnings: &[String],
) -> Result<(), String> {
    let server = Arc::new(Server::new(config, config_file, table::all().len()));
    open_log(&server)?;
    greet(&server);
    warnings
        .iter()
        .for_each(|warning| server.log.warning(warning));
    server.apply_initial_maxclients();
    let listeners = bind(&server)?;
    clear_temporaries(&server);
    stop_on_signals(&server)?;
    accept_clients(&server, listeners)?;
    if !loader::load(&server, &server.dump_path())? {
        server
            .log
            .warning("Stopped while loading. Redis is now ready to exit, bye bye...");
        return Ok(());
    }
    // Not before the dump is loaded: its keys are no news.
    server.keyspace.events.set_audience(server.pubsub.clone());
    spawn_keepers(&server)?;
    server.log.notice("Ready to accept connections tcp");
    stop_when_asked(&server);
    Ok(())
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
        server.port,
        std::process::id()
    ));
}

/// Removes what servers that were killed while they saved have left beside the dump.
fn clear_temporaries(server: &Server) {
    match file::remove_stale_temporaries(Path::new(".")) {
        Ok(0) => {}
        Ok(count) => server.log.notice(format_args!(
            "Removed {count} unfinished dumps of killed servers"
        )),
        Err(error) => server
            .log
            .warning(format_args!("Removing unfinished dumps: {error}")),
    }
}

/// The sockets to listen on. An address that begins with `-` may be missing on this machine, as in Redis.
fn bind(server: &Server) -> Result<Vec<TcpListener>, String> {
    let port = server.port;
    let mut listeners = Vec::new();
    for address in server.config.bind_addresses() {
        let host = address.strip_prefix('-').unwrap_or(&address);
        match listen_on(host, port) {
            Ok(listener) => listeners.push(listener),
            Err(error)
                if address.starts_with('-') && error.kind() == io::ErrorKind::AddrNotAvailable => {}
            Err(error) => return Err(format!("Could not listen on {host}:{port}: {error}")),
        }
    }
    if listeners.is_empty() {
        return Err(format!("There is no address to listen on at port {port}"));
    }
    Ok(listeners)
}

fn listen_on(host: &str, port: u16) -> io::Result<TcpListener> {
    match host {
        "*" => TcpListener::bind(("0.0.0.0", port)),
        "::*" => TcpListener::bind(("::", port)),
        host => TcpListener::bind((host, port)),
    }
}

/// From now on there is somebody to answer; until the dump is loaded, mostly that it is not.
fn accept_clients(server: &Arc<Server>, listeners: Vec<TcpListener>) -> Result<(), String> {
    server.loading.begin();
    let workers = Arc::new(Workers::default());
    for listener in listeners {
        let (server, workers) = (server.clone(), workers.clone());
        spawn("listener", move || {
            listener::listen(&server, &listener, &workers)
        })?;
    }
    let for_reaper = server.clone();
    spawn("reaper", move || reaper::run(&for_reaper))
}

/// The threads that change or save data, so not before it is there.
fn spawn_keepers(server: &Arc<Server>) -> Result<(), String> {
    let for_saver = server.clone();
    spawn("saver", move || saver::run(&for_saver))?;
    let for_expirer = server.clone();
    spawn("expirer", move || expirer::run(&for_expirer))
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let spawned = thread::Builder::new().name(name.to_string()).spawn(body);
    spawned
        .map(drop)
        .map_err(|error| format!("Could not start the thread '{name}': {error}"))
}

/// SIGINT and SIGTERM ask the server to stop; a second one changes nothing.
fn stop_on_signals(server: &Arc<Server>) -> Result<(), String> {
    let server = server.clone();
    let handler = move || {
        server.log.warning("User requested shutdown...");
        server.shutdown.request(SaveMode::IfConfigured);
    };
    ctrlc::set_handler(handler).map_err(|error| format!("Could not handle signals: {error}"))
}

/// Waits for the wish to stop, and for a dump that can be written.
fn stop_when_asked(server: &Server) {
    loop {
        let mode = server.shutdown.wait();
        let saves = match mode {
            SaveMode::Always => true,
            SaveMode::Never => false,
            SaveMode::IfConfigured => !server.config.save_points().is_empty(),
        };
        if saves {
            server
                .log
                .notice("Saving the final RDB snapshot before exiting.");
        }
        if !saves || server.saves.finish() {
            server.log.warning("Redis is now ready to exit, bye bye...");
            return;
        }
        server
            .log
            .warning("Error trying to save the DB, can't exit.");
        server.shutdown.refuse();
    }
}
