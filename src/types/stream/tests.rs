//! Streams against plain models: entries with trims and deletions, groups with their pending entries. And blocks
//! against the bytes of Redis.

use super::*;
use std::collections::BTreeMap;

const LIMITS: BlockLimits = BlockLimits {
    bytes: 4096,
    entries: 100,
};

fn id(ms: u64, seq: u64) -> StreamId {
    StreamId::new(ms, seq)
}

/// What an entry holds, as texts.
fn texts(entry: &Entry<'_>) -> Vec<Vec<u8>> {
    let mut digits = itoa::Buffer::new();
    let mut texts = Vec::new();
    for (field, value) in entry.fields() {
        texts.push(field.text(&mut digits).to_vec());
        texts.push(value.text(&mut digits).to_vec());
    }
    texts
}

/// The listpack that Redis 7.2.4 had in the dump of a stream after
/// `XADD s 5-1 a 1 b x`, `XADD s 5-3 a 300 b y`, `XADD s 7-0 c z` and `XDEL s 5-3`.
#[test]
fn blocks_are_those_of_redis() {
    let mut entries = Entries::default();
    entries.append(id(5, 1), &[b"a", b"1", b"b", b"x"], LIMITS);
    entries.append(id(5, 3), &[b"a", b"300", b"b", b"y"], LIMITS);
    entries.append(id(7, 0), &[b"c", b"z"], LIMITS);
    assert!(entries.delete(id(5, 3)));
    let expected = b"A\0\0\0\x19\0\x02\x01\x01\x01\x02\x01\x81a\x02\x81b\x02\0\x01\
        \x02\x01\0\x01\0\x01\x01\x01\x81x\x02\x05\x01\
        \x03\x01\0\x01\x02\x01\xc1,\x02\x81y\x02\x05\x01\
        \0\x01\x02\x01\xdf\xff\x02\x01\x01\x81c\x02\x81z\x02\x06\x01\xff";
    assert_eq!(
        entries.listpacks().collect::<Vec<_>>(),
        [(id(5, 1), &expected[..])]
    );
}

/// A block gets no further entry once it has as many entries or bytes as the limits say. The numbers of blocks are
/// those that XINFO STREAM of Redis 7.2.4 told.
#[test]
fn limits_of_blocks() {
    let blocks = |bytes, entries, count| {
        let mut stream = Entries::default();
        let limits = BlockLimits { bytes, entries };
        for ms in 1..=count {
            stream.append(id(ms, 0), &[b"field", b"some value"], limits);
        }
        stream.block_count()
    };
    assert_eq!(blocks(4096, 100, 1000), 10);
    assert_eq!(blocks(4096, 0, 1000), 5);
    assert_eq!(blocks(100, 100, 100), 25);
    assert_eq!(blocks(0, 0, 1000), 1);
    assert_eq!(blocks(0, 1, 10), 10);
}

/// Random changes of a stream and of a plain map. Clones keep what they saw.
#[test]
fn entries_behave_like_an_ordered_map() {
    type Model = BTreeMap<StreamId, Vec<Vec<u8>>>;
    let check = |entries: &Entries, model: &Model, random: &mut fastrand::Rng| {
        assert_eq!(entries.len(), model.len() as u64);
        let mut ends = [(); 2].map(|()| id(random.u64(..400), random.u64(..3)));
        if random.bool() {
            ends.sort();
        }
        let [first, last] = ends;
        let expected: Vec<_> = model
            .iter()
            .filter(|(id, _)| (first..=last).contains(*id))
            .map(|(id, texts)| (*id, texts.clone()))
            .collect();
        let read = |entry: Entry<'_>| (entry.id, texts(&entry));
        let found: Vec<_> = entries.range(first, last).map(read).collect();
        assert_eq!(found, expected);
        let mut found: Vec<_> = entries.range_back(first, last).map(read).collect();
        found.reverse();
        assert_eq!(found, expected);
        assert_eq!(entries.count(first, last), expected.len() as u64);
        assert_eq!(
            entries.get(first).map(read).map(|(_, texts)| texts),
            model.get(&first).cloned()
        );
        let ids = |entry: Option<Entry<'_>>| entry.map(|entry| entry.id);
        assert_eq!(ids(entries.first()), model.keys().next().copied());
        assert_eq!(ids(entries.last()), model.keys().next_back().copied());
        let first_id = model.keys().next().copied().unwrap_or_default();
        assert_eq!(entries.history().first_id, first_id);
    };
    for seed in 0..10 {
        let mut random = fastrand::Rng::with_seed(seed);
        let limits = BlockLimits {
            bytes: [100, 400, 4096][random.usize(..3)],
            entries: [3, 20, 0][random.usize(..3)],
        };
        let (mut entries, mut model) = (Entries::default(), Model::new());
        let mut clones = Vec::new();
        let mut added = 0;
        while entries.history().last_id.ms < 400 {
            let last = entries.history().last_id;
            match random.u32(..20) {
                0 => {
                    let most = model.len() as u64 - random.u64(..=model.len() as u64 / 4);
                    entries.trim(Trim::MaxLen(most), false, None);
                    while model.len() as u64 > most {
                        model.pop_first();
                    }
                }
                1 => {
                    let least = id(random.u64(..=last.ms / 2), random.u64(..3));
                    let kept = model.split_off(&least);
                    let removed = entries.trim(Trim::MinId(least), false, None);
                    assert_eq!(removed, std::mem::replace(&mut model, kept).len() as u64);
                }
                2..6 => {
                    let id = id(random.u64(..=last.ms), random.u64(..3));
                    assert_eq!(entries.delete(id), model.remove(&id).is_some());
                }
                6 => clones.push((entries.clone(), model.clone())),
                _ => {
                    let next = match random.bool() {
                        true => id(last.ms + random.u64(1..3), random.u64(..2)),
                        false => last.next().expect("a small ID"),
                    };
                    let pairs: Vec<Vec<u8>> = match random.bool() {
                        true => vec![b"f".to_vec(), next.to_string().into_bytes()],
                        false => (0..random.usize(1..4) * 2)
                            .map(|_| random.i32(-500..50_000).to_string().into_bytes())
                            .collect(),
                    };
                    let borrowed: Vec<&[u8]> = pairs.iter().map(Vec::as_slice).collect();
                    entries.append(next, &borrowed, limits);
                    model.insert(next, pairs);
                    added += 1;
                }
            }
            assert_eq!(entries.history().entries_added, added);
            check(&entries, &model, &mut random);
        }
        for (entries, model) in clones {
            check(&entries, &model, &mut random);
        }
    }
}

/// Whole blocks alone go, and no more entries than the limit says.
#[test]
fn approximate_trims_remove_whole_blocks() {
    let stream = || {
        let mut entries = Entries::default();
        let limits = BlockLimits {
            bytes: 4096,
            entries: 10,
        };
        (1..=95).for_each(|ms| entries.append(id(ms, 0), &[b"f", b"v"], limits));
        entries
    };
    for (to, limit, removed) in [
        (Trim::MaxLen(100), None, 0),
        (Trim::MaxLen(90), None, 0),
        (Trim::MaxLen(85), None, 10),
        (Trim::MaxLen(84), None, 10),
        (Trim::MaxLen(0), None, 95),
        (Trim::MaxLen(0), Some(9), 0),
        (Trim::MaxLen(0), Some(25), 20),
        (Trim::MinId(id(31, 0)), None, 30),
        (Trim::MinId(id(40, 0)), None, 30),
        (Trim::MinId(id(40, 1)), None, 40),
        (Trim::MinId(StreamId::MAX), Some(94), 90),
    ] {
        assert_eq!(stream().trim(to, true, limit), removed, "{to:?} {limit:?}");
    }
}

#[test]
fn ids_ascend_whatever_the_clock_says() {
    let mut entries = Entries::default();
    assert_eq!(entries.next_id(0), Some(id(0, 1)));
    assert_eq!(entries.next_id(-5), Some(id(0, 1)));
    entries.append(id(1000, 7), &[b"f", b"v"], LIMITS);
    assert_eq!(entries.next_id(1001), Some(id(1001, 0)));
    assert_eq!(entries.next_id(1000), Some(id(1000, 8)));
    assert_eq!(entries.next_id(10), Some(id(1000, 8)));
    entries.append(id(1000, u64::MAX), &[b"f", b"v"], LIMITS);
    assert_eq!(entries.next_id(10), Some(id(1001, 0)));
    entries.append(StreamId::MAX, &[b"f", b"v"], LIMITS);
    assert_eq!(entries.next_id(10), None);
}

/// The two views of what is pending agree.
fn check_group(group: &ConsumerGroup) {
    let mut by_consumer: Vec<(StreamId, Name)> = Vec::new();
    for (name, consumer) in group.consumers().iter() {
        assert_eq!(*name, consumer.name);
        by_consumer.extend(
            consumer
                .pending()
                .iter()
                .map(|(id, ())| (*id, name.clone())),
        );
    }
    by_consumer.sort();
    let pending = group.pending().iter();
    let by_id: Vec<_> = pending
        .map(|(id, pending)| (*id, pending.consumer.clone()))
        .collect();
    assert_eq!(by_id, by_consumer);
}

#[test]
fn groups_behave_like_a_map_of_owners() {
    const CONSUMERS: [&[u8]; 3] = [b"ann", b"bob", b"cid"];
    for seed in 0..10 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut group = ConsumerGroup::default();
        let mut owners: BTreeMap<StreamId, &[u8]> = BTreeMap::new();
        let mut clones = Vec::new();
        for now_ms in 0..3000 {
            let id = id(random.u64(..200), 0);
            let name = CONSUMERS[random.usize(..3)];
            match random.u32(..100) {
                0 => {
                    let removed = owners.values().filter(|owner| **owner == name).count();
                    let expected = group.consumer(name).map(|_| removed);
                    assert_eq!(group.remove_consumer(name), expected);
                    owners.retain(|_, owner| *owner != name);
                }
                1 => clones.push((group.clone(), owners.clone())),
                2..40 => {
                    let expected = owners.remove(&id);
                    let acknowledged = group.acknowledge(id).map(|pending| pending.consumer);
                    assert_eq!(acknowledged.as_deref(), expected);
                }
                _ => {
                    group.mark_seen(name, now_ms);
                    let pending = Pending {
                        consumer: Name::from(name),
                        delivered_at_ms: now_ms,
                        deliveries: 1,
                    };
                    group.assign(id, pending);
                    owners.insert(id, name);
                }
            }
            clones.truncate(20);
        }
        for (group, owners) in clones.into_iter().chain([(group, owners)]) {
            check_group(&group);
            let pending = group.pending().iter();
            let pending: Vec<_> = pending
                .map(|(id, pending)| (*id, &pending.consumer[..]))
                .collect();
            assert_eq!(pending, owners.into_iter().collect::<Vec<_>>());
        }
    }
}

/// Each entry is delivered once, to the consumer that asks first; the group knows how far it has come.
#[test]
fn delivery() {
    let mut stream = Stream::default();
    (1..=5).for_each(|ms| stream.entries.append(id(ms, 0), &[b"f", b"v"], LIMITS));
    let mut group = ConsumerGroup::new(StreamId::MIN, Some(0));
    group.create_consumer(b"ann", 0);
    group.create_consumer(b"bob", 0);
    stream.groups.insert(Name::from(&b"g"[..]), group);
    let deliver = |stream: &mut Stream, consumer: &[u8], most, noack| {
        let mut ids = Vec::new();
        let delivery = Delivery {
            consumer,
            most,
            noack,
            now_ms: 70,
        };
        let count = stream.deliver(b"g", delivery, |entry| ids.push(entry.id.ms));
        assert_eq!(count, ids.len());
        ids
    };
    assert_eq!(deliver(&mut stream, b"ann", 2, false), [1, 2]);
    assert_eq!(deliver(&mut stream, b"bob", 1, true), [3]);
    assert_eq!(deliver(&mut stream, b"bob", 9, false), [4, 5]);
    assert_eq!(deliver(&mut stream, b"ann", 9, false), [0u64; 0]);
    assert_eq!(deliver(&mut stream, b"stranger", 9, false), [0u64; 0]);
    let group = stream.groups.get_mut(&b"g"[..]).expect("a group");
    check_group(group);
    assert_eq!((group.last_id, group.entries_read), (id(5, 0), Some(5)));
    let owners = group
        .pending()
        .iter()
        .map(|(id, pending)| (id.ms, &pending.consumer[..]));
    let expected = [(1, &b"ann"[..]), (2, b"ann"), (4, b"bob"), (5, b"bob")];
    assert_eq!(owners.collect::<Vec<_>>(), expected);
    let active =
        |group: &ConsumerGroup, name: &[u8]| group.consumer(name).map(|it| it.active_at_ms);
    assert_eq!(active(group, b"ann"), Some(70));
    assert_eq!(active(group, b"bob"), Some(70));
    // The group is set back: what was delivered before goes to another consumer.
    group.last_id = id(3, 0);
    assert_eq!(deliver(&mut stream, b"ann", 1, false), [4]);
    let group = stream.groups.get(&b"g"[..]).expect("a group");
    check_group(group);
    let owner = group
        .pending()
        .get(&id(4, 0))
        .map(|pending| &pending.consumer[..]);
    assert_eq!(owner, Some(&b"ann"[..]));
}

/// A clone of a large stream takes no time that depends on its size: all blocks are shared.
#[test]
fn clones_share_their_blocks() {
    let mut stream = Stream::default();
    (1..=9_950).for_each(|ms| stream.entries.append(id(ms, 0), &[b"f", b"v"], LIMITS));
    let mut clone = stream.clone();
    clone.entries.append(id(9_951, 0), &[b"f", b"v"], LIMITS);
    clone.entries.delete(id(5_000, 0));
    let [own, cloned] = [&stream, &clone].map(|stream| {
        let blocks = stream.entries.listpacks();
        blocks.map(|(_, bytes)| bytes.as_ptr()).collect::<Vec<_>>()
    });
    let shared = own
        .iter()
        .zip(&cloned)
        .filter(|(own, cloned)| own == cloned);
    assert_eq!((own.len(), shared.count()), (100, 98));
    assert_eq!((stream.entries.len(), clone.entries.len()), (9_950, 9_950));
}
