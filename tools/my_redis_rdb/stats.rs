//! `stats`: what a file is made of. Gathered on the walk of `explain`, so sizes are those in the file, with all
//! lengths.
//!
//! Memory stays small on any file: only the largest keys are kept, and a bounded number of prefixes; keys of prefixes
//! that come later are counted together.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::io::{self, BufWriter, Write};

use my_redis_server::rdb::explain::{
    Excerpt, Field, KeyFacts, ModuleData, Outcome, Place, Section, Sink, StringForm, explain,
    type_name,
};
use my_redis_server::util::clock;

use super::table::{Table, amount, bar, counted, grouped, percent, quoted};
use super::{Trouble, Verdict, input};

/// More prefixes are not told apart.
const MAX_PREFIXES: usize = 10_000;
/// Longer prefixes are cut off here; of names so much is kept.
const MAX_NAME: usize = 64;
/// More function libraries, and more modules, are counted together.
const MAX_LIBRARIES: usize = 1000;
const NAME_WIDTH: usize = 48;
const BAR_WIDTH: usize = 40;

/// The spans into which expiries are counted: name, and up to how many ms from now.
const SPANS: [(&str, i64); 6] = [
    ("expired", 0),
    ("in a minute", 60_000),
    ("in an hour", 3_600_000),
    ("in a day", 86_400_000),
    ("in a week", 7 * 86_400_000),
    ("later", i64::MAX),
];

#[derive(Clone, Copy, Default)]
struct Count {
    keys: u64,
    bytes: u64,
    elements: u64,
}

impl Count {
    fn add(&mut self, facts: &KeyFacts<'_>) {
        self.keys += 1;
        self.bytes += facts.bytes;
        self.elements += facts.elements;
    }
}

/// A large key. Ordered by size, then by name.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct LargeKey {
    bytes: u64,
    /// The beginning of it.
    name: Vec<u8>,
    name_len: u64,
    type_code: u8,
    elements: u64,
    database: u64,
}

struct Stats {
    now_ms: i64,
    top: usize,
    all: Count,
    databases: BTreeMap<u64, Count>,
    types: BTreeMap<u8, Count>,
    prefixes: HashMap<Vec<u8>, Count>,
    other_prefixes: Count,
    largest: BinaryHeap<Reverse<LargeKey>>,
    expiries: [u64; SPANS.len() + 1],
    strings: HashMap<StringForm, (u64, u64, u64)>,
    values_by_form: HashMap<StringForm, u64>,
    /// The first function libraries and modules, by name, and how many more there were.
    libraries: BTreeSet<Vec<u8>>,
    modules: BTreeMap<String, ModuleCount>,
    other_names: u64,
}

/// What a module has in the file.
#[derive(Clone, Copy, Default)]
struct ModuleCount {
    values: u64,
    /// Pieces of data beside the keys.
    aux: u64,
}

impl Sink for Stats {
    fn field(&mut self, _field: &Field<'_>) -> io::Result<()> {
        Ok(())
    }

    fn enter(&mut self, _place: Place, _section: &Section<'_>) -> io::Result<()> {
        Ok(())
    }

    fn leave(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn key(&mut self, facts: &KeyFacts<'_>) -> io::Result<()> {
        self.all.add(facts);
        self.databases.entry(facts.database).or_default().add(facts);
        self.types.entry(facts.type_code).or_default().add(facts);
        self.add_to_prefix(facts);
        self.add_to_largest(facts);
        let span = match facts.expires_at_ms {
            None => SPANS.len(),
            Some(deadline) => {
                let left = deadline.saturating_sub(self.now_ms);
                SPANS
                    .iter()
                    .position(|(_, limit)| left <= *limit)
                    .unwrap_or(SPANS.len() - 1)
            }
        };
        self.expiries[span] += 1;
        if let Some(form) = facts.string_form {
            *self.values_by_form.entry(form).or_default() += 1;
        }
        Ok(())
    }

    fn string(&mut self, form: StringForm, stored: u64, plain: u64) {
        let count = self.strings.entry(form).or_default();
        count.0 += 1;
        count.1 += stored;
        count.2 += plain;
    }

    fn library(&mut self, name: Option<&[u8]>) {
        let name = name.unwrap_or_default();
        let name = &name[..name.len().min(MAX_NAME)];
        if self.libraries.len() < MAX_LIBRARIES || self.libraries.contains(name) {
            self.libraries.insert(name.to_vec());
        } else {
            self.other_names += 1;
        }
    }

    fn module(&mut self, name: &str, data: ModuleData) {
        if self.modules.len() >= MAX_LIBRARIES && !self.modules.contains_key(name) {
            self.other_names += 1;
            return;
        }
        let count = self.modules.entry(name.to_string()).or_default();
        match data {
            ModuleData::Value => count.values += 1,
            ModuleData::Aux => count.aux += 1,
        }
    }
}

impl Stats {
    fn add_to_prefix(&mut self, facts: &KeyFacts<'_>) {
        let name = facts.name.shown;
        let end = name.iter().position(|byte| *byte == b':');
        let prefix = match end {
            Some(end) => &name[..(end + 1).min(MAX_NAME)],
            None => b"",
        };
        if let Some(count) = self.prefixes.get_mut(prefix) {
            count.add(facts);
        } else if self.prefixes.len() < MAX_PREFIXES {
            self.prefixes.entry(prefix.to_vec()).or_default().add(facts);
        } else {
            self.other_prefixes.add(facts);
        }
    }

    fn add_to_largest(&mut self, facts: &KeyFacts<'_>) {
        let is_large = self.largest.len() < self.top
            || self
                .largest
                .peek()
                .is_some_and(|Reverse(least)| facts.bytes > least.bytes);
        if !is_large || self.top == 0 {
            return;
        }
        if self.largest.len() == self.top {
            self.largest.pop();
        }
        let name = &facts.name.shown[..facts.name.shown.len().min(MAX_NAME)];
        self.largest.push(Reverse(LargeKey {
            bytes: facts.bytes,
            name: name.to_vec(),
            name_len: facts.name.total,
            type_code: facts.type_code,
            elements: facts.elements,
            database: facts.database,
        }));
    }
}

pub fn stats(file: &str, top: usize) -> Result<Verdict, Trouble> {
    let input = input::open(file)?;
    let mut stats = Stats {
        now_ms: clock::unix_ms(),
        top,
        all: Count::default(),
        databases: BTreeMap::new(),
        types: BTreeMap::new(),
        prefixes: HashMap::new(),
        other_prefixes: Count::default(),
        largest: BinaryHeap::new(),
        expiries: [0; SPANS.len() + 1],
        strings: HashMap::new(),
        values_by_form: HashMap::new(),
        libraries: BTreeSet::new(),
        modules: BTreeMap::new(),
        other_names: 0,
    };
    let outcome = explain(input, &mut stats)?;
    let mut output = BufWriter::new(io::stdout().lock());
    stats.write(&mut output, input::shown_name(file), &outcome)?;
    output.flush()?;
    Ok(match outcome.fault {
        None => Verdict::Good,
        Some(_) => Verdict::Bad,
    })
}

impl Stats {
    fn write(&self, output: &mut impl Write, file: &str, outcome: &Outcome) -> io::Result<()> {
        writeln!(
            output,
            "{file}: {}, {}",
            counted(self.all.keys, "key"),
            counted(outcome.explained + outcome.rest, "byte")
        )?;
        if let Some(fault) = &outcome.fault {
            writeln!(output, "FAULT {fault}")?;
            writeln!(output, "The figures are those of the keys before it.")?;
        }
        self.write_libraries(output)?;
        if self.all.keys == 0 {
            return Ok(());
        }
        self.write_databases(output)?;
        self.write_types(output)?;
        self.write_prefixes(output)?;
        self.write_largest(output)?;
        self.write_expiries(output)?;
        self.write_strings(output)
    }

    fn count_cells(&self, name: String, count: &Count) -> Vec<String> {
        vec![
            name,
            grouped(count.keys),
            percent(count.keys, self.all.keys),
            amount(count.bytes),
            percent(count.bytes, self.all.bytes),
            format!("{:.1}", count.bytes as f64 / count.keys.max(1) as f64),
        ]
    }

    fn write_databases(&self, output: &mut impl Write) -> io::Result<()> {
        if self.databases.len() < 2 {
            return Ok(());
        }
        writeln!(output, "\nDatabases")?;
        let head = ["database", "keys", "", "bytes", "", "bytes a key"];
        let mut table = Table::new(&head, &[1, 2, 3, 4, 5]);
        for (number, count) in &self.databases {
            table.row(self.count_cells(number.to_string(), count));
        }
        table.write(output)
    }

    fn write_types(&self, output: &mut impl Write) -> io::Result<()> {
        writeln!(output, "\nValue types")?;
        let head = [
            "type",
            "keys",
            "",
            "bytes",
            "",
            "bytes a key",
            "elements",
            "",
        ];
        let mut table = Table::new(&head, &[1, 2, 3, 4, 5, 6]);
        for (type_code, count) in &self.types {
            let (name, says) = type_name(*type_code);
            let mut cells = self.count_cells(format!("{type_code:>2} {name}"), count);
            cells.push(grouped(count.elements));
            cells.push(says.to_string());
            table.row(cells);
        }
        table.write(output)
    }

    /// Function libraries and modules, if there are any.
    fn write_libraries(&self, output: &mut impl Write) -> io::Result<()> {
        if !self.libraries.is_empty() {
            writeln!(output, "\nFunction libraries")?;
            for name in &self.libraries {
                match name.as_slice() {
                    b"" => writeln!(output, "  (no name)")?,
                    name => writeln!(output, "  {}", quoted(Excerpt::of(name), NAME_WIDTH))?,
                }
            }
        }
        if !self.modules.is_empty() {
            writeln!(output, "\nModules")?;
            let mut table = Table::new(&["module", "values of keys", "beside the keys"], &[1, 2]);
            for (name, count) in &self.modules {
                let counts = [count.values, count.aux].map(grouped);
                table.row([&[name.clone()][..], &counts].concat());
            }
            table.write(output)?;
        }
        if self.other_names > 0 {
            writeln!(output, "({} more)", grouped(self.other_names))?;
        }
        Ok(())
    }

    fn write_prefixes(&self, output: &mut impl Write) -> io::Result<()> {
        let mut prefixes: Vec<_> = self.prefixes.iter().collect();
        prefixes.sort_by_key(|(name, count)| (Reverse(count.bytes), *name));
        writeln!(output, "\nPrefixes of names, up to the first colon")?;
        let head = ["prefix", "keys", "", "bytes", "", "bytes a key"];
        let mut table = Table::new(&head, &[1, 2, 3, 4, 5]);
        for (name, count) in prefixes.iter().take(self.top) {
            let name = match name.as_slice() {
                b"" => "(no colon)".to_string(),
                name => quoted(Excerpt::of(name), NAME_WIDTH),
            };
            table.row(self.count_cells(name, count));
        }
        let rest = prefixes.iter().skip(self.top);
        let mut others = self.other_prefixes;
        let mut more = 0;
        for (_, count) in rest {
            more += 1;
            others.keys += count.keys;
            others.bytes += count.bytes;
        }
        if others.keys > 0 {
            let name = match self.other_prefixes.keys {
                0 => format!("({more} more)"),
                _ => format!("({more} more, and those that came after {MAX_PREFIXES})"),
            };
            table.row(self.count_cells(name, &others));
        }
        table.write(output)
    }

    fn write_largest(&self, output: &mut impl Write) -> io::Result<()> {
        writeln!(output, "\nLargest keys")?;
        let head = ["key", "database", "type", "elements", "bytes"];
        let mut table = Table::new(&head, &[1, 3, 4]);
        let mut keys: Vec<_> = self.largest.iter().map(|Reverse(key)| key).collect();
        keys.sort_by_key(|key| (Reverse(key.bytes), &key.name));
        for key in keys {
            let name = Excerpt {
                shown: &key.name,
                total: key.name_len,
            };
            table.row(vec![
                quoted(name, NAME_WIDTH),
                key.database.to_string(),
                type_name(key.type_code).0.to_string(),
                grouped(key.elements),
                grouped(key.bytes),
            ]);
        }
        table.write(output)
    }

    fn write_expiries(&self, output: &mut impl Write) -> io::Result<()> {
        writeln!(output, "\nExpiry, seen from now")?;
        let mut table = Table::new(&["when", "keys", "", ""], &[1, 2]);
        let names = SPANS.iter().map(|(name, _)| *name).chain(["never"]);
        for (name, count) in names.zip(self.expiries) {
            table.row(vec![
                name.to_string(),
                grouped(count),
                percent(count, self.all.keys),
                bar(count, self.all.keys, BAR_WIDTH),
            ]);
        }
        table.write(output)
    }

    fn write_strings(&self, output: &mut impl Write) -> io::Result<()> {
        writeln!(
            output,
            "\nStrings by form: names, values, elements, packed blocks"
        )?;
        let head = [
            "form",
            "strings",
            "in the file",
            "plain",
            "",
            "values of keys",
        ];
        let mut table = Table::new(&head, &[1, 2, 3, 4, 5]);
        for form in StringForm::ALL {
            let (count, stored, plain) = self.strings.get(&form).copied().unwrap_or_default();
            if count == 0 {
                continue;
            }
            let values = self.values_by_form.get(&form).copied().unwrap_or(0);
            table.row(vec![
                form.name().to_string(),
                grouped(count),
                amount(stored),
                amount(plain),
                percent(stored, plain),
                grouped(values),
            ]);
        }
        table.write(output)
    }
}
