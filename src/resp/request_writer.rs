//! Writes requests: commands as they go over the wire, RESP arrays of bulk strings.
//!
//! ```text
//!   *2\r\n$3\r\nGET\r\n$1\r\nk\r\n          GET k
//! ```
//!
//! The append-only file and replicas get commands in this form. A command with very many arguments can be written piece
//! by piece: [`write_count`], then each argument by [`write_argument`].

use std::io::{self, Write};

/// Writes a command.
pub fn write_command(output: &mut impl Write, arguments: &[&[u8]]) -> io::Result<()> {
    write_count(output, arguments.len())?;
    arguments
        .iter()
        .try_for_each(|argument| write_argument(output, argument))
}

/// Begins a command: writes the number of its arguments, of which its name is one.
pub fn write_count(output: &mut impl Write, count: usize) -> io::Result<()> {
    write_header(output, b'*', count)
}

/// Writes an argument of a command.
pub fn write_argument(output: &mut impl Write, argument: &[u8]) -> io::Result<()> {
    write_header(output, b'$', argument.len())?;
    output.write_all(argument)?;
    output.write_all(b"\r\n")
}

fn write_header(output: &mut impl Write, kind: u8, number: usize) -> io::Result<()> {
    output.write_all(&[kind])?;
    output.write_all(itoa::Buffer::new().format(number).as_bytes())?;
    output.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_length_are_written() {
        for number in [0, 9, 10, 42, 99, 100, 1_234_567] {
            let mut output = Vec::new();
            write_count(&mut output, number).expect("a Vec takes everything");
            assert_eq!(output, format!("*{number}\r\n").as_bytes());
        }
    }

    #[test]
    fn arguments_may_hold_any_byte() {
        let mut output = Vec::new();
        let command: [&[u8]; 3] = [b"SET", b"", b"0123\r\n\0\xff89"];
        write_command(&mut output, &command).expect("a Vec takes everything");
        assert_eq!(
            output,
            b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$10\r\n0123\r\n\0\xff89\r\n"
        );
    }
}
