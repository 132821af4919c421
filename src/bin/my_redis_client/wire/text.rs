//! The lines of the wire for a terminal or a file of text.

use super::element::{Direction, Line, Part};
use crate::terminal::Style;

/// The column at which the notes begin, if the bytes leave them room.
const NOTE_COLUMN: usize = 40;

/// The width of the left one of two replies.
const LEFT_WIDTH: usize = 48;

/// Lines with an arrow in front and a note behind.
pub fn of_lines(direction: Direction, lines: &[Line], style: Style) -> String {
    let arrow = match direction {
        Direction::Sent => "->",
        Direction::Received => "<-",
    };
    let lines = lines.iter().map(|line| {
        let (bytes, width) = bytes(line, style);
        let gap = NOTE_COLUMN.saturating_sub(width).max(2);
        format!("{arrow} {bytes}{:gap$}{}\n", "", style.grey(&line.note))
    });
    lines.collect()
}

/// Two replies beside each other.
pub fn of_both(resp2: &[Line], resp3: &[Line], style: Style) -> String {
    let title = format!("{:LEFT_WIDTH$} RESP3", "RESP2");
    let mut text = format!("<- {}\n", style.bold(&title));
    for index in 0..resp2.len().max(resp3.len()) {
        let [(left, width), (right, _)] = [resp2, resp3].map(|lines| {
            let line = lines.get(index).map(|line| bytes(line, style));
            line.unwrap_or_default()
        });
        let gap = LEFT_WIDTH.saturating_sub(width) + 1;
        text += &format!("<- {left}{:gap$}{right}\n", "");
    }
    text
}

/// The bytes of an element, and how wide they are on the screen.
fn bytes(line: &Line, style: Style) -> (String, usize) {
    let indent = line.depth * 2;
    let width = line.parts.iter().map(|(_, text)| text.chars().count());
    let parts = line.parts.iter().map(|(part, text)| match part {
        Part::Type => style.bold(text),
        Part::Length => style.yellow(text),
        Part::Payload => text.clone(),
        Part::End => style.grey(text),
    });
    let parts: String = parts.collect();
    (
        format!("{:indent$}{parts}", ""),
        indent + width.sum::<usize>(),
    )
}
