//! What a directive of the configuration can be set to: how its words are read, checked, shown and written to a file.
//!
//! A [`Value`] is the result of reading: `1gb` and `1073741824` give one number, `YES` and `yes` one flag. All texts of
//! errors are Redis' own.

use crate::state::config::special;
use crate::util::{memory_size, number};

/// The value of one directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An integer, a number of bytes (its 64 bits are unsigned), a flag (0 or 1), a word (its number), or bits.
    Number(i64),
    /// Everything else, as CONFIG GET shows it.
    Text(String),
}

impl Value {
    /// The number. No caller asks a text for it; that would give 0.
    pub fn number(&self) -> i64 {
        match self {
            Value::Number(number) => *number,
            Value::Text(_) => 0,
        }
    }

    /// The text. No caller asks a number for it; that would give an empty text.
    pub fn text(&self) -> &str {
        match self {
            Value::Number(_) => "",
            Value::Text(text) => text,
        }
    }
}

/// A word and the number it stands for.
pub type Word = (&'static str, i64);

/// The kinds of directives.
#[derive(Clone, Copy)]
pub enum Kind {
    /// `yes` or `no`.
    Boolean,
    /// An integer between two bounds.
    Integer {
        /// The lowest.
        min: i64,
        /// The highest.
        max: i64,
    },
    /// An integer, from 0 on, that Redis takes as a hint: it is kept between these bounds.
    Hint {
        /// What a lower one becomes.
        least: i64,
        /// What a higher one becomes.
        most: i64,
    },
    /// A number of bytes between two bounds, with or without a unit.
    Memory {
        /// The lowest.
        min: u64,
        /// The highest.
        max: u64,
    },
    /// A number of bytes, or a percentage, which is kept as a negative number.
    MemoryOrPercent,
    /// Permission bits.
    Octal,
    /// One of several words.
    Word(&'static [Word]),
    /// Any number of several words. Each word stands for a bit, or for 0.
    Flags(&'static [Word]),
    /// Any text, including the empty one.
    Text,
    /// Any text. The empty text means that the directive is not set, and is never written to a file.
    OptionalText,
    /// The working directory of the process.
    Directory,
    /// `seconds changes`, any number of times.
    Save,
    /// Addresses.
    Bind,
    /// `class hard soft seconds`, any number of times.
    OutputBufferLimits,
    /// Three integers.
    OomScoreAdjValues,
    /// Letters, each a bit.
    KeyspaceEvents,
    /// `host port`, or `no one`.
    ReplicaOf,
    /// Numbers from 0 to 100.
    Percentiles,
}

impl Kind {
    /// Whether the value consists of several words, which CONFIG SET takes in one argument, separated by blanks.
    pub fn takes_several_words(self) -> bool {
        use Kind::{
            Bind, Flags, OomScoreAdjValues, OutputBufferLimits, Percentiles, ReplicaOf, Save,
        };
        matches!(
            self,
            Flags(_)
                | Save
                | Bind
                | OutputBufferLimits
                | OomScoreAdjValues
                | ReplicaOf
                | Percentiles
        )
    }

    /// The value that `words` give, or the text of an error. Parts that they do not mention are taken from `previous`.
    /// Kinds that do not take several words get exactly one.
    pub fn parse(self, words: &[&str], previous: &Value) -> Result<Value, String> {
        let first = words.first().copied().unwrap_or("");
        match self {
            Kind::Boolean => parse_boolean(first),
            Kind::Integer { min, max } => parse_integer(first, min, max),
            Kind::Hint { least, most } => parse_hint(first, least, most),
            Kind::Memory { min, max } => parse_memory(first, min, max),
            Kind::MemoryOrPercent => parse_memory_or_percent(first),
            Kind::Octal => parse_octal(first),
            Kind::Word(known) => parse_words(&[first], known),
            Kind::Flags(known) => parse_words(words, known),
            Kind::Text | Kind::OptionalText | Kind::Directory => Ok(Value::Text(first.to_string())),
            Kind::Save => special::parse_save(words),
            Kind::Bind => special::parse_bind(words),
            Kind::OutputBufferLimits => special::parse_output_buffer_limits(words, previous.text()),
            Kind::OomScoreAdjValues => special::parse_oom_score_adj_values(words),
            Kind::KeyspaceEvents => special::parse_keyspace_events(first),
            Kind::ReplicaOf => special::parse_replica_of(words),
            Kind::Percentiles => special::parse_percentiles(words),
        }
    }

    /// The value as CONFIG GET shows it.
    pub fn show(self, value: &Value) -> String {
        let number = match value {
            Value::Text(text) => return text.clone(),
            Value::Number(number) => *number,
        };
        match self {
            Kind::Boolean => if number != 0 { "yes" } else { "no" }.to_string(),
            Kind::Memory { .. } => (number as u64).to_string(),
            Kind::MemoryOrPercent if number < 0 => format!("{}%", -number),
            Kind::Octal => format!("{number:o}"),
            Kind::Word(known) => {
                let word = known.iter().find(|(_, meaning)| *meaning == number);
                word.map_or("unknown", |(word, _)| word).to_string()
            }
            Kind::Flags(known) => show_flags(number, known),
            Kind::KeyspaceEvents => special::show_keyspace_events(number as u32),
            _ => number.to_string(),
        }
    }

    /// The value as CONFIG REWRITE writes it after the name. For most kinds it is the form of CONFIG GET.
    pub fn write(self, value: &Value) -> String {
        match self {
            Kind::Memory { .. } => write_memory(value.number() as u64),
            Kind::MemoryOrPercent if value.number() >= 0 => write_memory(value.number() as u64),
            Kind::Text | Kind::OptionalText | Kind::Directory | Kind::KeyspaceEvents => {
                quoted(&self.show(value))
            }
            Kind::Bind | Kind::Percentiles if value.text().is_empty() => "\"\"".to_string(),
            _ => self.show(value),
        }
    }
}

fn parse_boolean(word: &str) -> Result<Value, String> {
    match word {
        _ if word.eq_ignore_ascii_case("yes") => Ok(Value::Number(1)),
        _ if word.eq_ignore_ascii_case("no") => Ok(Value::Number(0)),
        _ => Err("argument must be 'yes' or 'no'".to_string()),
    }
}

fn parse_integer(word: &str, min: i64, max: i64) -> Result<Value, String> {
    match number::parse_i64(word.as_bytes()) {
        None => Err("argument couldn't be parsed into an integer".to_string()),
        Some(number) if (min..=max).contains(&number) => Ok(Value::Number(number)),
        Some(_) => Err(format!(
            "argument must be between {min} and {max} inclusive"
        )),
    }
}

fn parse_hint(word: &str, least: i64, most: i64) -> Result<Value, String> {
    let asked = parse_integer(word, 0, i32::MAX.into())?;
    Ok(Value::Number(asked.number().clamp(least, most)))
}

fn parse_memory(word: &str, min: u64, max: u64) -> Result<Value, String> {
    match memory_size::parse(word.as_bytes()) {
        None => Err("argument must be a memory value".to_string()),
        Some(bytes) if (min..=max).contains(&bytes) => Ok(Value::Number(bytes as i64)),
        Some(_) => Err(format!(
            "argument must be between {min} and {max} inclusive"
        )),
    }
}

fn parse_memory_or_percent(word: &str) -> Result<Value, String> {
    let percent = || match number::parse_i64(word.strip_suffix('%')?.as_bytes())? {
        percent if percent >= 0 => Some(-percent),
        _ => None,
    };
    let number = match memory_size::parse(word.as_bytes()) {
        // As in Redis, the upper half of the range of sizes has the bits of a negative number, and counts as a
        // percentage.
        Some(bytes) => bytes as i64,
        None => percent().ok_or("argument must be a memory or percent value")?,
    };
    if number < -100 {
        return Err("percentage argument must be less or equal to 100".to_string());
    }
    Ok(Value::Number(number))
}

fn parse_octal(word: &str) -> Result<Value, String> {
    let bits = i64::from_str_radix(word, 8)
        .map_err(|_| "argument couldn't be parsed as an octal number")?;
    if !(0..=0o777).contains(&bits) {
        return Err("argument must be between 0 and 777 inclusive".to_string());
    }
    Ok(Value::Number(bits))
}

fn parse_words(words: &[&str], known: &[Word]) -> Result<Value, String> {
    let meaning = |word: &&str| {
        known
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(word))
            .map(|(_, bit)| *bit)
    };
    let meanings: Option<Vec<i64>> = words.iter().map(meaning).collect();
    match meanings {
        Some(meanings) if !meanings.is_empty() => {
            Ok(Value::Number(meanings.iter().fold(0, |all, bit| all | bit)))
        }
        _ => {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            Err(format!(
                "argument(s) must be one of the following: {}",
                names.join(", ")
            ))
        }
    }
}

fn show_flags(bits: i64, known: &[Word]) -> String {
    let is_set = |bit: i64| if bits == 0 { bit == 0 } else { bits & bit != 0 };
    let names: Vec<&str> = known
        .iter()
        .filter(|(_, bit)| is_set(*bit))
        .map(|(name, _)| *name)
        .collect();
    names.join(" ")
}

/// A number of bytes with the largest unit that leaves no fraction.
pub(super) fn write_memory(bytes: u64) -> String {
    for (unit, suffix) in [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")] {
        if bytes != 0 && bytes.is_multiple_of(unit) {
            return format!("{}{suffix}", bytes / unit);
        }
    }
    bytes.to_string()
}

fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    crate::util::quoting::quote(text.as_bytes(), &mut out);
    String::from_utf8(out).expect("what is not ASCII has been escaped")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &[Word] = &[("default", 0), ("save", 1), ("nosave", 2), ("now", 4)];

    #[track_caller]
    fn check(kind: Kind, word: &str, shown: &str, written: &str) {
        let value = kind.parse(&[word], &Value::Number(0)).unwrap();
        assert_eq!(
            (kind.show(&value).as_str(), kind.write(&value).as_str()),
            (shown, written)
        );
    }

    #[test]
    fn values_are_read_shown_and_written() {
        let memory = Kind::Memory {
            min: 0,
            max: u64::MAX,
        };
        let hint = Kind::Hint {
            least: 1,
            most: 500,
        };
        check(Kind::Boolean, "YES", "yes", "yes");
        check(Kind::Integer { min: -1, max: 9 }, "-1", "-1", "-1");
        check(hint, "0", "1", "1");
        check(hint, "77", "77", "77");
        check(hint, "1000", "500", "500");
        check(memory, "3072kb", "3145728", "3mb");
        check(memory, "1000", "1000", "1000");
        check(memory, "0", "0", "0");
        check(
            memory,
            "99999999999999999999",
            "18446744073709551615",
            "18446744073709551615",
        );
        check(Kind::MemoryOrPercent, "5%", "5%", "5%");
        check(Kind::MemoryOrPercent, "0%", "0", "0");
        check(Kind::MemoryOrPercent, "1gb", "1073741824", "1gb");
        check(Kind::Octal, "700", "700", "700");
        check(Kind::Word(WORDS), "NoSave", "nosave", "nosave");
        check(Kind::Flags(WORDS), "default", "default", "default");
        check(Kind::Text, "a \"b", "a \"b", "\"a \\\"b\"");
    }

    #[test]
    fn flags_are_shown_in_the_order_of_the_table() {
        let value = Kind::Flags(WORDS)
            .parse(&["now", "save", "NOW"], &Value::Number(0))
            .unwrap();
        assert_eq!(Kind::Flags(WORDS).show(&value), "save now");
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |kind: Kind, words: &[&str], expected: &str| {
            assert_eq!(
                kind.parse(words, &Value::Number(0)),
                Err(expected.to_string())
            );
        };
        let integer = Kind::Integer {
            min: 0,
            max: 65_535,
        };
        check(Kind::Boolean, &["1"], "argument must be 'yes' or 'no'");
        check(
            integer,
            &["+1"],
            "argument couldn't be parsed into an integer",
        );
        check(
            integer,
            &["70000"],
            "argument must be between 0 and 65535 inclusive",
        );
        check(
            Kind::Memory { min: 1, max: 9 },
            &["1tb"],
            "argument must be a memory value",
        );
        check(
            Kind::Memory { min: 1, max: 9 },
            &["0"],
            "argument must be between 1 and 9 inclusive",
        );
        check(
            Kind::MemoryOrPercent,
            &["%"],
            "argument must be a memory or percent value",
        );
        check(
            Kind::MemoryOrPercent,
            &["101%"],
            "percentage argument must be less or equal to 100",
        );
        check(
            Kind::Octal,
            &["8"],
            "argument couldn't be parsed as an octal number",
        );
        let words = "argument(s) must be one of the following: default, save, nosave, now";
        check(Kind::Word(WORDS), &["x"], words);
        check(Kind::Flags(WORDS), &["now", "x"], words);
        check(Kind::Flags(WORDS), &[], words);
    }
}
