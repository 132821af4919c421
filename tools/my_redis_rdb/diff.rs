//! `diff`: which keys two files do not share. Each is read once, brought into order (see `sort`), and then both are
//! walked side by side; so neither has to fit the memory.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};

use my_redis_server::rdb::explain::Excerpt;
use my_redis_server::rdb::{Item, Reader};
use my_redis_server::util::clock;

use super::canonical::Record;
use super::sort::{Sorted, Sorter};
use super::table::{counted, grouped, quoted};
use super::{Trouble, Verdict, input};

const NAME_WIDTH: usize = 60;
const VALUE_WIDTH: usize = 44;

pub fn diff(a: &str, b: &str, first: usize) -> Result<Verdict, Trouble> {
    let left = sorted(a)?;
    let right = sorted(b)?;
    let mut output = BufWriter::new(io::stdout().lock());
    let mut differ = Diff {
        output: &mut output,
        names: [input::shown_name(a), input::shown_name(b)],
        first,
        counts: Counts::default(),
    };
    differ.walk(left, right)?;
    let verdict = differ.summary()?;
    output.flush()?;
    Ok(verdict)
}

/// The keys of a file in order.
fn sorted(file: &str) -> Result<Sorted, Trouble> {
    let name = input::shown_name(file);
    let bad = |error: my_redis_server::rdb::RdbError| Trouble::Fault(format!("{name}: {error}"));
    let temporary =
        |error: io::Error| Trouble::Input(format!("cannot sort in a temporary file: {error}"));
    let mut reader = Reader::new(input::open(file)?).map_err(bad)?;
    let mut sorter = Sorter::new();
    let mut database = 0;
    while let Some(item) = reader.next().map_err(bad)? {
        match item {
            Item::SelectDb(number) => database = number,
            Item::Key(record) => sorter
                .push(Record::new(database, &record))
                .map_err(temporary)?,
            _ => {}
        }
    }
    sorter.finish().map_err(temporary)
}

#[derive(Default)]
struct Counts {
    same: u64,
    differing: u64,
    only: [u64; 2],
}

struct Diff<'a, W> {
    output: &'a mut W,
    names: [&'a str; 2],
    first: usize,
    counts: Counts,
}

impl<W: Write> Diff<'_, W> {
    fn walk(&mut self, mut left: Sorted, mut right: Sorted) -> io::Result<()> {
        let [a, b] = self.names;
        writeln!(
            self.output,
            "- only in {a}\n+ only in {b}\n~ in both, but differing, as {a} | {b}\n"
        )?;
        let mut a = left.next().transpose()?;
        let mut b = right.next().transpose()?;
        loop {
            let order = match (&a, &b) {
                (None, None) => return Ok(()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.order().cmp(&b.order()),
            };
            match order {
                Ordering::Less => self.only(0, &a)?,
                Ordering::Greater => self.only(1, &b)?,
                Ordering::Equal => self.both(&a, &b)?,
            }
            if order != Ordering::Greater {
                a = left.next().transpose()?;
            }
            if order != Ordering::Less {
                b = right.next().transpose()?;
            }
        }
    }

    fn only(&mut self, side: usize, record: &Option<Record>) -> io::Result<()> {
        let Some(record) = record else {
            return Ok(());
        };
        self.counts.only[side] += 1;
        let sign = ['-', '+'][side];
        let (title, kind) = (title(record), record.type_name());
        writeln!(self.output, "{sign} {title}: {kind}")
    }

    fn both(&mut self, a: &Option<Record>, b: &Option<Record>) -> io::Result<()> {
        let (Some(a), Some(b)) = (a, b) else {
            return Ok(());
        };
        if a == b {
            self.counts.same += 1;
            return Ok(());
        }
        self.counts.differing += 1;
        writeln!(self.output, "~ {}", title(a))?;
        if a.type_name() != b.type_name() {
            writeln!(
                self.output,
                "    type: {} | {}",
                a.type_name(),
                b.type_name()
            )?;
        }
        let (before, after) = (a.expires_at_ms(), b.expires_at_ms());
        if before != after {
            writeln!(
                self.output,
                "    expiry: {} | {}",
                time(before),
                time(after)
            )?;
        }
        if a.type_name() != b.type_name() {
            return Ok(());
        }
        match a.type_name() {
            "list" => self.lists(a, b),
            "string" | "module" => self.strings(a, b),
            "set" => self.named("member", a, b),
            "zset" => self.named("score of", a, b),
            "hash" => self.named("field", a, b),
            _ => self.named("", a, b),
        }
    }

    fn strings(&mut self, a: &Record, b: &Record) -> io::Result<()> {
        let value = |record: &Record| {
            let item = record.items().next();
            item.map_or(Vec::new(), |(_, value)| value.to_vec())
        };
        let (a, b) = (value(a), value(b));
        if a == b {
            return Ok(());
        }
        writeln!(self.output, "    value: {} | {}", cell(&a), cell(&b))?;
        let same = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
        if a.len() > 8 || b.len() > 8 {
            let (a, b) = (grouped(a.len() as u64), grouped(b.len() as u64));
            writeln!(
                self.output,
                "           {a} | {b} bytes, differing from byte {same} on"
            )?;
        }
        Ok(())
    }

    fn lists(&mut self, a: &Record, b: &Record) -> io::Result<()> {
        let (a_len, b_len) = (a.items().count(), b.items().count());
        if a_len != b_len {
            writeln!(self.output, "    elements: {a_len} | {b_len}")?;
        }
        let differing = a
            .items()
            .zip(b.items())
            .enumerate()
            .filter(|(_, (a, b))| a != b);
        let mut count = 0;
        for (index, ((_, a), (_, b))) in differing {
            count += 1;
            if count <= self.first {
                writeln!(self.output, "    [{index}]: {} | {}", cell(a), cell(b))?;
            }
        }
        self.more(count)
    }

    /// Items with names, which are compared name by name.
    fn named(&mut self, what: &str, a: &Record, b: &Record) -> io::Result<()> {
        // A field may be there twice in a damaged file: then all its values count.
        let mut items: BTreeMap<&[u8], [Vec<&[u8]>; 2]> = BTreeMap::new();
        for (side, record) in [a, b].into_iter().enumerate() {
            for (name, value) in record.items() {
                items.entry(name).or_default()[side].push(value);
            }
        }
        let mut count = 0;
        for (name, [a, b]) in items.iter().filter(|(_, [a, b])| a != b) {
            count += 1;
            if count > self.first {
                continue;
            }
            let shown = |values: &[&[u8]]| match values {
                [] => "absent".to_string(),
                [b""] if what == "member" => "present".to_string(),
                [value] if what == "field" => cell(value),
                [value] => String::from_utf8_lossy(value).into_owned(),
                _ => format!("{} values", values.len()),
            };
            let name = match what {
                "" => String::from_utf8_lossy(name).into_owned(),
                _ => format!("{what} {}", quoted(Excerpt::of(name), NAME_WIDTH)),
            };
            writeln!(self.output, "    {name}: {} | {}", shown(a), shown(b))?;
        }
        self.more(count)
    }

    fn more(&mut self, count: usize) -> io::Result<()> {
        match count.saturating_sub(self.first) {
            0 => Ok(()),
            more => writeln!(self.output, "    and {} more", grouped(more as u64)),
        }
    }

    fn summary(&mut self) -> io::Result<Verdict> {
        let Counts {
            same,
            differing,
            only: [left, right],
        } = self.counts;
        let same = counted(same, "key");
        if differing + left + right == 0 {
            writeln!(self.output, "The same: {same}.")?;
            return Ok(Verdict::Good);
        }
        let [differing, left, right] = [differing, left, right].map(grouped);
        writeln!(
            self.output,
            "\nOnly in the first: {left}. Only in the second: {right}. Differing: {differing}. The same: {same}."
        )?;
        Ok(Verdict::Bad)
    }
}

fn title(record: &Record) -> String {
    let name = quoted(Excerpt::of(record.key()), NAME_WIDTH);
    format!("db {} key {name}", record.database())
}

fn cell(bytes: &[u8]) -> String {
    quoted(Excerpt::of(bytes), VALUE_WIDTH)
}

fn time(ms: Option<i64>) -> String {
    match ms {
        None => "never".to_string(),
        Some(ms) => format!("{} ({ms})", clock::log_time(ms)),
    }
}
