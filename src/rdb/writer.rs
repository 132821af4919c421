//! Writes a whole RDB file into any `io::Write`: header, AUX, function libraries, databases, keys, EOF and checksum, in
//! this order.
//!
//! Bytes are collected in a buffer. The checksum is computed over the buffer when it is full, not byte by byte. Types
//! and version are chosen so that every tool reads the file (see `format`). One thread writes one file.

use std::io::{self, Write};

use byteorder::{LittleEndian, WriteBytesExt};

use super::checksum::crc64;
use super::encoder::{Encoder, ValueRef, write_length};
use super::format::{MAGIC, opcode};

/// The size of the buffer.
const BUFFER_SIZE: usize = 128 * 1024;

/// The settings that change the bytes of a file.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// `rdb-version`: 9, 10 or 11.
    pub version: u32,
    /// `rdbcompression`: strings of more than 20 bytes are kept as LZF if that is shorter.
    pub compression: bool,
    /// `rdbchecksum`: without it the checksum is 0, which means "not computed".
    pub checksum: bool,
}

/// Writes an RDB file. Without a call of [`finish`](Self::finish) the file is incomplete, and no reader accepts it.
pub struct Writer<W: Write> {
    output: ChecksummedOutput<W>,
    encoder: Encoder,
}

impl<W: Write> Writer<W> {
    /// Writes the header.
    pub fn new(output: W, options: WriterOptions) -> io::Result<Writer<W>> {
        let mut output = ChecksummedOutput {
            output,
            buffer: Vec::with_capacity(BUFFER_SIZE),
            crc: options.checksum.then_some(0),
        };
        output.write_all(MAGIC)?;
        write!(output, "{:04}", options.version)?;
        Ok(Writer {
            output,
            encoder: Encoder::new(options.compression, options.version),
        })
    }

    /// Writes a fact about the file, for example `redis-ver`. Readers skip facts that they do not know.
    pub fn aux(&mut self, key: &[u8], value: &[u8]) -> io::Result<()> {
        self.output.write_u8(opcode::AUX)?;
        self.encoder.string(&mut self.output, key)?;
        self.encoder.string(&mut self.output, value)
    }

    /// Writes a function library. Libraries stand before the first database, as in Redis.
    pub fn library(&mut self, text: &[u8]) -> io::Result<()> {
        self.output.write_u8(opcode::FUNCTION2)?;
        self.encoder.string(&mut self.output, text)
    }

    /// Begins a database. `keys` and `expires` may be estimates: readers size their tables by them.
    pub fn select_db(&mut self, index: u64, keys: u64, expires: u64) -> io::Result<()> {
        self.output.write_u8(opcode::SELECTDB)?;
        write_length(&mut self.output, index)?;
        self.output.write_u8(opcode::RESIZEDB)?;
        write_length(&mut self.output, keys)?;
        write_length(&mut self.output, expires)
    }

    /// Writes one key of the database selected last. A key without elements is left out.
    pub fn key(
        &mut self,
        key: &[u8],
        expires_at_ms: Option<i64>,
        value: ValueRef<'_, '_>,
    ) -> io::Result<()> {
        self.encoder
            .key(&mut self.output, key, expires_at_ms, value)
    }

    /// Writes keys that an `Encoder` has encoded already.
    pub fn encoded(&mut self, keys: &[u8]) -> io::Result<()> {
        self.output.write_all(keys)
    }

    /// Writes EOF and checksum, flushes the output and returns it.
    pub fn finish(mut self) -> io::Result<W> {
        self.output.write_u8(opcode::EOF)?;
        let crc = self.output.crc()?;
        self.output.write_u64::<LittleEndian>(crc)?;
        self.output.flush()?;
        Ok(self.output.output)
    }
}

/// Buffers bytes, and computes the CRC-64 of those that were written.
struct ChecksummedOutput<W> {
    output: W,
    buffer: Vec<u8>,
    /// None if no checksum is wanted.
    crc: Option<u64>,
}

impl<W: Write> ChecksummedOutput<W> {
    /// The checksum of everything so far, 0 if none is wanted.
    fn crc(&mut self) -> io::Result<u64> {
        self.pass_on_buffer()?;
        Ok(self.crc.unwrap_or(0))
    }

    fn pass_on_buffer(&mut self) -> io::Result<()> {
        self.crc = self.crc.map(|crc| crc64(crc, &self.buffer));
        self.output.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

impl<W: Write> Write for ChecksummedOutput<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER_SIZE {
            self.pass_on_buffer()?;
            if bytes.len() > BUFFER_SIZE {
                // A large string is written without a copy.
                self.crc = self.crc.map(|crc| crc64(crc, bytes));
                return self.output.write_all(bytes);
            }
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on_buffer()?;
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::VERSION_FOR_ALL;
    use super::*;

    const PLAIN: WriterOptions = WriterOptions {
        version: VERSION_FOR_ALL,
        compression: false,
        checksum: true,
    };

    #[test]
    fn an_empty_file_is_header_end_and_checksum() {
        let file = Writer::new(Vec::new(), PLAIN)
            .and_then(Writer::finish)
            .expect("a Vec takes everything");
        // The same 18 bytes as in tests/fixtures/rdb/edge/x_empty_nothing.rdb.
        assert_eq!(file, b"REDIS0009\xFF\x9A\xAC\x7A\xBC\xFB\x0F\xAD\x74");
    }

    #[test]
    fn each_part_has_its_bytes() -> io::Result<()> {
        let mut writer = Writer::new(
            Vec::new(),
            WriterOptions {
                version: VERSION_FOR_ALL,
                compression: true,
                checksum: false,
            },
        )?;
        writer.aux(b"redis-ver", b"7.2.0")?;
        writer.aux(b"redis-bits", b"64")?;
        writer.library(b"#!lua name=m\n")?;
        writer.select_db(3, 500, 1)?;
        writer.key(b"age", Some(4_102_444_800_000), ValueRef::String(b"33"))?;
        writer.key(
            b"l",
            None,
            ValueRef::List(2, &mut [&b"red"[..], b""].into_iter()),
        )?;
        writer.key(
            b"s",
            None,
            ValueRef::Set(1, &mut [&b"70000"[..]].into_iter()),
        )?;
        let mut integers = [-1, 70000, 5_000_000_000].into_iter();
        writer.key(b"i", None, ValueRef::IntegerSet(3, &mut integers))?;
        writer.key(
            b"h",
            None,
            ValueRef::Hash(1, &mut [(&b"f"[..], &b"v1"[..])].into_iter()),
        )?;
        writer.key(
            b"z",
            None,
            ValueRef::SortedSet(1, &mut [(&b"m"[..], -0.1)].into_iter()),
        )?;
        let expected: &[&[u8]] = &[
            b"REDIS0009",
            b"\xFA\x09redis-ver\x057.2.0",
            b"\xFA\x0Aredis-bits\xC0\x40",
            b"\xF5\x0D#!lua name=m\n",
            b"\xFE\x03\xFB\x41\xF4\x01",
            b"\xFC\x00\xD8\xC3\x2C\xBB\x03\x00\x00\x00\x03age\xC0\x21",
            b"\x01\x01l\x02\x03red\x00",
            b"\x02\x01s\x01\xC2\x70\x11\x01\x00",
            b"\x02\x01i\x03\xC0\xFF\xC2\x70\x11\x01\x00\x0A5000000000",
            b"\x04\x01h\x01\x01f\x02v1",
            b"\x05\x01z\x01\x01m\x9A\x99\x99\x99\x99\x99\xB9\xBF",
            b"\xFF\0\0\0\0\0\0\0\0",
        ];
        assert_eq!(writer.finish()?, expected.concat());
        Ok(())
    }

    /// The checksum does not depend on how the bytes are divided among buffers.
    #[test]
    fn large_and_small_pieces_give_one_checksum() -> io::Result<()> {
        let large = vec![b'x'; 3 * BUFFER_SIZE];
        let mut writer = Writer::new(Vec::new(), PLAIN)?;
        for number in 0..20_000 {
            writer.key(
                format!("key:{number}").as_bytes(),
                None,
                ValueRef::String(b"some value"),
            )?;
        }
        writer.key(b"large", None, ValueRef::String(&large))?;
        writer.encoded(b"\x00\x01k\x01v")?;
        let file = writer.finish()?;
        let (data, checksum) = file.split_at(file.len() - 8);
        assert_eq!(checksum, ::crc64::crc64(0, data).to_le_bytes());
        Ok(())
    }
}
