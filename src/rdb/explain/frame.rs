//! The walker, and the frame of a file: header, opcodes, keys, end and checksum. The counterpart in the reader is
//! `reader`.

use std::fmt;
use std::io::{self, Read};

use super::super::error::RdbError;
use super::super::format::{MAGIC, VERSION_WITH_CHECKSUM, opcode};
use super::super::function::library_name;
use super::super::reader::header_version;
use super::super::source::{Source, WINDOW_SIZE};
use super::super::value as values;
use super::names::{opcode_name, type_name, writers_of};
use super::text::StringForm;
use super::{
    Excerpt, Field, KeyFacts, ModuleData, Outcome, Place, Role, Section, Sink, Stop, Walk,
};
use crate::util::clock;

/// Goes through a file once.
pub(super) struct Walker<'s, R, S> {
    pub(super) source: Source<R>,
    pub(super) sink: &'s mut S,
    /// The number of bytes that fields have covered.
    explained: u64,
    /// Sections that are open.
    depth: usize,
    /// The section of a database that is open.
    database: Option<u64>,
    /// Fields that wait for their section, whose title is known only after them.
    held: Vec<HeldField>,
    is_holding: bool,
    /// The facts about the next key, or about the present one.
    pub(super) key: KeyState,
    /// Memory for the pieces of long strings.
    pub(super) piece: Vec<u8>,
}

/// A field with bytes and words of its own.
struct HeldField {
    place: Place,
    bytes: Vec<u8>,
    total: u64,
    role: Role,
    meaning: String,
    text: Option<(Vec<u8>, u64)>,
}

/// The facts from which the `KeyFacts` are made.
#[derive(Default)]
pub(super) struct KeyState {
    begins_at: Option<u64>,
    expires_at_ms: Option<i64>,
    pub(super) elements: u64,
    pub(super) string_form: Option<StringForm>,
}

impl<'s, R: Read, S: Sink> Walker<'s, R, S> {
    pub(super) fn new(input: R, sink: &'s mut S) -> Walker<'s, R, S> {
        Walker {
            source: Source::new(input, WINDOW_SIZE),
            sink,
            explained: 0,
            depth: 0,
            database: None,
            held: Vec::new(),
            is_holding: false,
            key: KeyState::default(),
            piece: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> io::Result<Outcome> {
        let mut fault = match self.file() {
            Ok(()) => None,
            Err(Stop::Fault(error)) => Some(error),
            Err(Stop::Sink(error)) => return Err(error),
        };
        self.release()?;
        while self.depth > 0 {
            self.leave()?;
        }
        let consumed = self.source.offset();
        let mut input = self.source.into_rest();
        let mut first = Vec::new();
        let read = (&mut input)
            .take(super::EXCERPT_LEN as u64)
            .read_to_end(&mut first)
            .and_then(|len| Ok(len as u64 + io::copy(&mut input, &mut io::sink())?));
        let rest = match read {
            Ok(count) => consumed - self.explained + count,
            Err(error) => {
                let offset = consumed;
                fault.get_or_insert(RdbError::Io { offset, error });
                consumed - self.explained
            }
        };
        if fault.is_none() && rest > 0 {
            self.sink.field(&Field {
                place: Place::File(consumed),
                bytes: Excerpt {
                    shown: &first,
                    total: rest,
                },
                role: Role::Rest,
                meaning: format_args!("bytes after the end of the data, which readers ignore"),
                text: None,
            })?;
        }
        Ok(Outcome {
            fault,
            explained: self.explained,
            rest,
        })
    }

    /// Passes a field on, or holds it back until its section is known.
    pub(super) fn field(
        &mut self,
        place: Place,
        bytes: Excerpt<'_>,
        role: Role,
        meaning: fmt::Arguments<'_>,
        text: Option<Excerpt<'_>>,
    ) -> Walk<()> {
        if let Place::File(offset) = place {
            debug_assert_eq!(offset, self.explained, "fields leave nothing out");
            self.explained += bytes.total;
        }
        if self.is_holding {
            self.held.push(HeldField {
                place,
                bytes: bytes.shown.to_vec(),
                total: bytes.total,
                role,
                meaning: meaning.to_string(),
                text: text.map(|text| (text.shown.to_vec(), text.total)),
            });
            return Ok(());
        }
        Ok(self.sink.field(&Field {
            place,
            bytes,
            role,
            meaning,
            text,
        })?)
    }

    /// A field of the file without a string, with all of its bytes.
    pub(super) fn plain_field(
        &mut self,
        at: u64,
        bytes: &[u8],
        role: Role,
        meaning: fmt::Arguments<'_>,
    ) -> Walk<()> {
        self.field(Place::File(at), Excerpt::of(bytes), role, meaning, None)
    }

    /// Passes on the fields that were held back.
    fn release(&mut self) -> io::Result<()> {
        self.is_holding = false;
        for held in self.held.drain(..) {
            self.sink.field(&Field {
                place: held.place,
                bytes: Excerpt {
                    shown: &held.bytes,
                    total: held.total,
                },
                role: held.role,
                meaning: format_args!("{}", held.meaning),
                text: held.text.as_ref().map(|(shown, total)| Excerpt {
                    shown,
                    total: *total,
                }),
            })?;
        }
        Ok(())
    }

    pub(super) fn enter(&mut self, place: Place, section: &Section<'_>) -> io::Result<()> {
        self.depth += 1;
        self.sink.enter(place, section)
    }

    pub(super) fn leave(&mut self) -> io::Result<()> {
        self.depth -= 1;
        self.sink.leave()
    }

    fn file(&mut self) -> Walk<()> {
        let header: [u8; 9] = self.source.bytes("the header of an RDB file")?;
        let version = header_version(&header);
        let (magic, digits) = header.split_at(MAGIC.len());
        if magic == MAGIC {
            self.plain_field(0, magic, Role::Header, format_args!("magic: an RDB file"))?;
        }
        let version = version?;
        let meaning = format_args!("version {version}, written by {}", writers_of(version));
        self.plain_field(5, digits, Role::Header, meaning)?;
        if version < VERSION_WITH_CHECKSUM {
            self.source.without_checksum();
        }
        loop {
            let at = self.source.offset();
            match self.source.byte("a type or opcode")? {
                opcode::EOF => return self.end(at),
                code @ opcode::SLOT_INFO.. => self.opcode(at, code)?,
                code if values::is_known_type(code) => self.key(at, code)?,
                type_code => {
                    let offset = at;
                    return Err(RdbError::UnknownType { offset, type_code }.into());
                }
            }
        }
    }

    fn end(&mut self, at: u64) -> Walk<()> {
        self.release()?;
        self.leave_database()?;
        let (name, says) = opcode_name(opcode::EOF);
        let byte = [opcode::EOF];
        self.plain_field(at, &byte, Role::End, format_args!("{name}: {says}"))?;
        let Some(computed) = self.source.crc() else {
            return Ok(());
        };
        let offset = self.source.offset();
        let bytes: [u8; 8] = self.source.bytes("a checksum of 8 bytes")?;
        let stored = u64::from_le_bytes(bytes);
        let verdict = match stored {
            0 => format_args!("checksum 0: none was computed when the file was written"),
            _ if stored == computed => format_args!("CRC-64 of all bytes before, right"),
            _ => format_args!("CRC-64, WRONG: the bytes before amount to {computed:016x}"),
        };
        self.plain_field(offset, &bytes, Role::Checksum, verdict)?;
        if stored != 0 && stored != computed {
            return Err(RdbError::ChecksumMismatch {
                offset,
                computed,
                stored,
            }
            .into());
        }
        Ok(())
    }

    fn opcode(&mut self, at: u64, code: u8) -> Walk<()> {
        let is_of_key = matches!(
            code,
            opcode::EXPIRETIME | opcode::EXPIRETIME_MS | opcode::IDLE | opcode::FREQ
        );
        if is_of_key {
            self.begin_key(at);
        } else {
            self.release()?;
            self.key.begins_at = None;
        }
        if code == opcode::SELECTDB {
            self.leave_database()?;
            self.is_holding = true;
        }
        let (name, says) = opcode_name(code);
        self.plain_field(at, &[code], Role::Opcode, format_args!("{name}: {says}"))?;
        match code {
            opcode::EXPIRETIME_MS | opcode::EXPIRETIME => self.expiry(code)?,
            opcode::IDLE => drop(self.length("an idle time")?),
            opcode::FREQ => {
                let at = self.source.offset();
                let freq = self.source.byte("an access frequency")?;
                let meaning = format_args!("an access frequency: {freq}");
                self.plain_field(at, &[freq], Role::Number, meaning)?;
            }
            opcode::SLOT_INFO => {
                for _ in 0..3 {
                    self.length("slot information")?;
                }
            }
            opcode::SELECTDB => {
                let number = self.length("a database number")?;
                self.enter_database(at, number)?;
                self.release()?;
            }
            opcode::RESIZEDB => {
                self.length("a number of keys")?;
                self.length("a number of expires")?;
            }
            opcode::AUX => {
                self.text(Role::Text, "an AUX key")?;
                self.text(Role::Text, "an AUX value")?;
            }
            opcode::FUNCTION2 => {
                let code = self.text(Role::Text, "a function library")?;
                let name = library_name(code.excerpt().shown);
                self.sink.library(name.as_deref());
            }
            opcode::FUNCTION_PRE_GA => {
                let what = "Pre-release function format not supported.";
                return Err(RdbError::bad(at, what).into());
            }
            opcode::MODULE_AUX => self.module(ModuleData::Aux)?,
            _ => unreachable!("opcodes from SLOT_INFO to EOF are all known"),
        }
        Ok(())
    }

    fn expiry(&mut self, code: u8) -> Walk<()> {
        let at = self.source.offset();
        let (bytes, size, expires_at_ms) = if code == opcode::EXPIRETIME_MS {
            let bytes: [u8; 8] = self.source.bytes("an expiry in ms")?;
            let expires_at_ms = i64::from_le_bytes(bytes);
            // In Redis -1 stands for "does not expire", also in a file.
            (bytes, 8, (expires_at_ms != -1).then_some(expires_at_ms))
        } else {
            let seconds: [u8; 4] = self.source.bytes("an expiry in seconds")?;
            let mut bytes = [0; 8];
            bytes[..4].copy_from_slice(&seconds);
            (
                bytes,
                4,
                Some(i64::from(i32::from_le_bytes(seconds)) * 1000),
            )
        };
        self.key.expires_at_ms = expires_at_ms;
        let bytes = &bytes[..size];
        match expires_at_ms {
            None => self.plain_field(at, bytes, Role::Time, format_args!("-1: never")),
            Some(ms) => {
                let meaning = format_args!("{ms} ms after 1970: {}", clock::log_time(ms));
                self.plain_field(at, bytes, Role::Time, meaning)
            }
        }
    }

    fn begin_key(&mut self, at: u64) {
        self.is_holding = true;
        self.key.begins_at.get_or_insert(at);
    }

    fn key(&mut self, at: u64, type_code: u8) -> Walk<()> {
        self.begin_key(at);
        let (name, says) = type_name(type_code);
        let meaning = format_args!("type {name}: {says}");
        self.plain_field(at, &[type_code], Role::Type, meaning)?;
        let name = self.text(Role::Key, "a key")?;
        let begins_at = self.key.begins_at.take().unwrap_or(at);
        if self.database.is_none() {
            self.enter_database(begins_at, 0)?;
        }
        let name = name.excerpt();
        self.enter(Place::File(begins_at), &Section::Key { name, type_code })?;
        self.release()?;
        self.value(type_code)?;
        let state = std::mem::take(&mut self.key);
        self.sink.key(&KeyFacts {
            name,
            database: self.database.unwrap_or(0),
            type_code,
            expires_at_ms: state.expires_at_ms,
            bytes: self.source.offset() - begins_at,
            elements: state.elements,
            string_form: state.string_form,
        })?;
        Ok(self.leave()?)
    }

    fn enter_database(&mut self, at: u64, number: u64) -> io::Result<()> {
        self.database = Some(number);
        self.enter(Place::File(at), &Section::Database(number))
    }

    fn leave_database(&mut self) -> io::Result<()> {
        match self.database.take() {
            Some(_) => self.leave(),
            None => Ok(()),
        }
    }
}
