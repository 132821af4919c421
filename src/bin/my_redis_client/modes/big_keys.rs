//! The largest key of each type: `--bigkeys` by the number of elements, `--memkeys` by the memory.

use super::survey::{self, Survey, ask_for_each};
use crate::output::Output;
use crate::session::{Failed, Session};
use crate::terminal::complain;
use my_redis_server::resp::decoder::Value;
use my_redis_server::util::quoting::quoted;

/// How keys are measured.
#[derive(Clone, Copy, PartialEq)]
pub enum Measure {
    /// By what the command for their type counts.
    Elements,
    /// By MEMORY USAGE.
    Memory,
}

/// What is known of the keys of a type.
struct Kind {
    name: String,
    /// The command that counts, and what it counts; nothing for types that this client does not know.
    counted_by: Option<(&'static str, &'static str)>,
    keys: u64,
    size: u64,
    biggest: Option<(String, u64)>,
}

impl Kind {
    /// A type of which no key has been found.
    fn new(name: &str, counted_by: Option<(&'static str, &'static str)>) -> Kind {
        Kind {
            name: name.into(),
            counted_by,
            keys: 0,
            size: 0,
            biggest: None,
        }
    }
}

/// The types that this client knows, in the order of the summary of two keys and more.
const KINDS: [(&str, &str, &str); 6] = [
    ("list", "LLEN", "items"),
    ("hash", "HLEN", "fields"),
    ("string", "STRLEN", "bytes"),
    ("stream", "XLEN", "entries"),
    ("set", "SCARD", "members"),
    ("zset", "ZCARD", "members"),
];

/// What the survey has found.
struct Found {
    measure: Measure,
    /// How often a key was asked for its type.
    look_ups: u64,
    kinds: Vec<Kind>,
    key_bytes: u64,
}

/// Looks through all keys, and tells each that is larger than those before it, and a summary.
pub fn find(session: &mut Session, measure: Measure) -> Result<(), Failed> {
    let kinds = KINDS.map(|(name, command, unit)| Kind::new(name, Some((command, unit))));
    let mut found = Found {
        measure,
        look_ups: 0,
        kinds: kinds.into(),
        key_bytes: 0,
    };
    let survey = survey::run(session, "biggest", |keys, survey, session| {
        found.look_at(keys, survey, session)
    })?;
    session.output.bytes(found.summary(&survey).as_bytes());
    Ok(())
}

impl Found {
    fn look_at(
        &mut self,
        keys: &[Vec<u8>],
        survey: &mut Survey,
        session: &mut Session,
    ) -> Result<(), Failed> {
        let types: Vec<_> = keys
            .iter()
            .map(|key| vec![b"TYPE".to_vec(), key.clone()])
            .collect();
        let types = ask_for_each(session, &types)?;
        let mut found = Vec::new();
        let mut requests = Vec::new();
        for (key, kind) in keys.iter().zip(&types) {
            if let Value::Error(text) = kind {
                complain!("TYPE returned an error: {}", String::from_utf8_lossy(text));
                return Err(Failed);
            }
            self.look_ups += 1;
            // A key may be gone since SCAN has told it.
            let kind = kind.text();
            if kind != "none" {
                let kind = self.kind(&kind);
                let request = self.request(kind, key, session.options.memory_samples);
                requests.extend(request.clone());
                found.push((key, kind, request.is_some()));
            }
        }
        let mut sizes = ask_for_each(session, &requests)?.into_iter();
        for (key, kind, is_measured) in found {
            let reply = is_measured.then(|| sizes.next()).flatten();
            let size = self.size(reply, kind, key);
            self.add(key, kind, size, survey, &session.output);
            survey.count(&session.output);
        }
        Ok(())
    }

    /// The index of a type, which is added if it is new.
    fn kind(&mut self, name: &str) -> usize {
        let known = self.kinds.iter().position(|kind| kind.name == name);
        known.unwrap_or_else(|| {
            self.kinds.push(Kind::new(name, None));
            self.kinds.len() - 1
        })
    }

    /// The request for the size of a key, if there is one for its type.
    fn request(&self, kind: usize, key: &[u8], samples: Option<i64>) -> Option<Vec<Vec<u8>>> {
        match (self.measure, self.kinds[kind].counted_by) {
            (Measure::Memory, _) => {
                let mut request = vec![b"MEMORY".to_vec(), b"USAGE".to_vec(), key.to_vec()];
                if let Some(samples) = samples {
                    request.extend([b"SAMPLES".to_vec(), samples.to_string().into_bytes()]);
                }
                Some(request)
            }
            (Measure::Elements, Some((command, _))) => Some(vec![command.into(), key.to_vec()]),
            (Measure::Elements, None) => None,
        }
    }

    fn size(&self, reply: Option<Value>, kind: usize, key: &[u8]) -> u64 {
        match reply {
            None => 0,
            Some(Value::Integer(size)) => size.max(0) as u64,
            // The key may be another one since it has told its type.
            Some(_) => {
                let command = match (self.measure, self.kinds[kind].counted_by) {
                    (Measure::Elements, Some((command, _))) => command,
                    _ => "MEMORY USAGE",
                };
                let key = String::from_utf8_lossy(key);
                complain!("Warning:  {command} on '{key}' failed (may have changed type)");
                0
            }
        }
    }

    fn unit(&self, kind: &Kind) -> &'static str {
        match (self.measure, kind.counted_by) {
            (Measure::Memory, _) => "bytes",
            (Measure::Elements, Some((_, unit))) => unit,
            (Measure::Elements, None) => "?",
        }
    }

    /// Adds a key, and tells if it is the largest of its type so far.
    fn add(&mut self, key: &[u8], kind: usize, size: u64, survey: &Survey, output: &Output) {
        self.key_bytes += key.len() as u64;
        let unit = self.unit(&self.kinds[kind]);
        let kind = &mut self.kinds[kind];
        kind.keys += 1;
        kind.size = kind.size.saturating_add(size);
        let biggest = kind.biggest.as_ref().map_or(0, |(_, size)| *size);
        if biggest < size {
            let key = quoted(key);
            let name = &kind.name;
            let line = format!("Biggest {name:<6} found so far '{key}' with {size} {unit}");
            survey.tell(&line, output);
            kind.biggest = Some((key, size));
        }
    }

    /// The types in the order of the summary. redis-cli has them in a hash table that has just grown: the first two
    /// look-ups move some of them to their places in the larger table.
    fn in_order(&self) -> impl Iterator<Item = &Kind> {
        let first = match self.look_ups {
            0 => ["hash", "list", "string"],
            1 => ["string", "list", "hash"],
            _ => ["list", "hash", "string"],
        };
        let of_name = move |name| self.kinds.iter().find(move |kind| kind.name == name);
        let others = self.kinds.iter();
        let others = others.filter(move |kind| !first.contains(&kind.name.as_str()));
        first.into_iter().filter_map(of_name).chain(others)
    }

    fn summary(&self, survey: &Survey) -> String {
        let mut text = survey.summary();
        text += &format!(
            "Total key length in bytes is {} (avg len {:.2})\n\n",
            self.key_bytes,
            ratio(self.key_bytes, survey.keys)
        );
        for kind in self.in_order() {
            if let Some((key, size)) = &kind.biggest {
                let unit = self.unit(kind);
                text += &format!("Biggest {:>6} found '{key}' has {size} {unit}\n", kind.name);
            }
        }
        text.push('\n');
        for kind in self.in_order() {
            text += &format!(
                "{} {}s with {} {} ({:05.2}% of keys, avg size {:.2})\n",
                kind.keys,
                kind.name,
                kind.size,
                self.unit(kind),
                100.0 * ratio(kind.keys, survey.keys),
                ratio(kind.size, kind.keys)
            );
        }
        text
    }
}

/// A part of a whole, which is 0 if the whole is.
fn ratio(part: u64, whole: u64) -> f64 {
    match whole {
        0 => 0.0,
        whole => part as f64 / whole as f64,
    }
}
