//! What is noted about the calls of a script, until it is certain that its run counts: a run that is taken back has
//! never been, for the statistics and the monitors too.

use crate::command::admin::monitor;
use crate::command::flow::script::log;
use crate::command::registry::Command;
use crate::lua::host::LogLevel;
use crate::state::Server;

/// The notes of one run, in the order of its calls.
#[derive(Default)]
pub(super) struct Notes(Vec<Note>);

/// Something to be noted.
pub(super) enum Note {
    /// A command has run for so long.
    Call(&'static Command, u64),
    /// A command has failed, or was refused (`has_run` is false). It may be unknown.
    Error {
        command: Option<usize>,
        has_run: bool,
        text: Vec<u8>,
    },
    /// A line for the monitors: the command in this database.
    Shown(&'static Command, usize, Vec<Vec<u8>>),
    /// A line for the log.
    Logged(LogLevel, Vec<u8>),
}

impl Notes {
    pub(super) fn add(&mut self, note: Note) {
        self.0.push(note);
    }

    /// Carries them out, for the client with this number.
    pub(super) fn carry_out(&mut self, server: &Server, client: u64) {
        self.0
            .drain(..)
            .for_each(|note| note.carry_out(server, client));
    }
}

impl Note {
    /// Carries it out at once.
    pub(super) fn carry_out(self, server: &Server, client: u64) {
        let statistics = &server.statistics;
        match self {
            Note::Call(command, duration_ns) => {
                let tracks_latency = server.config.latency_tracking.get();
                statistics.count_call(client, command.number, duration_ns, tracks_latency);
            }
            Note::Error {
                command,
                has_run,
                text,
            } => statistics.count_error(client, command, has_run, &text),
            Note::Shown(command, database, arguments) => {
                let arguments: Vec<&[u8]> =
                    arguments.iter().map(|argument| &argument[..]).collect();
                monitor::show_of_script(server, database, command.spec, &arguments);
            }
            Note::Logged(level, text) => log(server, level, &text),
        }
    }
}
