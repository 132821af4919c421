//! Asks for the password, and shows an asterisk for each letter.
//!
//! The terminal itself shows nothing of what is typed, whatever its kind, and wherever the output goes. redis-cli asks
//! on the standard output; we ask on the terminal, because the output may go into a file.

use crate::terminal::complain;
use my_redis_server::util::system_message;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Write};

/// The keys that mean something.
const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const CTRL_U: u8 = 21;
const BACKSPACE: u8 = 127;
const CTRL_H: u8 = 8;
const ESCAPE: u8 = 27;

/// The password, on a terminal what the user types; `None` if there is none.
pub fn ask() -> Option<Vec<u8>> {
    if !io::stdin().is_terminal() {
        let mut line = Vec::new();
        io::stdin().lock().read_until(b'\n', &mut line).ok()?;
        return match line.strip_suffix(b"\n") {
            Some(password) => Some(password.to_vec()),
            None => Some(line).filter(|line| !line.is_empty()),
        };
    }
    match ask_on_terminal() {
        Ok(password) => password,
        Err(error) => {
            complain!(
                "The password cannot be asked for: {}",
                system_message(&error)
            );
            None
        }
    }
}

fn ask_on_terminal() -> io::Result<Option<Vec<u8>>> {
    let _quiet = Quiet::begin()?;
    let mut screen = screen();
    screen.write_all(b"Please input password: ")?;
    let password = read_password(io::stdin().lock(), &mut screen)?;
    screen.write_all(b"\r\n")?;
    Ok(password)
}

/// Where the user sees what is written.
fn screen() -> Box<dyn Write> {
    match File::options().write(true).open("/dev/tty") {
        Ok(terminal) => Box::new(terminal),
        Err(_) => Box::new(io::stderr()),
    }
}

/// Reads keys up to Enter. Ctrl-C, and Ctrl-D before anything else, mean that there is no password.
fn read_password(keys: impl BufRead, screen: &mut impl Write) -> io::Result<Option<Vec<u8>>> {
    let mut password = Vec::new();
    let mut keys = keys.bytes();
    while let Some(key) = keys.next().transpose()? {
        match key {
            b'\r' | b'\n' => return Ok(Some(password)),
            CTRL_C => return Ok(None),
            CTRL_D if password.is_empty() => return Ok(None),
            BACKSPACE | CTRL_H => remove_letter(&mut password, screen)?,
            CTRL_U => {
                while !password.is_empty() {
                    remove_letter(&mut password, screen)?;
                }
            }
            // An arrow or another key that is a sequence: it ends with its first letter or tilde behind the bracket.
            ESCAPE => {
                if matches!(keys.next().transpose()?, Some(b'[' | b'O')) {
                    while keys.next().transpose()?.is_some_and(|key| key < b'@') {}
                }
            }
            0..32 => {}
            key => {
                password.push(key);
                if !is_inside_letter(key) {
                    screen.write_all(b"*")?;
                }
            }
        }
    }
    Ok(Some(password).filter(|password| !password.is_empty()))
}

/// Whether a byte continues a letter of UTF-8.
fn is_inside_letter(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

fn remove_letter(password: &mut Vec<u8>, screen: &mut impl Write) -> io::Result<()> {
    if password.is_empty() {
        return Ok(());
    }
    while password.pop().is_some_and(is_inside_letter) {}
    screen.write_all(b"\x08 \x08")
}

/// The terminal shows nothing of what is typed, until this is dropped.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn begin() -> io::Result<Quiet> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        // Ctrl-C is a key too: as a signal it would end the program and leave the terminal as it is.
        let shown = LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        quiet.local_modes.remove(shown);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Quiet { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // There is no other way to make the terminal show what is typed.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_become_a_password() {
        let read = |keys: &[u8]| {
            let mut screen = Vec::new();
            let password = read_password(keys, &mut screen).unwrap();
            (
                password,
                screen.iter().filter(|byte| **byte == b'*').count(),
            )
        };
        let some = |text: &str, shown| (Some(text.as_bytes().to_vec()), shown);
        assert_eq!(read(b"secret\r"), some("secret", 6));
        assert_eq!(read("é\n".as_bytes()), some("é", 1));
        assert_eq!(read("aé\x7fb\r".as_bytes()), some("ab", 3));
        assert_eq!(read(b"wrong\x15right\r"), some("right", 10));
        assert_eq!(read(b"a\x1b[3~b\x1b[Dc\r"), some("abc", 3));
        assert_eq!(read(b"\r"), some("", 0));
        assert_eq!(read(b"a\x03"), (None, 1));
        assert_eq!(read(b"\x04"), (None, 0));
    }
}
