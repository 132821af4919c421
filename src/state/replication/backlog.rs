//! The replication backlog: the latest part of the replication stream, from which replicas are sent what they lack.
//!
//! ```text
//!              start                                                    end
//!   forgotten    │ block │ block │ block │ block │ block (is being filled) │  not there yet
//!                            ▲                        ▲
//!                            a replica that is behind  another
//! ```
//!
//! An offset is the number of bytes of the stream before a place, counted over the life of the stream: Redis'
//! `master_repl_offset` is the offset of the end. The last `repl-backlog-size` bytes are kept for replicas that come
//! back after their connection was cut; more is kept only as long as a connected replica has not been sent it. So what
//! a slow replica lacks is in memory once, however many replicas lack it, and `client-output-buffer-limit` ends it.
//!
//! # Thread safety
//! One thread appends at a time: that which reads the change log, or that of the link to the primary. Each replica has
//! a [`BacklogReader`], with which its thread waits and reads. The mutex is a leaf, held while bytes are copied: a
//! piece of the stream by a reader, all that has come by the thread that appends.
//!
//! # Invariants
//! 1. The place of a reader lies between `start` and `end`. If another stream is continued, or none, readers have no
//!    place any more, and their replicas are disconnected.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes of a block. The backlog is shortened by whole blocks.
const BLOCK_BYTES: usize = 16 * 1024;
/// The least size of the backlog.
const LEAST_BYTES: u64 = 16 * 1024;
/// Bytes that a reader is given at once.
const PIECE_BYTES: usize = 64 * 1024;
/// Marks that are kept: of the last few seconds of a busy server.
const MOST_MARKS: usize = 4096;

/// The stream's latest part.
#[derive(Debug, Default)]
pub struct Backlog {
    is_active: AtomicBool,
    stream: Mutex<Stream>,
    /// Something was appended, or the readers are to look whether they are to end.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Stream {
    blocks: VecDeque<Vec<u8>>,
    /// The offset of the first byte that is kept.
    start: u64,
    /// The offset of the end.
    end: u64,
    /// `repl-backlog-size`.
    size: u64,
    /// The offset of the next byte for each reader that has a place.
    readers: BTreeMap<u64, u64>,
    last_reader: u64,
    /// Which offsets belong to which numbers of the change log: the offset behind all blocks before the number.
    marks: VecDeque<Mark>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    number: u64,
    offset: u64,
}

/// The place in the stream up to which one replica has been sent it. What comes after it is kept.
#[derive(Debug)]
pub struct BacklogReader {
    backlog: Arc<Backlog>,
    id: u64,
}

/// What INFO says of the backlog.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BacklogFigures {
    /// Whether there is one.
    pub is_active: bool,
    /// `master_repl_offset`.
    pub end: u64,
    /// The offset of the first byte that is kept, counted from 1, as Redis shows it; 0 without a backlog.
    pub first_byte: u64,
    /// Bytes that are kept.
    pub len: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
}

impl Backlog {
    /// Whether the stream is kept, because there are replicas, or have been lately.
    #[inline]
    pub fn is_active(&self) -> bool {
        self.is_active.load(Relaxed)
    }

    /// Keeps the stream from its end on, or from now on no more.
    pub fn set_active(&self, is_active: bool) {
        let mut stream = self.lock();
        if self.is_active.swap(is_active, Relaxed) != is_active {
            stream.forget();
            self.changed.notify_all();
        }
    }

    /// Sets `repl-backlog-size`, in bytes. As in Redis it is never less than 16 kB. Returns what it is.
    pub fn set_size(&self, bytes: u64) -> u64 {
        let mut stream = self.lock();
        stream.size = bytes.max(LEAST_BYTES);
        stream.trim();
        stream.size
    }

    /// Appends a part of the stream. Returns how many bytes the slowest reader has not read.
    pub fn append(&self, bytes: &[u8]) -> u64 {
        let mut stream = self.lock();
        stream.append(bytes);
        let slowest = stream.readers.values().copied().min();
        let unread = slowest.map_or(0, |offset| stream.end - offset);
        drop(stream);
        self.changed.notify_all();
        unread
    }

    /// The offset of the end.
    pub fn end(&self) -> u64 {
        self.lock().end
    }

    /// Continues another stream at this offset: what was kept is forgotten.
    pub fn continue_at(&self, offset: u64) {
        let mut stream = self.lock();
        stream.end = offset;
        stream.forget();
        self.changed.notify_all();
    }

    /// An offset at which the stream has all blocks before this number; `None` if they are not there yet.
    pub fn offset_of(&self, number: u64) -> Option<u64> {
        let stream = self.lock();
        let place = stream.marks.partition_point(|mark| mark.number < number);
        stream.marks.get(place).map(|mark| mark.offset)
    }

    /// Notes that the end has all blocks of the change log before this number.
    pub fn mark(&self, number: u64) {
        self.lock().mark(number);
    }

    /// A reader that begins at the end.
    pub fn read_from_end(self: &Arc<Self>) -> BacklogReader {
        let mut stream = self.lock();
        let end = stream.end;
        self.add_reader(&mut stream, end)
    }

    /// A reader that begins at this offset; `None` if that is not kept any more, or not there yet.
    pub fn read_from(self: &Arc<Self>, offset: u64) -> Option<BacklogReader> {
        let mut stream = self.lock();
        let is_kept = self.is_active() && (stream.start..=stream.end).contains(&offset);
        is_kept.then(|| self.add_reader(&mut stream, offset))
    }

    fn add_reader(self: &Arc<Self>, stream: &mut Stream, offset: u64) -> BacklogReader {
        stream.last_reader += 1;
        let id = stream.last_reader;
        stream.readers.insert(id, offset);
        BacklogReader {
            backlog: self.clone(),
            id,
        }
    }

    /// Wakes all readers, so that they look whether they are to end.
    pub fn wake_readers(&self) {
        let _stream = self.lock();
        self.changed.notify_all();
    }

    /// The figures for INFO.
    pub fn figures(&self) -> BacklogFigures {
        let stream = self.lock();
        let is_active = self.is_active();
        BacklogFigures {
            is_active,
            end: stream.end,
            first_byte: if is_active { stream.start + 1 } else { 0 },
            len: stream.end - stream.start,
            memory_bytes: (stream.blocks.len() * BLOCK_BYTES) as u64,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stream> {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BacklogReader {
    /// Waits, at most this long, for bytes that have not been read, and replaces `piece` with the first of them. It
    /// stays empty if there is nothing, or the readers were woken. `false`: the stream has ended.
    pub fn read(&self, longest: Duration, piece: &mut Vec<u8>) -> bool {
        piece.clear();
        let mut stream = self.backlog.lock();
        if stream.readers.get(&self.id) == Some(&stream.end) {
            let waited = self.backlog.changed.wait_timeout(stream, longest);
            stream = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let Some(mut at) = stream.readers.get(&self.id).copied() else {
            return false;
        };
        while piece.len() < PIECE_BYTES && at < stream.end {
            let part = stream.bytes_from(at);
            let part = &part[..part.len().min(PIECE_BYTES - piece.len())];
            piece.extend_from_slice(part);
            at += part.len() as u64;
        }
        stream.readers.insert(self.id, at);
        stream.trim();
        true
    }

    /// Waits, at most this long, while this is so; looks again when the readers are woken.
    pub fn wait_while(&self, longest: Duration, is_so: impl Fn() -> bool) {
        let stream = self.backlog.lock();
        let changed = &self.backlog.changed;
        drop(changed.wait_timeout_while(stream, longest, |_| is_so()));
    }

    /// The offset of the next byte; `None` if the stream has ended.
    pub fn offset(&self) -> Option<u64> {
        self.backlog.lock().readers.get(&self.id).copied()
    }

    /// Another reader at the same place; `None` if the stream has ended.
    pub fn another(&self) -> Option<BacklogReader> {
        let mut stream = self.backlog.lock();
        let offset = stream.readers.get(&self.id).copied()?;
        Some(self.backlog.add_reader(&mut stream, offset))
    }
}

impl Drop for BacklogReader {
    fn drop(&mut self) {
        let mut stream = self.backlog.lock();
        stream.readers.remove(&self.id);
        stream.trim();
    }
}

impl Stream {
    fn append(&mut self, mut bytes: &[u8]) {
        self.end += bytes.len() as u64;
        while !bytes.is_empty() {
            let has_room = |block: &Vec<u8>| block.len() < BLOCK_BYTES;
            if !self.blocks.back().is_some_and(has_room) {
                self.blocks.push_back(Vec::with_capacity(BLOCK_BYTES));
            }
            if let Some(block) = self.blocks.back_mut() {
                let (first, rest) = bytes.split_at(bytes.len().min(BLOCK_BYTES - block.len()));
                block.extend_from_slice(first);
                bytes = rest;
            }
        }
        self.trim();
    }

    fn mark(&mut self, number: u64) {
        if self.marks.len() == MOST_MARKS {
            self.marks.pop_front();
        }
        self.marks.push_back(Mark {
            number,
            offset: self.end,
        });
    }

    /// Forgets the first blocks that all readers have passed and that lie beyond `size`.
    fn trim(&mut self) {
        let slowest = self.readers.values().copied().min();
        let needed_from = slowest
            .unwrap_or(self.end)
            .min(self.end.saturating_sub(self.size));
        while let Some(first) = self.blocks.front()
            && self.start + first.len() as u64 <= needed_from
        {
            self.start += first.len() as u64;
            self.blocks.pop_front();
        }
    }

    /// Forgets everything.
    fn forget(&mut self) {
        self.blocks.clear();
        self.marks.clear();
        self.readers.clear();
        self.start = self.end;
    }

    /// Bytes from this offset on, to the end of their block.
    fn bytes_from(&self, offset: u64) -> &[u8] {
        // All blocks are full but the last one.
        let place = (offset - self.start) as usize;
        &self.blocks[place / BLOCK_BYTES][place % BLOCK_BYTES..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    fn active(size: u64) -> Arc<Backlog> {
        let backlog = Arc::new(Backlog::default());
        backlog.set_size(size);
        backlog.set_active(true);
        backlog
    }

    fn read(reader: &BacklogReader) -> Vec<u8> {
        let (mut all, mut piece) = (Vec::new(), Vec::new());
        loop {
            assert!(reader.read(AT_ONCE, &mut piece));
            if piece.is_empty() {
                return all;
            }
            all.extend_from_slice(&piece);
        }
    }

    /// The byte at each offset says which offset it is.
    fn bytes(offsets: std::ops::Range<usize>) -> Vec<u8> {
        offsets.map(|offset| (offset % 251) as u8).collect()
    }

    #[test]
    fn readers_get_the_stream_from_their_place_on() {
        let backlog = active(1000);
        let first = backlog.read_from_end();
        backlog.append(&bytes(0..100_000));
        let second = backlog.read_from_end();
        backlog.append(&bytes(100_000..200_000));
        assert_eq!((first.offset(), second.offset()), (Some(0), Some(100_000)));
        assert!(read(&first) == bytes(0..200_000));
        assert!(read(&second) == bytes(100_000..200_000));
        assert_eq!(read(&second), b"");
    }

    #[test]
    fn whole_blocks_are_forgotten_that_no_reader_needs() {
        let backlog = active(20_000);
        let slow = backlog.read_from_end();
        backlog.append(&bytes(0..100_000));
        assert_eq!(backlog.figures().len, 100_000);
        let also_slow = slow.another();
        drop(slow);
        assert_eq!(backlog.figures().len, 100_000);
        drop(also_slow);
        // 80,000 bytes are four blocks and a part.
        let kept_from = 4 * BLOCK_BYTES as u64;
        let figures = BacklogFigures {
            is_active: true,
            end: 100_000,
            first_byte: kept_from + 1,
            len: 100_000 - kept_from,
            memory_bytes: 3 * BLOCK_BYTES as u64,
        };
        assert_eq!(backlog.figures(), figures);
        assert!(backlog.read_from(kept_from - 1).is_none());
        assert!(backlog.read_from(100_001).is_none());
        let reader = backlog.read_from(kept_from).unwrap();
        assert!(read(&reader) == bytes(kept_from as usize..100_000));
    }

    #[test]
    fn a_number_of_the_log_has_an_offset() {
        let backlog = active(1000);
        backlog.append(b"0123456789");
        backlog.mark(5);
        backlog.append(b"0123456789");
        backlog.mark(7);
        let offsets = [0, 5, 6, 7, 8].map(|number| backlog.offset_of(number));
        assert_eq!(offsets, [Some(10), Some(10), Some(20), Some(20), None]);
    }

    #[test]
    fn another_stream_is_continued_at_its_offset() {
        let backlog = active(1000);
        backlog.append(b"0123456789");
        let behind = backlog.read_from(3).unwrap();
        backlog.continue_at(5000);
        assert!(!behind.read(AT_ONCE, &mut Vec::new()));
        assert!(behind.offset().is_none() && behind.another().is_none());
        assert!(backlog.read_from(10).is_none());
        let reader = backlog.read_from(5000).unwrap();
        backlog.append(b"ab");
        assert_eq!(read(&reader), b"ab");
        assert_eq!(backlog.end(), 5002);
        backlog.set_active(false);
        assert!(backlog.read_from(5002).is_none());
        assert_eq!(backlog.figures().first_byte, 0);
    }
}
