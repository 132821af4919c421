//! Tests of the set, against sets of the standard library and Redis' answers to OBJECT ENCODING.

use super::*;
use crate::types::limits::CompactLimits;
use std::collections::{BTreeSet, HashSet};

const LIMITS: SetLimits = SetLimits {
    integers: 12,
    compact: CompactLimits {
        entries: 8,
        value_bytes: 16,
    },
};

fn text(member: Member<'_>) -> Vec<u8> {
    member.text(&mut itoa::Buffer::new()).to_vec()
}

fn set(members: &[&str]) -> Set {
    let mut set = Set::default();
    for member in members {
        set.insert(member.as_bytes().into(), LIMITS);
    }
    set
}

fn members(set: &Set) -> Vec<Vec<u8>> {
    set.iter().map(text).collect()
}

/// Draws from a pool of names of which some are integers, some are too long for a packed block, one for a page of a
/// table.
fn name(random: &mut fastrand::Rng, range: u32) -> Vec<u8> {
    let number = random.u32(..range);
    match number % 16 {
        0 => format!("{number:020}").into_bytes(),
        1 => format!("{number:02000}").into_bytes(),
        2..9 => number.to_string().into_bytes(),
        _ => format!("m{number}").into_bytes(),
    }
}

#[test]
fn behaves_like_a_set_in_all_forms() {
    let mut seen = BTreeSet::new();
    for (range, only_integers) in [
        (8, true),
        (9, false),
        (40, true),
        (40, false),
        (3000, false),
    ] {
        let mut random = fastrand::Rng::with_seed(u64::from(range));
        let (mut set, mut model) = (Set::default(), HashSet::new());
        let mut kept = (set.clone(), model.clone());
        for step in 0..20_000 {
            let member = match only_integers {
                true => random.u32(..range).to_string().into_bytes(),
                false => name(&mut random, range),
            };
            let shown = Member::Text(&member);
            match random.u8(..5) {
                0..2 => assert_eq!(set.insert(shown, LIMITS), model.insert(member.clone())),
                2..4 => assert_eq!(set.remove(shown), model.remove(&member)),
                _ => set.pop(
                    || random.u64(..),
                    |member| assert!(model.remove(&text(member))),
                ),
            }
            assert_eq!(set.contains(shown), model.contains(&member));
            assert_eq!(set.len(), model.len());
            seen.insert(set.encoding());
            if step % 1000 == 0 {
                // The clone has not changed.
                assert_eq!(kept.0.iter().map(text).collect::<HashSet<_>>(), kept.1);
                kept = (set.clone(), model.clone());
            }
            if set.is_empty() {
                set = Set::default();
            }
        }
        assert_eq!(set.iter().map(text).collect::<HashSet<_>>(), model);
    }
    assert_eq!(seen.len(), 3);
}

/// The answers of Redis 7.2 for these members under these limits.
#[test]
fn changes_its_form_when_redis_does() {
    let many =
        |range: std::ops::Range<u32>| -> Vec<String> { range.map(|it| it.to_string()).collect() };
    for (given, expected) in [
        (many(0..12), "intset"),
        (many(0..13), "hashtable"),
        (vec!["x".into()], "listpack"),
        ([many(0..7), vec!["x".into()]].concat(), "listpack"),
        ([many(0..8), vec!["x".into()]].concat(), "hashtable"),
        ([vec!["x".into()], many(0..7)].concat(), "listpack"),
        ([vec!["x".into()], many(0..8)].concat(), "hashtable"),
        (vec!["a".repeat(16)], "listpack"),
        (vec!["a".repeat(17)], "hashtable"),
        (vec!["1".into(), "a".repeat(17)], "hashtable"),
        (vec!["1000000000000000".into(), "x".into()], "listpack"),
        (vec!["10000000000000000".into(), "x".into()], "hashtable"),
        (vec!["01".into()], "listpack"),
        (vec!["+1".into()], "listpack"),
        (vec!["-0".into()], "listpack"),
        (vec!["-9223372036854775808".into()], "intset"),
        (vec!["9223372036854775808".into()], "hashtable"),
    ] {
        let given: Vec<&str> = given.iter().map(String::as_str).collect();
        assert_eq!(set(&given).encoding(), expected, "{given:?}");
    }
}

#[test]
fn prepares_for_many_members_at_once() {
    for (first, count, expected) in [
        ("1", 12, "intset"),
        ("1", 13, "hashtable"),
        ("x", 8, "listpack"),
        ("x", 9, "hashtable"),
    ] {
        let mut set = Set::default();
        set.reserve(first.as_bytes(), count, LIMITS);
        set.insert(first.as_bytes().into(), LIMITS);
        assert_eq!(set.encoding(), expected, "{first} {count}");
    }
    let mut integers = set(&["1", "2"]);
    integers.reserve(b"x", 12, LIMITS);
    assert_eq!(integers.encoding(), "intset");
    integers.reserve(b"x", 13, LIMITS);
    assert_eq!(integers.encoding(), "hashtable");
    let few_integers = SetLimits {
        integers: 3,
        ..LIMITS
    };
    let mut set = Set::default();
    set.reserve(b"1", 4, few_integers);
    assert_eq!(set.encoding(), "listpack");
}

#[test]
fn a_small_set_has_an_order() {
    assert_eq!(
        members(&set(&["3", "-1", "200000"])),
        [&b"-1"[..], b"3", b"200000"]
    );
    assert_eq!(
        members(&set(&["3", "1", "x", "2"])),
        [b"1", b"3", b"x", b"2"]
    );
    let mut copy = Set::compact();
    for member in ["2", "1"] {
        copy.insert(member.as_bytes().into(), LIMITS);
    }
    assert_eq!(
        (members(&copy), copy.encoding()),
        (vec![b"2".to_vec(), b"1".to_vec()], "listpack")
    );
    copy.make_integers(LIMITS);
    assert_eq!(
        (members(&copy), copy.encoding()),
        (vec![b"1".to_vec(), b"2".to_vec()], "intset")
    );
}

#[test]
fn draws_and_pops_different_members_and_in_time_all() {
    for len in [5, 8, 400] {
        for prefix in ["", "m"] {
            let names: Vec<String> = (0..len).map(|number| format!("{prefix}{number}")).collect();
            let all = set(&names.iter().map(String::as_str).collect::<Vec<_>>());
            let mut random = fastrand::Rng::with_seed(3);
            let mut drawn = HashSet::new();
            for count in [0, 1, 2, len / 5, len / 2, len - 1, len, len + 1] {
                let mut chosen = HashSet::new();
                all.draw(
                    count,
                    || random.u64(..),
                    |member| assert!(chosen.insert(text(member))),
                );
                assert_eq!(chosen.len(), count.min(len));
                assert!(
                    chosen
                        .iter()
                        .all(|member| all.contains(Member::Text(member)))
                );
                let mut rest = all.clone();
                let mut popped = HashSet::new();
                rest.pop_several(
                    count,
                    || random.u64(..),
                    |member| assert!(popped.insert(text(member))),
                );
                assert_eq!(popped.len(), count.min(len));
                assert_eq!(rest.len(), len - count.min(len));
                assert!(
                    popped
                        .iter()
                        .all(|member| !rest.contains(Member::Text(member)))
                );
            }
            for _ in 0..len * 20 {
                drawn.insert(text(all.random(|| random.u64(..)).expect("there are some")));
            }
            assert_eq!(drawn.len(), len);
        }
    }
    assert!(Set::default().random(|| 1).is_none());
}

#[test]
fn a_stored_set_has_the_form_of_a_new_one() {
    let mut table = set(&["x"]);
    table.insert(Member::Text(&[b'y'; 100]), LIMITS);
    table.remove(Member::Text(&[b'y'; 100]));
    assert_eq!(table.encoding(), "hashtable");
    let names: Vec<String> = (0..13).map(|number| number.to_string()).collect();
    let large = set(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let integers = set(&["2", "1"]);
    let form = |sets: &[&Set]| algebra::union_set(sets, LIMITS).encoding();
    assert_eq!(form(&[]), "intset");
    assert_eq!(form(&[&table]), "listpack");
    assert_eq!(form(&[&integers]), "intset");
    assert_eq!(form(&[&integers, &table]), "listpack");
    assert_eq!(form(&[&integers, &large]), "hashtable");
    // A new set of integers alone has the integer form, in ascending order.
    let mixed = set(&["2", "x", "1"]);
    let result = algebra::intersection_set(&[&mixed, &integers, &large], LIMITS);
    assert_eq!(
        (members(&result), result.encoding()),
        (vec![b"1".to_vec(), b"2".to_vec()], "intset")
    );
    let result = algebra::intersection_set(&[&mixed, &mixed], LIMITS);
    assert_eq!(
        (members(&result), result.encoding()),
        (members(&mixed), "listpack")
    );
    let result = algebra::difference_set(&mixed, &[&table], LIMITS);
    assert_eq!(result.encoding(), "intset");
    // Here removing the members of the others is cheaper, and the result keeps the form that it began with.
    let many = vec![&table; 6];
    let result = algebra::difference_set(&mixed, &many, LIMITS);
    assert_eq!(
        (members(&result), result.encoding()),
        (vec![b"2".to_vec(), b"1".to_vec()], "listpack")
    );
}

#[test]
fn combines_sets_of_all_forms() {
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..400 {
        let models: Vec<BTreeSet<Vec<u8>>> = (0..random.usize(1..8))
            .map(|_| {
                let (range, len) = (random.u32(1..60), random.usize(0..40));
                let is_integer = random.bool();
                let member = |_| match is_integer {
                    true => random.u32(..range).to_string().into_bytes(),
                    false => name(&mut random, range),
                };
                (0..len).map(member).collect()
            })
            .collect();
        let sets: Vec<Set> = models
            .iter()
            .map(|model| {
                let mut set = Set::default();
                for member in model {
                    set.insert(Member::Text(member), LIMITS);
                }
                set
            })
            .collect();
        let sets: Vec<&Set> = sets.iter().collect();
        let same = |expected: &BTreeSet<Vec<u8>>, found: Vec<Member>, stored: &Set| {
            assert_eq!(
                (found.len(), stored.len()),
                (expected.len(), expected.len())
            );
            assert_eq!(
                &found.into_iter().map(text).collect::<BTreeSet<_>>(),
                expected
            );
            assert_eq!(&stored.iter().map(text).collect::<BTreeSet<_>>(), expected);
        };
        let (first, others) = models.split_first().expect("there is one");
        let intersection = others.iter().fold(first.clone(), |all, set| &all & set);
        let found = algebra::intersection(&sets).collect();
        same(
            &intersection,
            found,
            &algebra::intersection_set(&sets, LIMITS),
        );
        let union = others.iter().fold(first.clone(), |all, set| &all | set);
        same(
            &union,
            algebra::union(&sets),
            &algebra::union_set(&sets, LIMITS),
        );
        let difference = others.iter().fold(first.clone(), |all, set| &all - set);
        let found = algebra::difference(sets[0], &sets[1..]);
        same(
            &difference,
            found,
            &algebra::difference_set(sets[0], &sets[1..], LIMITS),
        );
        assert!(algebra::difference(sets[0], &[sets[0]]).is_empty());
    }
}
