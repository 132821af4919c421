//! Asks for the password, and shows an asterisk for each letter.

use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Editor, Helper};
use std::borrow::Cow;
use std::io::{self, IsTerminal};

/// What the editor shows in place of a password.
struct Mask;

impl Highlighter for Mask {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        Cow::Owned("*".repeat(line.chars().count()))
    }

    fn highlight_char(&self, _: &str, _: usize, _: CmdKind) -> bool {
        true
    }
}

impl Completer for Mask {
    type Candidate = String;
}

impl Hinter for Mask {
    type Hint = String;
}

impl Validator for Mask {}

impl Helper for Mask {}

/// The password, on a terminal what the user types; `None` if there is none.
pub fn ask() -> Option<Vec<u8>> {
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().read_line(&mut line).ok()?;
        let password = line.strip_suffix('\n').map(str::to_string);
        return password.map(String::into_bytes);
    }
    let config = Config::builder().auto_add_history(false).build();
    let mut editor: Editor<Mask, MemHistory> =
        Editor::with_history(config, MemHistory::new()).ok()?;
    editor.set_helper(Some(Mask));
    let password = editor.readline("Please input password: ").ok()?;
    Some(password.into_bytes())
}
