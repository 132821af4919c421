//! Replies about streams, some values of which depend on the clock: IDs made by `XADD s *`, and the times of consumers
//! and of pending entries.

use my_redis_server::resp::decoder::Value;

/// Milliseconds that two clocked values may be apart.
const NEAR_MS: i64 = 5000;

/// What XINFO tells of a consumer since 7.2: when it last received an entry.
const NEW_IN_7_2: [&[u8]; 2] = [b"inactive", b"active-time"];

/// IDs made of the clock. The tests give their own entries smaller ones.
const FIRST_OF_TODAY: i64 = 1_000_000_000_000;

/// Whether the replies are the same, apart from what is new in 7.2, and from distances between two clocks:
///
/// - numbers that are named `idle` or `seen-time`,
/// - milliseconds in lists of pending entries, which are `[ID, consumer, milliseconds, deliveries]`, or
///   `[ID, milliseconds, deliveries]` in the list of one consumer,
/// - IDs made of the clock.
pub fn is_same(ours: &Value, real: &Value) -> bool {
    match (ours, real) {
        (Value::Array(ours), Value::Array(real)) => are_same(&without_news(ours), real),
        (Value::Map(ours), Value::Map(real)) => are_same(&without_news(&flat(ours)), &flat(real)),
        (Value::Bulk(ours), Value::Bulk(real)) if ours != real => {
            let [ours, real] = [ours, real].map(|text| milliseconds(text));
            ours.zip(real)
                .is_some_and(|(ours, real)| is_near(ours, real))
        }
        (ours, real) => ours == real,
    }
}

fn are_same(ours: &[Value], real: &[Value]) -> bool {
    let is_same = |index: usize| match (&ours[index], &real[index]) {
        (Value::Integer(ours), Value::Integer(theirs)) if is_time(real, index) => {
            is_near(*ours, *theirs)
        }
        (ours, real) => is_same(ours, real),
    };
    ours.len() == real.len() && (0..ours.len()).all(is_same)
}

/// Whether the element of a list is a time.
fn is_time(list: &[Value], index: usize) -> bool {
    use Value::{Bulk, Integer};
    let before = index.checked_sub(1).map(|before| &list[before]);
    let is_named = matches!(before, Some(Bulk(name)) if name == b"idle" || name == b"seen-time");
    let of_group = matches!(list, [Bulk(_), Bulk(_), Integer(_), Integer(_)]) && index == 2;
    let of_consumer = matches!(list, [Bulk(_), Integer(_), Integer(_)]) && index == 1;
    is_named || of_group || of_consumer
}

fn is_near(ours: i64, real: i64) -> bool {
    ours.abs_diff(real) <= NEAR_MS.unsigned_abs()
}

/// The milliseconds of an ID that was made of the clock.
fn milliseconds(text: &[u8]) -> Option<i64> {
    let (ms, seq) = std::str::from_utf8(text).ok()?.split_once('-')?;
    seq.parse::<u64>().ok()?;
    ms.parse().ok().filter(|ms| *ms >= FIRST_OF_TODAY)
}

/// The names and values of a map, as RESP2 lists them.
fn flat(pairs: &[(Value, Value)]) -> Vec<Value> {
    let pairs = pairs.iter().cloned();
    pairs.flat_map(|(name, value)| [name, value]).collect()
}

/// A list of names and values without those that are new.
fn without_news(list: &[Value]) -> Vec<Value> {
    let is_new =
        |it: &&[Value]| matches!(&it[0], Value::Bulk(name) if NEW_IN_7_2.contains(&&name[..]));
    let pairs = list.chunks(2).filter(|pair| !is_new(pair));
    pairs.flatten().cloned().collect()
}
