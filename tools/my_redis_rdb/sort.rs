//! An external merge sort of records: as many as fit the memory are sorted and written to a temporary file, a run; at
//! the end all runs are merged.
//!
//! The files have no names (on Linux they never had one), so nothing is left behind however the process ends. When
//! there are many runs, they are merged into one of the next level, so that few files are open at any time:
//!
//! ```text
//! level 0   run run run ... run     RUNS_PER_LEVEL of them become one of level 1
//! level 1   run run
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

use super::canonical::Record;

/// So many bytes of records are sorted in memory.
const RUN_BYTES: usize = 64 * 1024 * 1024;
const RUNS_PER_LEVEL: usize = 64;

/// Takes records in any order.
pub struct Sorter {
    run_bytes: usize,
    runs_per_level: usize,
    records: Vec<Record>,
    bytes: usize,
    levels: Vec<Vec<File>>,
}

impl Sorter {
    pub fn new() -> Sorter {
        Sorter::with_limits(RUN_BYTES, RUNS_PER_LEVEL)
    }

    fn with_limits(run_bytes: usize, runs_per_level: usize) -> Sorter {
        Sorter {
            run_bytes,
            runs_per_level,
            records: Vec::new(),
            bytes: 0,
            levels: Vec::new(),
        }
    }

    pub fn push(&mut self, record: Record) -> io::Result<()> {
        self.bytes += record.0.len() + size_of::<Record>();
        self.records.push(record);
        if self.bytes >= self.run_bytes {
            self.write_run()?;
        }
        Ok(())
    }

    /// All records in order; those with the same key in the order in which they came.
    pub fn finish(mut self) -> io::Result<Sorted> {
        if self.levels.is_empty() {
            // All of it fits the memory: no file is needed.
            self.sort();
            return Ok(Sorted::Memory(self.records.into_iter()));
        }
        self.write_run()?;
        // Higher levels hold what came earlier.
        let runs = self.levels.into_iter().rev().flatten();
        Ok(Sorted::Files(Merge::new(runs)?))
    }

    fn sort(&mut self) {
        self.records.sort_by(|a, b| a.order().cmp(&b.order()));
    }

    fn write_run(&mut self) -> io::Result<()> {
        self.sort();
        let mut output = BufWriter::new(tempfile::tempfile()?);
        for record in self.records.drain(..) {
            write_record(&mut output, &record)?;
        }
        self.bytes = 0;
        let mut run = output.into_inner().map_err(|error| error.into_error())?;
        let mut level = 0;
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(run);
            if self.levels[level].len() < self.runs_per_level {
                return Ok(());
            }
            let runs = std::mem::take(&mut self.levels[level]);
            let mut output = BufWriter::new(tempfile::tempfile()?);
            for record in Merge::new(runs.into_iter())? {
                write_record(&mut output, &record?)?;
            }
            run = output.into_inner().map_err(|error| error.into_error())?;
            level += 1;
        }
    }
}

fn write_record(output: &mut impl Write, record: &Record) -> io::Result<()> {
    let len = u32::try_from(record.0.len())
        .map_err(|_| io::Error::other("a value of more than 4 GB cannot be compared"))?;
    output.write_all(&len.to_le_bytes())?;
    output.write_all(&record.0)
}

fn read_record(input: &mut impl Read) -> io::Result<Option<Record>> {
    let mut len = [0; 4];
    match input.read_exact(&mut len) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut bytes = vec![0; u32::from_le_bytes(len) as usize];
    input.read_exact(&mut bytes)?;
    Ok(Some(Record(bytes)))
}

/// Records in order.
pub enum Sorted {
    Memory(std::vec::IntoIter<Record>),
    Files(Merge),
}

impl Iterator for Sorted {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<io::Result<Record>> {
        match self {
            Sorted::Memory(records) => records.next().map(Ok),
            Sorted::Files(merge) => merge.next(),
        }
    }
}

/// The first record of each run, the least of them on top.
pub struct Merge {
    heads: BinaryHeap<Reverse<Head>>,
    runs: Vec<BufReader<File>>,
}

struct Head {
    record: Record,
    run: usize,
}

impl Head {
    fn order(&self) -> (&[u8], &[u8], usize) {
        let (database, key) = self.record.order();
        (database, key, self.run)
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}

impl Merge {
    fn new(files: impl Iterator<Item = File>) -> io::Result<Merge> {
        let mut merge = Merge {
            heads: BinaryHeap::new(),
            runs: Vec::new(),
        };
        for mut file in files {
            file.seek(SeekFrom::Start(0))?;
            merge.runs.push(BufReader::with_capacity(128 * 1024, file));
            merge.advance(merge.runs.len() - 1)?;
        }
        Ok(merge)
    }

    /// Takes the next record of a run among the heads.
    fn advance(&mut self, run: usize) -> io::Result<()> {
        if let Some(record) = read_record(&mut self.runs[run])? {
            self.heads.push(Reverse(Head { record, run }));
        }
        Ok(())
    }
}

impl Iterator for Merge {
    type Item = io::Result<Record>;

    fn next(&mut self) -> Option<io::Result<Record>> {
        let Reverse(head) = self.heads.pop()?;
        Some(self.advance(head.run).map(|()| head.record))
    }
}

#[cfg(test)]
mod tests {
    use my_redis_server::rdb::{KeyRecord, Value};

    use super::*;

    fn record(database: u64, key: &str) -> Record {
        let record = KeyRecord {
            key: key.as_bytes().to_vec(),
            expires_at_ms: None,
            idle_seconds: None,
            freq: None,
            value: Value::String(b"v".to_vec()),
        };
        Record::new(database, &record)
    }

    /// With room for 0, a few, or all records: files of several levels, one level, none.
    #[test]
    fn records_come_back_in_order_through_any_number_of_runs() {
        for run_bytes in [1, 400, 1 << 20] {
            let mut sorter = Sorter::with_limits(run_bytes, 3);
            // Names that sort as texts, not as numbers, and a database whose number has a high byte.
            for number in (0..100).rev() {
                let database = if number % 3 == 0 { 256 } else { 1 };
                sorter
                    .push(record(database, &format!("k{number}")))
                    .expect("temporary files can be written");
            }
            let sorted: Vec<_> = sorter
                .finish()
                .expect("temporary files can be read")
                .map(|record| record.expect("temporary files can be read"))
                .map(|record| (record.database(), record.key().to_vec()))
                .collect();
            let mut expected: Vec<_> = (0..100)
                .map(|number| {
                    if number % 3 == 0 {
                        (256, number)
                    } else {
                        (1, number)
                    }
                })
                .map(|(database, number)| (database, format!("k{number}").into_bytes()))
                .collect();
            expected.sort();
            assert_eq!(sorted, expected, "runs of {run_bytes} bytes");
        }
    }
}
