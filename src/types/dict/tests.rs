//! Tests of [`Dict`]: against a map of the standard library, with clones, scans and draws.

use super::*;
use crate::types::edit::Edit;
use std::collections::{BTreeMap, BTreeSet};
use triomphe::ThinArc;

/// The type of the references in the tests, where odd numbers are references.
#[derive(Clone, Debug)]
struct Word(ThinArc<u32, u8>);

impl Keyed for Word {
    fn of_pair(key: &[u8], value: &[u8]) -> Word {
        Word(ThinArc::from_header_and_slice(value.len() as u32, key))
    }

    fn key(&self) -> &[u8] {
        &self.0.slice
    }
}

fn key(number: u32) -> Vec<u8> {
    format!("word:{number}").into_bytes()
}

/// Inserts a number; an even one as a pair with this value.
fn put(dict: &mut Dict<Word>, number: u32, value: &[u8]) {
    let key = key(number);
    let hash = hash(&key);
    let word = || Word(ThinArc::from_header_and_slice(number, &key));
    match (dict.position(hash, &key), number.is_multiple_of(2)) {
        (Some(position), true) => drop(dict.set_pair(position, &key, &[value])),
        (Some(position), false) => drop(dict.set_reference(position, word())),
        (None, true) => dict.insert_pair(
            hash,
            &key,
            &[&value[..value.len() / 2], &value[value.len() / 2..]],
            (),
        ),
        (None, false) => dict.insert_reference(hash, word(), ()),
    }
}

fn insert(dict: &mut Dict<Word>, number: u32) {
    put(dict, number, b"value");
}

fn remove(dict: &mut Dict<Word>, number: u32) -> bool {
    let position = dict.position(hash(&key(number)), &key(number));
    position.map(|position| dict.remove(position)).is_some()
}

fn number_of(item: Item<Word, ()>) -> u32 {
    let text = std::str::from_utf8(item.content.key()).unwrap();
    text["word:".len()..].parse().unwrap()
}

fn numbers(dict: &Dict<Word>) -> BTreeSet<u32> {
    dict.iter().map(number_of).collect()
}

fn linear_congruential(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6364136223846793005)
        .wrapping_add(1442695040888963407);
    *state >> 20
}

/// Changes the value of a number in place, if it is a pair.
fn change_a_part(
    dict: &mut Dict<Word>,
    number: u32,
    model: &mut BTreeMap<u32, Vec<u8>>,
    random: u64,
) {
    let Some(position) = dict.position(hash(&key(number)), &key(number)) else {
        return;
    };
    let old = model.get_mut(&number).unwrap();
    let start = (random >> 8) as usize % (old.len() + 1);
    let end = start + (random >> 4) as usize % (old.len() - start + 1);
    let new = [7; 150];
    let new = &new[..random as usize % 150];
    let changed = dict.change_value(position, |mut value| {
        assert_eq!(value.bytes(), &old[..]);
        let may_become = value.may_become(old.len() - (end - start) + new.len());
        if may_become {
            value.replace(start..end, &[&new[..new.len() / 2], &new[new.len() / 2..]]);
        }
        may_become
    });
    assert!(changed.is_some() || number % 2 == 1 || old.len() > 900);
    if changed == Some(true) {
        old.splice(start..end, new.iter().copied());
    }
}

#[test]
fn behaves_like_a_map_while_it_grows_and_shrinks() {
    let mut dict = Dict::default();
    let mut model: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    let mut state = 7u64;
    for step in 0..200_000u64 {
        // The range of keys grows and shrinks, so that the table does too.
        let range = if step / 40_000 % 2 == 0 { 20_000 } else { 300 };
        let random = linear_congruential(&mut state);
        let number = ((random >> 13) % range) as u32;
        if random.is_multiple_of(7) {
            change_a_part(&mut dict, number, &mut model, random);
        } else if random % 5 < 3 {
            let longest = if step % 100 == 0 { 1200 } else { 40 };
            let value = vec![step as u8; (random >> 5) as usize % longest];
            put(&mut dict, number, &value);
            model.insert(number, value);
        } else {
            assert_eq!(remove(&mut dict, number), model.remove(&number).is_some());
        }
        assert_eq!(dict.len(), model.len());
        let expected = model.get(&number).map(Vec::as_slice);
        match dict
            .get(hash(&key(number)), &key(number))
            .map(|item| item.content)
        {
            Some(Content::Pair { value, .. }) => assert_eq!(Some(value), expected),
            // The long values of even numbers have become references.
            Some(Content::Reference(word)) => {
                let long = expected.filter(|_| number.is_multiple_of(2));
                let header = long.map_or(number, |value| value.len() as u32);
                assert_eq!((word.0.header.header, expected.is_some()), (header, true));
            }
            None => assert_eq!(expected, None),
        }
    }
    assert!(numbers(&dict).iter().eq(model.keys()));
    for number in model.keys() {
        assert!(remove(&mut dict, *number));
    }
    assert!(dict.is_empty() && dict.pages() == 0 && dict.bytes == 0);
}

#[test]
fn a_value_of_the_same_length_is_written_over() {
    let mut dict: Dict<Word> = Dict::default();
    put(&mut dict, 2, &[1; 300]);
    let bytes = |dict: &Dict<Word>| dict.iter().map(|item| item.content.key().as_ptr()).next();
    let before = bytes(&dict);
    put(&mut dict, 2, &[2; 300]);
    assert_eq!(bytes(&dict), before);
    let position = dict.position(hash(&key(2)), &key(2)).unwrap();
    let Content::Pair { value, .. } = dict.item(position).content else {
        panic!()
    };
    assert_eq!(value, [2; 300]);
    put(&mut dict, 3, b"");
    let position = dict.position(hash(b"word:3"), b"word:3").unwrap();
    assert!(dict.reference_mut(position).is_some());
}

#[test]
fn a_scan_returns_what_is_there_all_the_time() {
    for (mut size, step) in [(0u32, 400i64), (100_000, -400), (3_000, 7), (5, -1)] {
        let mut dict = Dict::default();
        (0..100 + size).for_each(|number| insert(&mut dict, number));
        let mut seen = BTreeSet::new();
        let mut cursor = 0;
        loop {
            cursor = dict.scan(cursor, |item| seen.extend([number_of(item)]));
            if cursor == 0 {
                break;
            }
            for _ in 0..step.abs() {
                if step > 0 && size < 200_000 {
                    insert(&mut dict, 100 + size);
                    size += 1;
                } else if step < 0 && size > 0 {
                    size -= 1;
                    remove(&mut dict, 100 + size);
                }
            }
        }
        assert!((0..100).all(|number| seen.contains(&number)));
    }
}

#[test]
fn a_scan_of_a_table_at_rest_returns_all_once_and_a_few_at_a_time() {
    let mut dict = Dict::default();
    (0..10_000).for_each(|number| insert(&mut dict, number));
    let mut seen = Vec::new();
    let mut cursor = 0;
    loop {
        let before = seen.len();
        cursor = dict.scan(cursor, |item| seen.push(number_of(item)));
        assert!(seen.len() - before < 50);
        if cursor == 0 {
            break;
        }
    }
    seen.sort();
    assert!(seen.into_iter().eq(0..10_000));
}

#[test]
fn a_scan_passes_over_pages_without_entries() {
    let mut dict = Dict::default();
    (0..10_000).for_each(|number| insert(&mut dict, number));
    // All pages whose hashes end in three zeros; the scan begins there.
    let is_removed = |number: &u32| hash(&key(*number)) & 7 == 0;
    for number in (0..10_000).filter(is_removed) {
        assert!(remove(&mut dict, number));
    }
    let (mut cursor, mut seen) = (0, 0);
    loop {
        let before = seen;
        cursor = dict.scan(cursor, |_| seen += 1);
        if cursor == 0 {
            break;
        }
        assert!(seen > before);
    }
    assert_eq!(seen, dict.len());
}

#[test]
fn a_clone_keeps_what_the_table_held() {
    let mut dict = Dict::default();
    (0..5_000).for_each(|number| insert(&mut dict, number));
    let snapshot = dict.clone();
    (2_500..10_000).for_each(|number| put(&mut dict, number, b"another"));
    (0..2_000).for_each(|number| assert!(remove(&mut dict, number)));
    assert!(numbers(&snapshot).into_iter().eq(0..5_000));
    assert!(numbers(&dict).into_iter().eq(2_000..10_000));
    let values = snapshot.iter().filter_map(|item| match item.content {
        Content::Pair { value, .. } => Some(value),
        Content::Reference(_) => None,
    });
    assert!(values.into_iter().all(|value| value == b"value"));
}

/// 100 entries drawn 100,000 times: each 1,000 times on average, with a standard deviation of 31.
#[test]
fn random_draws_are_fair() {
    let mut dict = Dict::default();
    (0..100).for_each(|number| insert(&mut dict, number));
    let mut drawn = [0; 100];
    let mut state = 3u64;
    for _ in 0..100_000 {
        let item = dict.random(|| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            hash(&state.to_le_bytes())
        });
        drawn[number_of(item.unwrap()) as usize] += 1;
    }
    assert!(
        drawn.iter().all(|count| (800..1_200).contains(count)),
        "{drawn:?}"
    );
}

/// Keys that all collide under the hashes of Java, Perl and PHP (times 31 or 33, plus the next byte) lie in as many
/// pages as any others.
#[test]
fn keys_that_collide_elsewhere_are_spread() {
    const BLOCKS: [(&str, &str, u32); 2] = [("Aa", "BB", 31), ("Ez", "FY", 33)];
    for (one, other, factor) in BLOCKS {
        let mut dict = Dict::<Word>::default();
        for number in 0..1 << 13 {
            let blocks = (0..13).map(|bit| if number >> bit & 1 == 0 { one } else { other });
            let key = blocks.collect::<String>().into_bytes();
            let times =
                |hash: u32, byte: &u8| hash.wrapping_mul(factor).wrapping_add((*byte).into());
            let first = one.repeat(13).into_bytes();
            assert_eq!(key.iter().fold(0, times), first.iter().fold(0, times));
            dict.insert_pair(hash(&key), &key, &[b"v"], ());
        }
        let pages = 0..dict.pages();
        let longest = pages.map(|page| dict.page_items(page).count()).max();
        // Some 25 entries on average, with a standard deviation of 5.
        assert!(longest < Some(100), "{longest:?}");
    }
}
