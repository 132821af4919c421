//! Explains lengths and strings, in all their forms. The counterpart in the reader is `source`.

use std::hash::{BuildHasher, Hasher};
use std::io::Read;
use std::sync::LazyLock;

use foldhash::quality::RandomState;

use super::super::error::RdbError;
use super::super::format::string_form;
use super::super::source::LengthOrForm;
use super::frame::Walker;
use super::{EXCERPT_LEN, Excerpt, Place, Role, Sink, Walk};
use crate::util::lzf::decompress;

/// Long strings are processed in pieces of this size, which fits into the window of the source.
const PIECE_LEN: u64 = 32 * 1024;

/// The encoding of a string in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StringForm {
    /// A length and its bytes.
    Plain,
    /// An integer of 8 bits.
    Int8,
    /// An integer of 16 bits.
    Int16,
    /// An integer of 32 bits.
    Int32,
    /// Compressed.
    Lzf,
}

impl StringForm {
    /// All encodings.
    pub const ALL: [StringForm; 5] = [
        StringForm::Plain,
        StringForm::Int8,
        StringForm::Int16,
        StringForm::Int32,
        StringForm::Lzf,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            StringForm::Plain => "plain",
            StringForm::Int8 => "int8",
            StringForm::Int16 => "int16",
            StringForm::Int32 => "int32",
            StringForm::Lzf => "LZF",
        }
    }
}

/// A string that was processed.
pub(super) struct Text {
    shown: Vec<u8>,
    total: u64,
    /// A fingerprint: equal for equal strings, and with near certainty different for different ones.
    pub(super) fingerprint: u128,
    pub(super) form: StringForm,
}

impl Text {
    pub(super) fn excerpt(&self) -> Excerpt<'_> {
        Excerpt {
            shown: &self.shown,
            total: self.total,
        }
    }

    fn of(bytes: &[u8], form: StringForm) -> Text {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add_all(bytes);
        Text {
            shown: Excerpt::of(bytes).shown.to_vec(),
            total: bytes.len() as u64,
            fingerprint: fingerprint.finish(),
            form,
        }
    }
}

/// A string that is kept as a whole, because it is a packed block.
pub(super) struct Whole {
    pub(super) bytes: Vec<u8>,
    /// The place of its bytes: in the file, unless they are compressed there.
    pub(super) place: Place,
}

/// Computes a hash of 128 bits, so that strings can be compared without being kept.
struct Fingerprint([<RandomState as BuildHasher>::Hasher; 2]);

static SEEDS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);

impl Default for Fingerprint {
    fn default() -> Self {
        Fingerprint(SEEDS.each_ref().map(BuildHasher::build_hasher))
    }
}

impl Fingerprint {
    /// The next piece. All pieces except the last have one size, so that equal strings give equal pieces.
    fn add(&mut self, piece: &[u8]) {
        for hasher in &mut self.0 {
            hasher.write(piece);
        }
    }

    fn add_all(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE_LEN as usize) {
            self.add(piece);
        }
    }

    fn finish(&self) -> u128 {
        u128::from(self.0[0].finish()) << 64 | u128::from(self.0[1].finish())
    }
}

/// The fingerprint of a string.
pub(super) fn fingerprint(bytes: &[u8]) -> u128 {
    let mut fingerprint = Fingerprint::default();
    fingerprint.add_all(bytes);
    fingerprint.finish()
}

impl<R: Read, S: Sink> Walker<'_, R, S> {
    /// The next bytes: enough for a length, unless the input ends before.
    fn ahead(&mut self) -> Walk<[u8; 9]> {
        let mut ahead = [0; 9];
        let bytes = self.source.peek(ahead.len())?;
        let len = bytes.len().min(ahead.len());
        ahead[..len].copy_from_slice(&bytes[..len]);
        Ok(ahead)
    }

    /// A length, with the expected item as its words.
    pub(super) fn length(&mut self, expected: &'static str) -> Walk<u64> {
        self.length_as(expected, expected)
    }

    /// A length with words of its own.
    pub(super) fn length_as(&mut self, expected: &'static str, meaning: &str) -> Walk<u64> {
        let at = self.source.offset();
        let ahead = self.ahead()?;
        let length = self.source.length(expected)?;
        self.length_field(at, &ahead, length, meaning)?;
        Ok(length)
    }

    fn length_field(&mut self, at: u64, ahead: &[u8; 9], length: u64, meaning: &str) -> Walk<()> {
        let bytes = &ahead[..(self.source.offset() - at) as usize];
        let bits = match bytes.len() {
            1 => 6,
            2 => 14,
            5 => 32,
            _ => 64,
        };
        // All bits set stand for "unknown". No real length is so large.
        if length == u64::MAX {
            let meaning = format_args!("{meaning}: unknown (all 64 bits set)");
            return self.plain_field(at, bytes, Role::Length, meaning);
        }
        let meaning = format_args!("{meaning}: {length} ({bits} bits)");
        self.plain_field(at, bytes, Role::Length, meaning)
    }

    /// A string of any size and form.
    pub(super) fn text(&mut self, role: Role, expected: &'static str) -> Walk<Text> {
        self.text_as(role, expected, expected)
    }

    /// A string with words of its own.
    pub(super) fn text_as(
        &mut self,
        role: Role,
        expected: &'static str,
        words: &str,
    ) -> Walk<Text> {
        let at = self.source.offset();
        let ahead = self.ahead()?;
        let text = match self.source.length_or_form(expected)? {
            LengthOrForm::Length(length) => {
                self.length_field(at, &ahead, length, "length")?;
                self.plain_text(length, role, expected, words)?
            }
            LengthOrForm::Form(string_form::LZF) => {
                let (place, data, plain) = self.compressed(at, expected)?;
                let text = Some(Excerpt::of(&plain));
                let meaning = format_args!("compressed: {words}");
                self.field(place, Excerpt::of(&data), Role::Compressed, meaning, text)?;
                Text::of(&plain, StringForm::Lzf)
            }
            LengthOrForm::Form(form) => {
                let (digits, form) = self.integer(at, form, expected, words)?;
                Text::of(&digits, form)
            }
        };
        let stored = self.source.offset() - at;
        self.sink.string(text.form, stored, text.total);
        Ok(text)
    }

    /// A string that holds a packed block. Unless it is compressed, its bytes are left for the block to explain.
    pub(super) fn whole(&mut self, expected: &'static str) -> Walk<Whole> {
        let at = self.source.offset();
        let ahead = self.ahead()?;
        let (form, whole) = match self.source.length_or_form(expected)? {
            LengthOrForm::Length(length) => {
                self.length_field(at, &ahead, length, "length")?;
                let place = Place::File(self.source.offset());
                let mut bytes = Vec::new();
                self.source.append_bytes(&mut bytes, length, expected)?;
                (StringForm::Plain, Whole { bytes, place })
            }
            LengthOrForm::Form(string_form::LZF) => {
                let (place, data, bytes) = self.compressed(at, expected)?;
                let meaning =
                    format_args!("compressed: {expected}; in plain form below, counted from +0");
                self.field(place, Excerpt::of(&data), Role::Compressed, meaning, None)?;
                let place = Place::Plain(0);
                (StringForm::Lzf, Whole { bytes, place })
            }
            LengthOrForm::Form(form) => {
                let (bytes, form) = self.integer(at, form, expected, expected)?;
                let place = Place::Plain(0);
                (form, Whole { bytes, place })
            }
        };
        let stored = self.source.offset() - at;
        self.sink.string(form, stored, whole.bytes.len() as u64);
        Ok(whole)
    }

    /// The bytes of a plain string, piece by piece.
    fn plain_text(
        &mut self,
        length: u64,
        role: Role,
        expected: &'static str,
        words: &str,
    ) -> Walk<Text> {
        let at = self.source.offset();
        let mut piece = std::mem::take(&mut self.piece);
        let mut shown = Vec::new();
        let mut fingerprint = Fingerprint::default();
        let mut left = length;
        while left > 0 {
            let step = left.min(PIECE_LEN);
            piece.clear();
            self.source
                .append_bytes(&mut piece, step, expected)
                .map_err(|error| match error {
                    // The reader reads the string as a whole, so for it the fault lies at the first byte.
                    RdbError::Truncated { expected, .. } => RdbError::Truncated {
                        offset: at,
                        expected,
                    },
                    other => other,
                })?;
            fingerprint.add(&piece);
            shown.extend_from_slice(&piece[..piece.len().min(EXCERPT_LEN - shown.len())]);
            left -= step;
        }
        self.piece = piece;
        let text = Text {
            shown,
            total: length,
            fingerprint: fingerprint.finish(),
            form: StringForm::Plain,
        };
        let excerpt = text.excerpt();
        let meaning = format_args!("{words}");
        self.field(Place::File(at), excerpt, role, meaning, Some(excerpt))?;
        Ok(text)
    }

    /// A string in the form of an integer: its digits.
    fn integer(
        &mut self,
        at: u64,
        form: u8,
        expected: &'static str,
        words: &str,
    ) -> Walk<(Vec<u8>, StringForm)> {
        let (size, form_name) = match form {
            string_form::INT_8 => (1, StringForm::Int8),
            string_form::INT_16 => (2, StringForm::Int16),
            string_form::INT_32 => (4, StringForm::Int32),
            _ => {
                let what = format!("Unknown RDB string encoding type {}", form & 0x3F);
                return Err(RdbError::bad(at, what).into());
            }
        };
        let meaning = format_args!("special form: an integer of {} bits", 8 * size);
        self.plain_field(at, &[form], Role::Form, meaning)?;
        let at = self.source.offset();
        let mut bytes = [0; 4];
        let number = match form_name {
            StringForm::Int8 => {
                bytes[..1].copy_from_slice(&self.source.bytes::<1>(expected)?);
                i64::from(bytes[0] as i8)
            }
            StringForm::Int16 => {
                bytes[..2].copy_from_slice(&self.source.bytes::<2>(expected)?);
                i64::from(i16::from_le_bytes([bytes[0], bytes[1]]))
            }
            _ => {
                bytes = self.source.bytes(expected)?;
                i64::from(i32::from_le_bytes(bytes))
            }
        };
        let digits = number.to_string().into_bytes();
        let text = Some(Excerpt::of(&digits));
        let bytes = Excerpt::of(&bytes[..size]);
        let meaning = format_args!("{words}");
        self.field(Place::File(at), bytes, Role::Number, meaning, text)?;
        Ok((digits, form_name))
    }

    /// A compressed string, without the field of its data: the place of the data, the data, and the plain bytes.
    fn compressed(&mut self, at: u64, expected: &'static str) -> Walk<(Place, Vec<u8>, Vec<u8>)> {
        let meaning = format_args!("special form: compressed by LZF");
        self.plain_field(at, &[string_form::LZF], Role::Form, meaning)?;
        let compressed_len = self.length("the compressed length of a string")?;
        let plain_len = self.length("the plain length of a string")?;
        let place = Place::File(self.source.offset());
        let mut data = Vec::new();
        self.source
            .append_bytes(&mut data, compressed_len, expected)?;
        let plain = usize::try_from(plain_len)
            .ok()
            .and_then(|len| decompress(&data, len).ok());
        match plain {
            Some(plain) => Ok((place, data, plain)),
            None => {
                let what = format!("Invalid LZF compressed string, expected {expected}");
                Err(RdbError::bad(at, what).into())
            }
        }
    }
}
