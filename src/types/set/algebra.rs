//! Intersection, union and difference of sets: as lists of references to members, and as new sets.
//!
//! A new set has the form that it has in Redis, which depends on the order in which members are inserted.

use super::{Form, Member, Set};
use crate::types::limits::SetLimits;
use foldhash::fast::RandomState;
use std::collections::HashSet;

/// The members that are in all sets. The members of the smallest set are looked up in the others.
pub fn intersection<'a>(sets: &[&'a Set]) -> impl Iterator<Item = Member<'a>> {
    let mut sets = sets.to_vec();
    sets.sort_by_key(|set| set.len());
    let smallest = sets.first().copied();
    let times = smallest.map_or(0, Set::len);
    let others: Vec<_> = sets[1.min(sets.len())..]
        .iter()
        .map(|set| Lookup::new(set, times))
        .collect();
    let members = smallest.into_iter().flat_map(Set::iter);
    members.filter(move |member| others.iter().all(|other| other.contains(*member)))
}

/// The intersection as a new set.
pub fn intersection_set(sets: &[&Set], limits: SetLimits) -> Set {
    let smallest = sets.iter().min_by_key(|set| set.len());
    let mut result = match smallest {
        // It begins as a set of integers only if no other member can come, so that it need not change its form.
        Some(smallest) if smallest.integers().is_some() => Set::default(),
        _ => Set::compact(),
    };
    for member in intersection(sets) {
        result.insert(member, limits);
    }
    result.make_integers(limits);
    result
}

/// The members that are in any set, each once: the members of the largest set, and those of the others that it lacks.
pub fn union<'a>(sets: &[&'a Set]) -> Vec<Member<'a>> {
    let Some((largest, others)) = split_largest(sets) else {
        return Vec::new();
    };
    let mut members: Vec<Member> = largest.iter().collect();
    let largest = Lookup::new(largest, total_len(&others));
    let mut seen = HashSet::with_hasher(RandomState::default());
    for other in &others {
        members.extend(other.iter().filter(|member| {
            !largest.contains(*member) && (others.len() == 1 || seen.insert(member.canonical()))
        }));
    }
    members
}

/// The union as a new set. If the largest set is a table, the result begins as a clone of it, which shares its pages.
pub fn union_set(sets: &[&Set], limits: SetLimits) -> Set {
    let Some((largest, others)) = split_largest(sets) else {
        return Set::default();
    };
    if largest.is_table() && largest.len() > limits.integers.max(limits.compact.entries) {
        let mut result = largest.clone();
        insert_all(&mut result, &others, limits);
        return result;
    }
    let mut result = Set::default();
    insert_all(&mut result, sets, limits);
    result
}

/// The members of `first` that are in none of the others.
pub fn difference<'a>(first: &'a Set, others: &[&Set]) -> Vec<Member<'a>> {
    if others.iter().any(|other| std::ptr::eq(*other, first)) {
        return Vec::new();
    }
    match subtraction(first, others) {
        Subtraction::LookUp => remaining(first, others).collect(),
        Subtraction::Remove => {
            let mut removed = HashSet::with_hasher(RandomState::default());
            let lookup = Lookup::new(first, total_len(others));
            for member in others.iter().flat_map(|other| other.iter()) {
                if lookup.contains(member) {
                    removed.insert(member.canonical());
                }
            }
            let is_left = |member: &Member| !removed.contains(&member.canonical());
            first.iter().filter(is_left).collect()
        }
    }
}

/// The difference as a new set: the members of `first` that are in none of the others.
pub fn difference_set(first: &Set, others: &[&Set], limits: SetLimits) -> Set {
    if others.iter().any(|other| std::ptr::eq(*other, first)) {
        return Set::default();
    }
    match subtraction(first, others) {
        Subtraction::LookUp => {
            let mut result = Set::default();
            for member in remaining(first, others) {
                result.insert(member, limits);
            }
            result
        }
        Subtraction::Remove => {
            let mut result = union_set(&[first], limits);
            for member in others.iter().flat_map(|other| other.iter()) {
                result.remove(member);
            }
            result
        }
    }
}

/// The two ways to subtract sets from one.
enum Subtraction {
    /// Look each of its members up in the others.
    LookUp,
    /// Remove each member of the others from it.
    Remove,
}

/// The cheaper way. As in Redis, two look-ups are taken to cost as much as one removal.
fn subtraction(first: &Set, others: &[&Set]) -> Subtraction {
    let lookups = first.len() * (others.len() + 1);
    let removals = first.len() + total_len(others);
    match lookups / 2 <= removals {
        true => Subtraction::LookUp,
        false => Subtraction::Remove,
    }
}

/// The members of `first` that are in none of the others. Each is looked up in the largest other set first, which is
/// most likely to have it.
fn remaining<'a>(first: &'a Set, others: &[&Set]) -> impl Iterator<Item = Member<'a>> {
    let mut others = others.to_vec();
    others.sort_by_key(|other| std::cmp::Reverse(other.len()));
    let others: Vec<_> = others
        .into_iter()
        .map(|other| Lookup::new(other, first.len()))
        .collect();
    first
        .iter()
        .filter(move |member| !others.iter().any(|other| other.contains(*member)))
}

/// The largest set, the first if there are several, and the others.
fn split_largest<'a>(sets: &[&'a Set]) -> Option<(&'a Set, Vec<&'a Set>)> {
    let place = (0..sets.len())
        .rev()
        .max_by_key(|place| sets[*place].len())?;
    let mut others = sets.to_vec();
    let largest = others.remove(place);
    Some((largest, others))
}

fn insert_all(result: &mut Set, sets: &[&Set], limits: SetLimits) {
    for member in sets.iter().flat_map(|set| set.iter()) {
        result.insert(member, limits);
    }
}

fn total_len(sets: &[&Set]) -> usize {
    sets.iter().map(|set| set.len()).sum()
}

/// A set in which members are looked up many times. Searching a packed block each time would take quadratic time, so
/// such a set gets an index.
enum Lookup<'a> {
    Set(&'a Set),
    Index(HashSet<&'a [u8], RandomState>),
}

impl<'a> Lookup<'a> {
    fn new(set: &'a Set, times: usize) -> Lookup<'a> {
        // An index pays only for a packed block of several members, and for several look-ups.
        const FEW: usize = 8;
        match &set.form {
            Form::Compact(block) if block.len().min(times) > FEW => {
                Lookup::Index(block.iter().collect())
            }
            _ => Lookup::Set(set),
        }
    }

    fn contains(&self, member: Member<'_>) -> bool {
        match self {
            Lookup::Set(set) => set.contains(member),
            Lookup::Index(index) => index.contains(member.text(&mut itoa::Buffer::new())),
        }
    }
}
