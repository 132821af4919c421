//! How replies are printed: for people, raw for other programs, as CSV or as JSON. The texts are those of redis-cli
//! 7.0.
//!
//! ```text
//! reply            for people              raw         CSV            JSON
//! $1 a             "a"                     a           "a"            "a"
//! :5               (integer) 5             5           5              5
//! -ERR x           (error) ERR x           ERR x       ERROR,"ERR x"  error:"ERR x"
//! *2 $1 a $-1      1) "a"                  a           "a",NULL       ["a",null]
//!                  2) (nil)                (nothing)
//! %1 $1 a :1       1# "a" => (integer) 1   a 1         "a",1          {"a":1}
//! ```

mod csv;
mod json;
mod raw;

use my_redis_server::resp::decoder::Value;
use my_redis_server::resp::pretty;

pub use raw::raw;

/// The kind of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For people, with types and numbers.
    Pretty,
    /// The bytes of strings alone.
    Raw,
    /// A line of values separated by commas.
    Csv,
    /// JSON in which bytes above 127 stand as they are.
    Json,
    /// JSON of ASCII alone.
    QuotedJson,
}

/// How replies are printed.
#[derive(Clone, Debug)]
pub struct Format {
    pub kind: Kind,
    /// What stands between the elements of a raw reply.
    pub element_delimiter: Vec<u8>,
    /// What stands behind a raw reply.
    pub reply_delimiter: Vec<u8>,
}

impl Format {
    /// The text for a reply, with the end of its line.
    pub fn print(&self, value: &Value) -> Vec<u8> {
        let mut text = Vec::new();
        match self.kind {
            Kind::Pretty => return pretty::pretty(value),
            Kind::Raw => {
                raw(value, &self.element_delimiter, &mut text);
                text.extend(&self.reply_delimiter);
                return text;
            }
            Kind::Csv => csv::print(value, &mut text),
            Kind::Json => json::print(value, json::Strings::Unicode, &mut text),
            Kind::QuotedJson => json::print(value, json::Strings::Ascii, &mut text),
        }
        text.push(b'\n');
        text
    }
}
