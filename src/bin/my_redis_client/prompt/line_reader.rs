//! Lines for the prompt: edited on a terminal, or read as they are from a pipe or a file, where no prompt is shown.

use super::assistant::Assistant;
use super::history::History;
use crate::command_docs::CommandDoc;
use crate::output;
use crate::session::is_secret;
use rustyline::config::CompletionType;
use rustyline::error::ReadlineError;
use rustyline::history::{History as _, MemHistory};
use rustyline::{ColorMode, Config, Editor};
use std::io::{self, BufRead, ErrorKind, IsTerminal};
use std::rc::Rc;

/// Where lines come from.
pub enum LineReader {
    /// A terminal.
    Terminal {
        /// The editor, with the history in memory: secrets too, because the user may want to correct a password.
        editor: Box<Editor<Assistant, MemHistory>>,
        /// The history on the disk.
        history: History,
    },
    /// A pipe or a file.
    Input,
}

impl LineReader {
    /// The reader of the standard input.
    pub fn new() -> LineReader {
        match io::stdin().is_terminal() {
            true => LineReader::of_terminal().unwrap_or(LineReader::Input),
            false => LineReader::Input,
        }
    }

    fn of_terminal() -> rustyline::Result<LineReader> {
        let config = Config::builder()
            .completion_type(CompletionType::Circular)
            .auto_add_history(false)
            // The assistant knows NO_COLOR. The editor would leave out what makes a hint dim, too.
            .color_mode(ColorMode::Forced)
            .build();
        let mut editor = Editor::with_history(config, MemHistory::new())?;
        editor.set_helper(Some(Assistant::default()));
        let (history, lines) = History::open();
        for line in &lines {
            editor.add_history_entry(line)?;
        }
        let editor = Box::new(editor);
        Ok(LineReader::Terminal { editor, history })
    }

    /// Whether a person types the lines.
    pub fn is_terminal(&self) -> bool {
        matches!(self, LineReader::Terminal { .. })
    }

    /// Sets what helps the user while typing.
    pub fn set_assistance(&mut self, hints: bool, docs: Rc<Vec<CommandDoc>>) {
        if let LineReader::Terminal { editor, .. } = self
            && let Some(assistant) = editor.helper_mut()
        {
            assistant.hints = hints;
            assistant.docs = docs;
        }
    }

    /// The next line, without its end; `None` if there is no more. As in redis-cli, Ctrl-C and Ctrl-D at the prompt end
    /// it.
    pub fn read(&mut self, prompt: &str) -> Option<Vec<u8>> {
        match self {
            LineReader::Terminal { editor, .. } => loop {
                if let Some(assistant) = editor.helper_mut() {
                    assistant.prompt_width = prompt.chars().count();
                }
                match editor.readline(prompt) {
                    Ok(line) => return Some(line.into_bytes()),
                    // The size of the window has changed.
                    Err(ReadlineError::Signal(_)) => {}
                    // The editor knows text alone. Other bytes can be typed as "\xff".
                    Err(ReadlineError::Io(error)) if error.kind() == ErrorKind::InvalidData => {
                        output::line("Invalid argument(s)");
                    }
                    Err(_) => return None,
                }
            },
            LineReader::Input => {
                let mut line = Vec::new();
                let read = io::stdin().lock().read_until(b'\n', &mut line);
                read.ok().filter(|length| *length > 0)?;
                Some(line.strip_suffix(b"\n").unwrap_or(&line).to_vec())
            }
        }
    }

    /// Adds a line to the history, and to its file unless the command holds a secret.
    pub fn remember(&mut self, line: &[u8], command: &[Vec<u8>]) {
        if let LineReader::Terminal { editor, history } = self {
            let line = String::from_utf8_lossy(line);
            // The history in memory takes everything.
            let _ = editor.history_mut().add(&line);
            if !is_secret(command) {
                history.append(&line);
            }
        }
    }
}
