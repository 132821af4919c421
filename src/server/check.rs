//! `my_redis_server --check`: loads the dump and the append-only file, as far as they exist, prints what each holds and
//! whether it is whole, and ends. No file is changed.

use super::append_only::location::found_folder;
use super::append_only::replay;
use super::loader;
use crate::aof::Folder;
use crate::command::execute::Engine;
use crate::keyspace::survey::Survey;
use crate::keyspace::view::View;
use crate::state::config::{Config, LogLevel};
use crate::util::clock;
use replay::Manner;
use std::fmt::Write;
use std::fs;
use std::sync::atomic::Ordering::Relaxed;

/// Checks the files that these directives mean. Prints what it finds; with `until_s`, in seconds of Unix time, what the
/// append-only file held then.
///
/// # Errors
/// The lines to print before the process ends with a failure: a file is not whole, or there is none.
pub fn check(config: Config, until_s: Option<i64>) -> Result<(), String> {
    let engine = Engine::new(config, None);
    engine.log.set_level(LogLevel::Warning);
    let dump = engine.dump_path();
    let folder = found_folder(&engine.config)?;
    if folder.is_none() && !dump.exists() {
        return Err(format!(
            "There is nothing to check: neither {} nor an append-only file",
            dump.display()
        ));
    }
    let mut faults = Vec::new();
    if dump.exists() {
        faults.extend(check_dump(&engine).err());
        empty(&engine);
    }
    if let Some(folder) = folder {
        faults.extend(check_folder(&engine, &folder, until_s).err());
    }
    match faults.is_empty() {
        true => Ok(()),
        false => Err(faults.join("\n")),
    }
}

fn check_dump(engine: &Engine) -> Result<(), String> {
    let path = engine.dump_path();
    loader::load(engine, &path)?;
    let bytes = fs::metadata(&path).map_or(0, |metadata| metadata.len());
    println!("{}: whole, {bytes} bytes", path.display());
    let expired = engine.loading.expired.load(Relaxed);
    if expired > 0 {
        println!("  {expired} keys have expired, and would be left out");
    }
    print!("{}", contents(engine));
    Ok(())
}

fn check_folder(engine: &Engine, folder: &Folder, until_s: Option<i64>) -> Result<(), String> {
    let manner = Manner {
        until_s,
        reads_only: true,
    };
    let Some(found) = replay::load(engine, folder, manner)? else {
        return Ok(());
    };
    let state = match found.cut {
        Some(_) => "cut off",
        None => "whole",
    };
    let (path, bytes) = (folder.path().display(), folder.bytes());
    println!("{path}: {state}, {bytes} bytes");
    for file in folder.manifest().files() {
        println!(
            "  {}: {} bytes",
            file.path().display(),
            folder.bytes_of(file)
        );
    }
    println!("  {} commands", found.commands);
    if let Some(last_s) = found.last_time_s {
        println!("  the last ones of {}", clock::log_time(last_s * 1000));
    }
    if found.is_later_left_out {
        println!("  there are later ones");
    }
    if found.failures > 0 {
        println!("  {} of them gave errors", found.failures);
    }
    print!("{}", contents(engine));
    match found.cut {
        None => Ok(()),
        Some((file, whole_bytes)) => Err(format!(
            "{} ends within a command or a transaction. It is whole up to byte {whole_bytes}; the server cuts it off \
             there (aof-load-truncated).",
            file.display()
        )),
    }
}

/// Lines about the keys and functions.
fn contents(engine: &Engine) -> String {
    let survey = Survey::unlocked(&engine.locks);
    let mut lines = String::new();
    for database in 0..engine.keyspace.databases() {
        let (keys, deadlines, _) = survey.count(database, clock::unix_ms());
        if keys > 0 {
            let _ = writeln!(
                lines,
                "  database {database}: {keys} keys, {deadlines} of them with an expiry"
            );
        }
    }
    let libraries = engine.scripts.libraries.table().libraries.len();
    if libraries > 0 {
        let _ = writeln!(lines, "  {libraries} function libraries");
    }
    if lines.is_empty() {
        lines.push_str("  no keys\n");
    }
    lines
}

fn empty(engine: &Engine) {
    let mut all = engine.locks.write_all(View::from(0));
    all.clear_all();
    drop(all);
    let libraries = &engine.scripts.libraries;
    libraries.flush(&libraries.hold());
}
