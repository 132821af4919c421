//! A client in a pseudo-terminal: keys are typed, and the screen is read as a person sees it.

use crate::common::{read_piece, send_signal, wait_for_exit, wait_until};
use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::termios::{LocalModes, tcgetattr};
use std::io::Write;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what a screen is to show.
const PATIENCE: Duration = Duration::from_secs(20);

/// The size of the terminals.
const ROWS: u16 = 60;
pub const COLUMNS: u16 = 100;

/// A program that runs in a terminal, killed when this is dropped.
pub struct Terminal {
    process: Child,
    pty: Arc<Pty>,
    display: Arc<Mutex<Display>>,
}

/// What the program has written so far.
struct Display {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    has_ended: bool,
}

impl Terminal {
    /// Starts a program in a terminal of its own, in colours.
    pub fn start(mut program: std::process::Command) -> Terminal {
        program.env_remove("NO_COLOR");
        Terminal::start_as_it_is(program)
    }

    /// Starts a program in a terminal of its own, and leaves the choice of colours to its environment.
    pub fn start_as_it_is(program: std::process::Command) -> Terminal {
        let (pty, inner) = open().expect("there are pseudo-terminals");
        pty.resize(Size::new(ROWS, COLUMNS))
            .expect("it can have a size");
        let command = Command::from(program).env("TERM", "xterm");
        let process = command.spawn(inner).expect("the program can be started");
        let display = Arc::new(Mutex::new(Display {
            parser: vt100::Parser::new(ROWS, COLUMNS, 0),
            bytes: Vec::new(),
            has_ended: false,
        }));
        let pty = Arc::new(pty);
        let (reader, shown) = (pty.clone(), display.clone());
        thread::spawn(move || {
            let mut piece = [0; 4096];
            // Reading fails when the program has closed the terminal.
            while let Ok(length @ 1..) = read_piece(&mut &*reader, &mut piece) {
                let mut display = shown.lock().expect("no thread has failed");
                display.parser.process(&piece[..length]);
                display.bytes.extend_from_slice(&piece[..length]);
            }
            shown.lock().expect("no thread has failed").has_ended = true;
        });
        Terminal {
            process,
            pty,
            display,
        }
    }

    /// Types keys.
    pub fn type_keys(&self, keys: impl AsRef<[u8]>) {
        (&*self.pty)
            .write_all(keys.as_ref())
            .expect("the terminal takes keys");
    }

    /// Types Ctrl-C when it is a signal to the program. While the program edits a line, it would be a key.
    pub fn interrupt(&self) {
        self.wait_until("signals", || {
            let mode = tcgetattr(&*self.pty).expect("a terminal has a mode");
            mode.local_modes.contains(LocalModes::ISIG)
        });
        self.type_keys("\x03");
    }

    /// Sends the program a signal by its name.
    pub fn signal(&self, name: &str) {
        send_signal(&self.process, name);
    }

    /// Types a line and Enter, and waits for the next prompt.
    pub fn type_line(&self, line: &str) {
        let row = self.cursor().0;
        self.type_keys(format!("{line}\r"));
        self.wait_for_prompt_below(row);
    }

    /// Waits for the first prompt.
    pub fn wait_for_prompt(&self) {
        self.wait_until("a prompt", || self.shows_prompt());
    }

    fn wait_for_prompt_below(&self, row: u16) {
        self.wait_until("a prompt", || self.cursor().0 > row && self.shows_prompt());
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < PATIENCE, "no {what} on\n{}", self.text());
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether the cursor stands behind a prompt, and nothing is typed.
    fn shows_prompt(&self) -> bool {
        let (row, column) = self.cursor();
        let line = self.row(row);
        line.trim_end().ends_with('>') && usize::from(column) == line.trim_end().len() + 1
    }

    /// Waits until the screen shows a text.
    pub fn wait_for(&self, text: &str) {
        self.wait_until(text, || self.text().contains(text));
    }

    /// Waits until the screen shows a text this number of times.
    pub fn wait_for_more(&self, text: &str, count: usize) {
        self.wait_until(text, || self.text().matches(text).count() >= count);
    }

    /// Waits until the screen has this number of lines.
    pub fn wait_for_lines(&self, count: usize) {
        self.wait_until("more lines", || self.text().lines().count() >= count);
    }

    /// The text on the screen.
    pub fn text(&self) -> String {
        self.display().parser.screen().contents()
    }

    /// Whether the program has written these bytes.
    pub fn has_written(&self, bytes: &[u8]) -> bool {
        let display = self.display();
        display.bytes.windows(bytes.len()).any(|part| part == bytes)
    }

    /// The text of a row.
    fn row(&self, row: u16) -> String {
        let rows: Vec<String> = self.display().parser.screen().rows(0, COLUMNS).collect();
        rows[usize::from(row)].clone()
    }

    /// The text of the row of the cursor.
    pub fn last_line(&self) -> String {
        self.row(self.cursor().0)
    }

    fn cursor(&self) -> (u16, u16) {
        self.display().parser.screen().cursor_position()
    }

    /// Waits for the end of the program. The result is everything it has written, and its status.
    pub fn wait(self) -> (Vec<u8>, Option<i32>) {
        let (bytes, status) = self.wait_for_status();
        (bytes, status.code())
    }

    /// Waits for the end of the program. The result tells, too, which signal has ended it.
    pub fn wait_for_status(mut self) -> (Vec<u8>, ExitStatus) {
        let status = wait_for_exit(&mut self.process);
        wait_until("the end of the output", || self.display().has_ended);
        (self.display().bytes.clone(), status)
    }

    fn display(&self) -> std::sync::MutexGuard<'_, Display> {
        self.display.lock().expect("no thread has failed")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
