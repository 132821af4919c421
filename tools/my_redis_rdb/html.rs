//! A page for a browser, complete in itself: a row for each field, sections that fold.
//!
//! It is written as the walk goes, so the verdict, which is known last, stands at the end of the file; the style puts
//! it at the top. Without scripts everything can be read; with them, a line at the bottom tells more of the row under
//! the pointer, and two buttons fold and unfold all.

use std::io::{self, Write};

use my_redis_server::rdb::explain::{Field, Outcome, Place, Role, Section, Sink, type_name};

use super::explain::Document;
use super::selection::{Gap, Page, Selection};
use super::table::{grouped, quoted};
use super::text::{gap_words, hex};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const BYTES_SHOWN: usize = 16;
const TEXT_WIDTH: usize = 240;

/// Roles with their class, name, and what they are, in the order of the legend.
const ROLES: [(Role, &str, &str, &str); 17] = [
    (
        Role::Header,
        "hd",
        "header",
        "The first nine bytes: REDIS, and the version of the format in four digits.",
    ),
    (
        Role::Opcode,
        "op",
        "opcode",
        "A byte that says what comes next. Opcodes count down from 255, value types up from 0.",
    ),
    (
        Role::Type,
        "ty",
        "value type",
        "Says how the value of the key is laid out. The key comes first, then the value.",
    ),
    (
        Role::Length,
        "le",
        "length",
        "A length or a count. Its two highest bits choose the form: 00: 6 bits, 01: 14 bits, 80: 32 bits follow, \
         81: 64 bits follow, big-endian; 11: not a length but a special form of string.",
    ),
    (
        Role::Form,
        "fo",
        "special form",
        "In the place of a length: C0, C1, C2: an integer of 8, 16, 32 bits; C3: a string compressed by LZF.",
    ),
    (Role::Key, "ke", "key", "The name of a key."),
    (Role::Text, "te", "string", "The bytes of a string."),
    (
        Role::Number,
        "nu",
        "number",
        "An integer, a score or an id; little-endian, except for the ids of streams.",
    ),
    (
        Role::Time,
        "ti",
        "time",
        "Milliseconds since 1970, in very old files seconds; little-endian.",
    ),
    (
        Role::BlockHeader,
        "bh",
        "block header",
        "A packed block is a piece of Redis' memory, saved as it is. Its header holds sizes and counts, little-endian.",
    ),
    (
        Role::Encoding,
        "en",
        "encoding",
        "How an entry of a packed block is written: as text with its length, or as an integer of some size.",
    ),
    (
        Role::BackLink,
        "bl",
        "way back",
        "The size of an entry, so that a block can be walked backwards.",
    ),
    (
        Role::Compressed,
        "co",
        "compressed",
        "LZF: runs of literal bytes, and references to bytes that came before.",
    ),
    (Role::Unused, "un", "unused", "Bytes that nothing uses."),
    (Role::End, "ed", "end", "The end of a block or of all data."),
    (
        Role::Checksum,
        "ck",
        "checksum",
        "CRC-64 (Jones) of all bytes before it, little-endian.",
    ),
    (
        Role::Rest,
        "re",
        "rest",
        "Bytes behind the end, which readers ignore.",
    ),
];

fn class(role: Role) -> &'static str {
    let entry = ROLES.iter().find(|(known, ..)| *known == role);
    entry.map_or("", |(_, class, ..)| class)
}

/// Writes the page.
pub struct Html<W> {
    output: W,
    /// Says what part of the file is shown.
    limits: String,
    keys: u64,
}

impl<W: Write> Html<W> {
    pub fn new(output: W, selection: &Selection) -> Html<W> {
        Html {
            output,
            limits: limits(selection),
            keys: 0,
        }
    }

    fn offset(&mut self, place: Place) -> io::Result<()> {
        match place {
            Place::File(offset) => write!(self.output, "<i>{offset}</i>"),
            Place::Plain(offset) => write!(self.output, "<i>+{offset}</i>"),
        }
    }
}

fn limits(selection: &Selection) -> String {
    let mut parts = Vec::new();
    if let Some(keys) = selection.keys {
        parts.push(format!("the first {keys} keys of each database (--keys)"));
    }
    if let Some(items) = selection.items {
        parts.push(format!("the first {items} rows of each part (--items)"));
    }
    if selection.from > 0 {
        parts.push(format!("from offset {} on (--from)", selection.from));
    }
    if let Some(key) = &selection.key {
        let name = String::from_utf8_lossy(key);
        parts.push(format!("the key {} (--key)", escaped(&name)));
    }
    if parts.is_empty() {
        return "The whole file is shown.".to_string();
    }
    format!(
        "Shown: {}; what is left out is counted where it was.",
        parts.join(", ")
    )
}

/// Text with the letters replaced that mean something in HTML.
fn escaped(text: &str) -> String {
    let mut output = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => output.push_str("&lt;"),
            '>' => output.push_str("&gt;"),
            '&' => output.push_str("&amp;"),
            '"' => output.push_str("&quot;"),
            other => output.push(other),
        }
    }
    output
}

impl<W: Write> Sink for Html<W> {
    fn field(&mut self, field: &Field<'_>) -> io::Result<()> {
        write!(
            self.output,
            "<p class={} data-n={}>",
            class(field.role),
            field.bytes.total
        )?;
        self.offset(field.place)?;
        let shown = &field.bytes.shown[..field.bytes.shown.len().min(BYTES_SHOWN)];
        write!(self.output, "<b>{}", hex(shown))?;
        let left_out = field.bytes.total - shown.len() as u64;
        if left_out > 0 {
            write!(self.output, " <u>+{}</u>", grouped(left_out))?;
        }
        let words = field.meaning.to_string();
        write!(self.output, "</b><span>{}", escaped(&words))?;
        if let Some(text) = field.text {
            let text = escaped(&quoted(text, TEXT_WIDTH));
            write!(self.output, " <q>{text}</q>")?;
        }
        writeln!(self.output, "</span></p>")
    }

    fn enter(&mut self, place: Place, section: &Section<'_>) -> io::Result<()> {
        let (title, class, is_open) = match section {
            Section::Database(number) => (format!("database {number}"), "db", true),
            Section::Key { name, type_code } => {
                self.keys += 1;
                let name = escaped(&quoted(*name, TEXT_WIDTH));
                let kind = type_name(*type_code).0;
                // The first one shows what there is to see.
                let is_open = self.keys == 1;
                (format!("key <q>{name}</q> {kind}"), "key", is_open)
            }
            Section::Part(title) => (escaped(&title.to_string()), "part", true),
        };
        let open = if is_open { " open" } else { "" };
        write!(self.output, "<details class={class}{open}><summary>")?;
        self.offset(place)?;
        writeln!(self.output, "<b></b><span>{title}</span></summary>")
    }

    fn leave(&mut self) -> io::Result<()> {
        writeln!(self.output, "</details>")
    }
}

impl<W: Write> Page for Html<W> {
    fn left_out(&mut self, gap: &Gap) -> io::Result<()> {
        let words = gap_words(gap);
        writeln!(
            self.output,
            "<p class=gap><i>{}</i><b>…</b><span>{words}</span></p>",
            gap.from
        )
    }
}

impl<W: Write> Document for Html<W> {
    fn begin(&mut self, file: &str) -> io::Result<()> {
        let file = escaped(file);
        writeln!(
            self.output,
            "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>\
             <meta name=viewport content=\"width=device-width\">\n<title>{file}</title>\n<style>{STYLE}</style></head>"
        )?;
        writeln!(
            self.output,
            "<body><header><h1>{file}</h1><p>Every byte of this RDB file, and what it means. {}</p><div id=legend>",
            self.limits
        )?;
        for (_, class, name, says) in ROLES {
            let says = escaped(says);
            writeln!(
                self.output,
                "<button class={class} title=\"{says}\">{name}</button>"
            )?;
        }
        writeln!(
            self.output,
            "</div><div id=fold><button id=all>unfold all</button><button id=none>fold all</button></div></header>\
             \n<main><p class=head><i>offset</i><b>bytes</b><span>meaning</span></p>"
        )
    }

    fn end(&mut self, outcome: &Outcome) -> io::Result<()> {
        if let Some(fault) = &outcome.fault {
            writeln!(
                self.output,
                "<p class=fault><i>{}</i><b></b><span>{}</span></p>",
                outcome.explained,
                escaped(&fault.to_string())
            )?;
        }
        writeln!(self.output, "</main>")?;
        let (explained, rest) = (grouped(outcome.explained), grouped(outcome.rest));
        match &outcome.fault {
            Some(fault) => writeln!(
                self.output,
                "<section id=verdict class=bad><strong>{}</strong><br>{explained} bytes are explained; {rest} bytes \
                 from offset {} on are not.</section>",
                escaped(&fault.to_string()),
                outcome.explained
            )?,
            None => writeln!(
                self.output,
                "<section id=verdict>The file is good: {explained} bytes.</section>"
            )?,
        }
        writeln!(
            self.output,
            "<footer id=tip>Point at a row to learn more.</footer>\n<script>{SCRIPT}</script></body></html>"
        )
    }
}
