//! A file or standard input, with a progress bar while a large one is read.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use super::Trouble;

/// Smaller files are read before anybody could look at a bar.
const LARGE_BYTES: u64 = 64 * 1024 * 1024;
const BAR_PERIOD: Duration = Duration::from_millis(200);
const BAR_WIDTH: usize = 40;

/// An input, and how much of it has been read.
pub struct Input {
    reader: Box<dyn Read>,
    read_bytes: u64,
    /// None if there is to be no bar.
    bar: Option<Bar>,
}

/// A bar on standard error, removed at the end.
struct Bar {
    size: u64,
    drawn_at: Instant,
    is_visible: bool,
}

/// Opens a file; `-` is standard input.
pub fn open(name: &str) -> Result<Input, Trouble> {
    let cannot = |error: io::Error| Trouble::Input(format!("cannot open {name}: {error}"));
    let (reader, size): (Box<dyn Read>, u64) = if name == "-" {
        (Box::new(io::stdin()), 0)
    } else {
        let file = File::open(name).map_err(cannot)?;
        let metadata = file.metadata().map_err(cannot)?;
        if metadata.is_dir() {
            return Err(Trouble::Input(format!("{name} is a directory")));
        }
        (Box::new(file), metadata.len())
    };
    let bar = (size >= LARGE_BYTES && io::stderr().is_terminal()).then(|| Bar {
        size,
        drawn_at: Instant::now(),
        is_visible: false,
    });
    Ok(Input {
        reader,
        read_bytes: 0,
        bar,
    })
}

/// What to call a file in a line of output.
pub fn shown_name(name: &str) -> &str {
    if name == "-" { "standard input" } else { name }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.reader.read(buffer)?;
        self.read_bytes += len as u64;
        if let Some(bar) = &mut self.bar
            && bar.drawn_at.elapsed() >= BAR_PERIOD
        {
            bar.draw(self.read_bytes);
        }
        Ok(len)
    }
}

impl Bar {
    fn draw(&mut self, read_bytes: u64) {
        let part = read_bytes.min(self.size) as f64 / self.size as f64;
        let filled = (part * BAR_WIDTH as f64) as usize;
        let bar = format!(
            "\r[{}{}] {:3.0} %",
            "#".repeat(filled),
            " ".repeat(BAR_WIDTH - filled),
            part * 100.0
        );
        // A terminal that is gone is no reason to stop.
        let _ = io::stderr().write_all(bar.as_bytes());
        self.drawn_at = Instant::now();
        self.is_visible = true;
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if self.is_visible {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}
