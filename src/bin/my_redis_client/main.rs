//! The client's binary: a command, or a prompt, as redis-cli has them, and a look at the wire.
//!
//! It uses the library's protocol code, [`my_redis_server::resp`], and knows nothing of the server's insides. It works
//! with any server that speaks the protocol.
//!
//! 1. [`command_line`] reads the [`options`] and the [`target`], and [`main`] chooses the mode.
//! 2. [`session`] holds the [`connection`] and runs one command after another.
//! 3. [`output`] prints replies in a [`format`](mod@format).
//! 4. [`prompt`] reads lines, and [`modes`] scan, measure and transfer, where no single command is meant.
//! 5. [`wire`] shows the bytes; [`observer`] asks the server about a command on a second connection, for [`timing`] and
//!    [`explain`].

#![forbid(unsafe_code)]

mod address;
mod c_number;
mod command_docs;
mod command_line;
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
mod target;
mod terminal;
mod timing;
mod usage;
mod watch;
mod wire;

use command_line::Ending;
use interrupt::Interrupt;
use my_redis_server::util::system_message;
use options::Mode;
use output::Output;
use session::{Failed, Session};
use std::env;
use std::io::{self, IsTerminal, Read};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use terminal::complain;

/// The stack of the thread that runs the client. Printing, copying and dropping a reply recurse, and a hostile server
/// could nest its replies to the limit: there, this is several times what they need, without optimization too. What is
/// not used costs no memory.
const STACK_BYTES: usize = 64 << 20;

fn main() -> ExitCode {
    let client = thread::Builder::new()
        .stack_size(STACK_BYTES)
        .spawn(run_client);
    match client.map(JoinHandle::join) {
        Ok(Ok(code)) => code,
        // The thread has panicked, and told why.
        Ok(Err(_)) => ExitCode::FAILURE,
        Err(error) => {
            let reason = system_message(&error);
            complain!("The client's thread cannot be started: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run_client() -> ExitCode {
    let is_terminal = io::stdout().is_terminal();
    // Tests of programs that use redis-cli set this variable, to see what people see.
    let is_for_people = is_terminal || env::var_os("FAKETTY").is_some();
    let words = env::args_os().skip(1).collect();
    let (options, mut target) = match command_line::read(words, is_for_people) {
        Ok(read) => read,
        Err(ending) => return end(ending),
    };
    if target.password.is_some() && options.warns_of_password {
        complain!(
            "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe."
        );
    }
    if options.asks_password {
        target.password = password::ask();
    } else if target.password.is_none() {
        target.password = env::var_os("REDISCLI_AUTH").map(OsStringExt::into_vec);
    }
    let output = Output::new(options.format.clone(), is_terminal);
    let is_for_prompt = options.is_for_prompt();
    let interrupt = match is_for_prompt {
        true => interrupt_of_prompt(),
        false => None,
    };
    let mut session = Session::new(options, target, output, interrupt);
    let ended = match session.options.mode {
        Mode::Command if is_for_prompt => prompt::run(&mut session),
        Mode::Command => one_command(&mut session),
        mode => modes::run(mode, &mut session),
    };
    match ended {
        Ok(()) if !session.has_lost_page() => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
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

/// Where a person types at the prompt, Ctrl-C ends what the prompt waits for, and not the program. Where commands come
/// from a pipe, it ends the program, except that it leads from messages to the next command.
fn interrupt_of_prompt() -> Option<Arc<Interrupt>> {
    let interrupt = match io::stdin().is_terminal() {
        true => Interrupt::catch(interrupt::CTRL_C),
        false => Interrupt::catch_while_listening(),
    };
    interrupt.ok().map(Arc::new)
}

/// Runs the command of the command line.
fn one_command(session: &mut Session) -> Result<(), Failed> {
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
        let reason = system_message(&error);
        complain!("Error reading from stdin: {reason}");
        Failed
    })?;
    Ok(bytes)
}
