//! Aligned columns, amounts that people can read, strings that fit a line.

use std::io::{self, Write};

use my_redis_server::rdb::explain::Excerpt;
use my_redis_server::util::quoting::quote;

/// Rows of cells; the columns named in `right` are aligned to the right.
pub struct Table {
    right: &'static [usize],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(head: &[&str], right: &'static [usize]) -> Table {
        let head = head.iter().map(|cell| cell.to_string()).collect();
        Table {
            right,
            rows: vec![head],
        }
    }

    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub fn write(&self, output: &mut impl Write) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                line.push_str("  ");
                if self.right.contains(&column) {
                    line.push_str(&format!("{cell:>width$}"));
                } else {
                    line.push_str(&format!("{cell:<width$}"));
                }
            }
            writeln!(output, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// A number with a blank between its thousands.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A number and a noun: `1 key`, `2 000 keys`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// A number of bytes in three digits and a unit.
pub fn amount(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = match value {
        0.0..9.995 => 2,
        9.995..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

/// A part of a whole in percent.
pub fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", part as f64 * 100.0 / whole.max(1) as f64)
}

/// A bar for a part of a whole; what is not nothing is at least a tick.
pub fn bar(part: u64, whole: u64, width: usize) -> String {
    if part == 0 {
        return String::new();
    }
    let filled = (part as f64 * width as f64 / whole.max(1) as f64).round() as usize;
    "#".repeat(filled.max(1))
}

/// A string in quotes as redis-cli prints it, no wider than `width`; what was left out is counted behind it.
pub fn quoted(text: Excerpt<'_>, width: usize) -> String {
    let whole = quoted_prefix(text.shown, width);
    if let (quoted, true) = &whole
        && text.shown.len() as u64 == text.total
    {
        return quoted.clone();
    }
    // Room for the longest count of bytes left out.
    let note_width = format!(" and {} bytes more", text.total).len();
    let limit = width.saturating_sub(note_width).max(12);
    let mut shown = text.shown;
    let quoted = loop {
        match quoted_prefix(shown, limit) {
            (quoted, true) => break quoted,
            // Each byte takes one to four letters.
            (quoted, false) => {
                let excess = quoted.len().saturating_sub(limit).div_ceil(4).max(1);
                shown = &shown[..shown.len().min(limit).saturating_sub(excess)];
            }
        }
    };
    let left_out = text.total - shown.len() as u64;
    format!("{quoted} and {left_out} bytes more")
}

/// The quoted form of bytes, and whether it fits.
fn quoted_prefix(bytes: &[u8], width: usize) -> (String, bool) {
    // More bytes than letters cannot fit, so they need no quoting.
    let tried = &bytes[..bytes.len().min(width + 1)];
    let mut quoted = Vec::new();
    quote(tried, &mut quoted);
    let fits = tried.len() == bytes.len() && quoted.len() <= width;
    (String::from_utf8_lossy(&quoted).into_owned(), fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.00 kB"),
            (12_345, "12.3 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (5_000_000_000, "5.00 GB"),
        ] {
            assert_eq!(amount(bytes), text);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1234), "1 234");
        assert_eq!(grouped(1_234_567), "1 234 567");
    }

    #[test]
    fn long_strings_say_what_is_missing() {
        let quoted = |bytes: &[u8], width| quoted(Excerpt::of(bytes), width);
        assert_eq!(quoted(b"red", 5), r#""red""#);
        assert_eq!(quoted(b"\x00\xff", 20), r#""\x00\xff""#);
        let long = quoted(&[b'x'; 1000], 60);
        assert_eq!(long, format!("\"{}\" and 962 bytes more", "x".repeat(38)));
        let binary = quoted(&[0; 1000], 60);
        let shown = binary.matches("\\x00").count();
        assert!(binary.len() <= 60, "{binary}");
        assert!(binary.ends_with(&format!("\" and {} bytes more", 1000 - shown)));
    }
}
