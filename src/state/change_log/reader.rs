//! The reader of the change log: puts the runs of all lanes together, by their numbers.
//!
//! It takes what is in the lanes, and notes for each number which lane has the run that begins with it. Then it goes
//! through the numbers. A run whose turn has not come, because a block before it is still being appended, is kept.

use super::{Blocks, ChangeLog, Head, Hold, LANES, select};
use std::collections::BTreeMap;
use std::sync::Arc;

const MULTI: &[u8] = b"*1\r\n$5\r\nMULTI\r\n";
const EXEC: &[u8] = b"*1\r\n$4\r\nEXEC\r\n";

/// Puts the blocks together.
#[derive(Debug)]
pub struct LogReader {
    log: Arc<ChangeLog>,
    /// What was taken out of each lane.
    taken: Vec<Taken>,
    /// The lane of the run that begins with each number, from `next` on.
    lanes: Vec<u8>,
    /// Runs that came before a block with a lower number.
    early: BTreeMap<u64, (Head, Vec<u8>)>,
    /// The number of the block that comes next.
    next: u64,
}

/// No run begins with a number.
const NO_LANE: u8 = u8::MAX;

/// What was taken out of a lane.
#[derive(Debug, Default)]
struct Taken {
    blocks: Blocks,
    /// How many runs have been read, and their bytes.
    runs_read: usize,
    bytes_read: usize,
}

/// Blocks with consecutive numbers, of the same database and without MULTI.
#[derive(Debug)]
pub struct Run<'a> {
    head: Head,
    bytes: &'a [u8],
}

impl LogReader {
    /// Reads from the end of the log on. What is in the lanes is dropped.
    pub fn new(log: Arc<ChangeLog>) -> LogReader {
        let next = log.end();
        log.lanes.iter().for_each(|lane| lane.lock().clear());
        LogReader {
            taken: (0..LANES).map(|_| Taken::default()).collect(),
            lanes: Vec::new(),
            early: BTreeMap::new(),
            next,
            log,
        }
    }

    /// The number of the block that comes next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Gives what can be read of the blocks before a number to `sink`. `end` says which number that is, when the blocks
    /// have been taken out of the lanes: so it may be set by a thread that holds the locks of all shards, and no block
    /// that comes after that is read.
    pub fn read_before(&mut self, end: impl FnOnce() -> u64, mut sink: impl FnMut(Run<'_>)) {
        self.take_all();
        let end = end();
        self.give_early(end, &mut sink);
        let lanes = std::mem::take(&mut self.lanes);
        let mut taken = std::mem::take(&mut self.taken);
        for lane in lanes.iter().filter(|lane| **lane != NO_LANE) {
            let (head, bytes) = taken[*lane as usize].next();
            if head.number == self.next && self.next < end {
                self.give(head, bytes, &mut sink);
                self.give_early(end, &mut sink);
            } else {
                self.early.insert(head.number, (head, bytes.to_vec()));
            }
        }
        self.taken = taken;
        self.lanes = lanes;
        self.lanes.clear();
        self.taken.iter_mut().for_each(Taken::clear);
    }

    /// Gives the runs whose turn has come since they were taken out of the lanes.
    fn give_early(&mut self, end: u64, sink: &mut impl FnMut(Run<'_>)) {
        while self.next < end
            && let Some((head, bytes)) = self.early.remove(&self.next)
        {
            self.give(head, &bytes, sink);
        }
    }

    /// Gives the run that comes next.
    fn give(&mut self, head: Head, bytes: &[u8], sink: &mut impl FnMut(Run<'_>)) {
        self.next += head.blocks;
        sink(Run { head, bytes });
    }

    /// Takes the blocks out of all lanes, and notes where each run begins.
    fn take_all(&mut self) {
        let lanes = self.log.lanes.iter().zip(&mut self.taken);
        for (number, (lane, taken)) in lanes.enumerate() {
            let mut blocks = lane.lock();
            if blocks.heads.is_empty() {
                continue;
            }
            std::mem::swap(&mut *blocks, &mut taken.blocks);
            drop(blocks);
            for head in &taken.blocks.heads {
                let place = (head.number - self.next) as usize;
                if place >= self.lanes.len() {
                    self.lanes.resize(place + 1, NO_LANE);
                }
                self.lanes[place] = number as u8;
            }
        }
        self.log.release(Hold::Full);
    }
}

impl Taken {
    /// The next run.
    fn next(&mut self) -> (Head, &[u8]) {
        let head = self.blocks.heads[self.runs_read];
        let start = self.bytes_read;
        self.runs_read += 1;
        self.bytes_read += head.len;
        (head, &self.blocks.bytes[start..self.bytes_read])
    }

    fn clear(&mut self) {
        self.blocks.clear();
        self.runs_read = 0;
        self.bytes_read = 0;
    }
}

impl Run<'_> {
    /// Whether it is for replicas alone, because it changes nothing.
    pub fn is_for_replicas(&self) -> bool {
        self.head.is_for_replicas
    }

    /// Appends the run to `out` as it goes over the wire. `selected` is the database that is selected where it is
    /// written, and then the one that is selected after it. As in Redis, MULTI comes before SELECT.
    pub fn write(&self, selected: &mut Option<usize>, out: &mut Vec<u8>) {
        if self.head.is_transaction {
            out.extend_from_slice(MULTI);
        }
        if *selected != Some(self.head.first_database) {
            select(self.head.first_database, out);
        }
        out.extend_from_slice(self.bytes);
        if self.head.is_transaction {
            out.extend_from_slice(EXEC);
        }
        *selected = Some(self.head.last_database);
    }
}
