//! The client's binary: a command, or a prompt, as redis-cli has them, and a look at the wire.
//!
//! It uses the library's protocol code, [`my_redis_server::resp`], and knows nothing of the server's insides. It works
//! with any server that speaks the protocol.
//!
//! 1. [`options`] reads the command line, and [`main`] chooses the mode.
//! 2. [`session`] holds the [`connection`] and runs one command after another.
//! 3. [`output`] prints replies in a [`format`](mod@format).
//! 4. [`prompt`] reads lines, and [`modes`] scan, measure and transfer, where no single command is meant.
//! 5. [`wire`] shows the bytes; [`observer`] asks the server about a command on a second connection, for [`timing`] and
//!    [`explain`].

#![forbid(unsafe_code)]

mod address;
mod c_number;
mod command_docs;
mod connection;
mod explain;
mod format;
mod help;
mod interrupt;
mod modes;
mod observer;
mod options;
mod output;
mod password;
mod prompt;
mod session;
mod terminal;
mod timing;
mod usage;
mod watch;
mod wire;

use interrupt::Interrupt;
use options::{Ending, Mode, Options};
use output::Output;
use session::{Failed, Session};
use std::env;
use std::io::{self, IsTerminal, Read};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::sync::Arc;
use terminal::complain;

fn main() -> ExitCode {
    let is_terminal = io::stdout().is_terminal();
    // Tests of programs that use redis-cli set this variable, to see what people see.
    let is_for_people = is_terminal || env::var_os("FAKETTY").is_some();
    let words = env::args_os().skip(1).collect();
    let mut options = match Options::parse(words, is_for_people) {
        Ok(options) => options,
        Err(ending) => return end(ending),
    };
    if options.password.is_some() && options.warns_of_password {
        complain!(
            "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe."
        );
    }
    if options.asks_password {
        options.password = password::ask();
    } else if options.password.is_none() {
        options.password = env::var_os("REDISCLI_AUTH").map(OsStringExt::into_vec);
    }
    let output = Output::new(options.format.clone(), is_terminal);
    let ended = match options.mode {
        Mode::Command if options.command.is_empty() => run_prompt(options, output),
        Mode::Command => one_command(Session::new(options, output, None)),
        mode => modes::run(mode, Session::new(options, output, None)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed) => ExitCode::FAILURE,
    }
}

fn end(ending: Ending) -> ExitCode {
    match ending {
        Ending::Usage => {
            output::write_unguarded(usage::text().as_bytes());
            ExitCode::SUCCESS
        }
        Ending::Version => {
            output::line(concat!("my_redis_client ", env!("CARGO_PKG_VERSION")));
            ExitCode::SUCCESS
        }
        Ending::Refusal(line) => {
            complain!("{line}");
            ExitCode::FAILURE
        }
    }
}

/// Shows the prompt. If a person types there, Ctrl-C ends what the prompt waits for, and not the program.
fn run_prompt(mut options: Options, output: Output) -> Result<(), Failed> {
    // Errors end a command of the command line alone.
    options.errors_are_failures = false;
    let interrupt = match io::stdin().is_terminal() {
        true => Interrupt::catch(interrupt::CTRL_C).ok().map(Arc::new),
        false => None,
    };
    prompt::run(Session::new(options, output, interrupt))
}

/// Runs the command of the command line.
fn one_command(mut session: Session) -> Result<(), Failed> {
    // A server that cannot be reached is told when the command is to be sent.
    let _ = session.connect_quietly();
    let Some(mut command) = session.options.unquoted_command() else {
        output::line("Invalid quoted string");
        return Err(Failed);
    };
    if session.options.last_from_input {
        command.push(standard_input()?);
    } else if let Some(tag) = &session.options.tag_from_input {
        let Some(argument) = command.iter_mut().find(|argument| *argument == tag) else {
            complain!("Using -X option but stdin tag not match.");
            return Err(Failed);
        };
        *argument = standard_input()?;
    }
    let repeat = session.options.repeat;
    session.run(&command, repeat)
}

fn standard_input() -> Result<Vec<u8>, Failed> {
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).map_err(|error| {
        let reason = my_redis_server::util::system_message(&error);
        complain!("Error reading from stdin: {reason}");
        Failed
    })?;
    Ok(bytes)
}
