//! Random operations on a sorted set and on a sorted vector, in both forms, with members of all sizes and with clones.

use super::*;
use fastrand::Rng;

type Model = Vec<(Vec<u8>, f64)>;

const LIMITS: CompactLimits = CompactLimits {
    entries: 8,
    value_bytes: 64,
};

/// A set and its expected content.
struct Checked {
    set: SortedSet,
    model: Model,
    limits: CompactLimits,
}

impl Checked {
    fn new(limits: CompactLimits) -> Checked {
        Checked {
            set: SortedSet::default(),
            model: Vec::new(),
            limits,
        }
    }

    fn place(&self, member: &[u8], score: f64) -> usize {
        let is_before = |(other, its): &(Vec<u8>, f64)| {
            compare((other, *its), (member, score)) == Ordering::Less
        };
        self.model.partition_point(is_before)
    }

    fn put(&mut self, member: &[u8], score: f64) {
        let old = self.model.iter().position(|(other, _)| other == member);
        let old = old.map(|place| self.model.remove(place).1);
        // An equal score is not replaced: 0 and -0 are equal.
        let kept = old.filter(|old| *old == score).unwrap_or(score);
        let place = self.place(member, kept);
        self.model.insert(place, (member.to_vec(), kept));
        let change = self.set.update(member, self.limits, |seen| {
            assert_eq!(seen, old);
            Some(score)
        });
        assert_eq!(
            change,
            match old {
                None => Change::Added,
                Some(old) if old == score => Change::None,
                Some(_) => Change::Updated,
            }
        );
    }

    fn remove(&mut self, member: &[u8]) {
        let place = self.model.iter().position(|(other, _)| other == member);
        place.map(|place| self.model.remove(place));
        assert_eq!(self.set.remove(member), place.is_some());
    }

    fn remove_ranks(&mut self, ranks: Range<usize>) {
        self.model.drain(ranks.clone());
        self.set.remove_ranks(ranks);
    }

    fn check_edge(&self, edge: Edge<'_>) {
        let rank = self
            .model
            .partition_point(|(member, score)| edge.is_behind(member, *score));
        assert_eq!(self.set.rank_of(edge), rank, "{edge:?}");
    }

    fn check_range(&self, ranks: Range<usize>) {
        let expected = &self.model[ranks.clone()];
        let entries = self.set.range(ranks);
        assert_eq!(entries.len(), expected.len());
        let owned = |(member, score): (&[u8], f64)| (member.to_vec(), score);
        assert!(entries.clone().map(owned).eq(expected.iter().cloned()));
        assert!(entries.rev().map(owned).eq(expected.iter().rev().cloned()));
    }

    fn check_all(&self) {
        assert_eq!(self.set.len(), self.model.len());
        self.check_range(0..self.model.len());
        for (rank, (member, score)) in self.model.iter().enumerate() {
            assert_eq!(self.set.rank(member), Some((rank, *score)));
        }
        if let Form::Indexed(indexed) = &self.set.form {
            assert_eq!(indexed.scores.len(), self.model.len());
            indexed.index.check();
        }
    }
}

/// Mostly short members, some that are just packed, some that are not.
fn member(number: usize) -> Vec<u8> {
    let len = match number % 16 {
        0 => PACKED_BYTES + 1 + number % 300,
        1 => PACKED_BYTES,
        2 => 0,
        _ => 4,
    };
    let mut member = number.to_string().into_bytes();
    member.resize(member.len().max(len), b'x');
    member
}

fn score(random: &mut Rng) -> f64 {
    match random.u8(..8) {
        0 => f64::INFINITY,
        1 => f64::NEG_INFINITY,
        2 => -0.0,
        3 => random.f64() * 4.0 - 2.0,
        _ => f64::from(random.i32(-4..=4)),
    }
}

/// One random operation. Sets grow while `grows` is great, and shrink while it is small.
fn step(checked: &mut Checked, random: &mut Rng, members: usize, grows: usize) {
    let some = member(random.usize(..members));
    match random.usize(..20) {
        _ if random.usize(..10) < grows => checked.put(&some, score(random)),
        0..10 => checked.remove(&some),
        10..13 => {
            let start = random.usize(..=checked.model.len());
            let most = if random.u8(..4) == 0 { 400 } else { 3 };
            let end = (start + random.usize(..=most)).min(checked.model.len());
            checked.remove_ranks(start..end);
        }
        13 => checked.remove_ranks(0..checked.model.len().min(1)),
        14 => checked.remove_ranks(checked.model.len().saturating_sub(1)..checked.model.len()),
        _ => {
            let score = score(random);
            checked.check_edge(Edge::Start);
            checked.check_edge(Edge::BeforeScore(score));
            checked.check_edge(Edge::AfterScore(score));
            checked.check_edge(Edge::End);
            let start = random.usize(..=checked.model.len());
            let end = random.usize(start..=checked.model.len());
            checked.check_range(start..end.min(start + 200));
        }
    }
}

#[test]
fn behaves_like_a_sorted_vector_and_clones_keep_what_they_saw() {
    let never = CompactLimits {
        entries: 0,
        value_bytes: 64,
    };
    let always = CompactLimits {
        entries: usize::MAX,
        value_bytes: usize::MAX,
    };
    for (limits, members, steps) in [
        (always, 20, 3_000),
        (LIMITS, 30, 3_000),
        (never, 100, 5_000),
        (never, 12_000, 60_000),
    ] {
        let mut random = Rng::with_seed(members as u64);
        let mut checked = Checked::new(limits);
        let mut clones = Vec::new();
        for number in 0..steps {
            let grows = if number * 6 / steps % 2 == 0 { 9 } else { 3 };
            step(&mut checked, &mut random, members, grows);
            if number % (steps / 20) == 0 {
                checked.check_all();
                clones.push(Checked {
                    set: checked.set.clone(),
                    model: checked.model.clone(),
                    limits,
                });
            }
        }
        checked.check_all();
        // From here on the clone is changed independently.
        if let Some(clone) = clones.last_mut() {
            (0..200).for_each(|_| step(clone, &mut random, members, 6));
        }
        clones.iter().for_each(Checked::check_all);
    }
}

/// With equal scores the order is that of the members, and edges between members have a meaning.
#[test]
fn members_of_one_score_are_ordered_by_their_bytes() {
    for limits in [
        LIMITS,
        CompactLimits {
            entries: 0,
            ..LIMITS
        },
    ] {
        let mut random = Rng::with_seed(3);
        let mut checked = Checked::new(limits);
        for number in 0..6_000 {
            checked.put(&member(random.usize(..10_000)), 0.0);
            if number % 4 == 0 {
                let edge = member(random.usize(..10_000));
                checked.check_edge(Edge::BeforeMember(&edge));
                checked.check_edge(Edge::AfterMember(&edge));
            }
        }
        checked.check_all();
    }
}

#[test]
fn sets_are_built_from_entries_in_any_order() {
    for len in [0, 1, 8, 9, 500, 6_000] {
        let mut random = Rng::with_seed(len as u64);
        let mut model: Model = (0..len)
            .map(|it| (member(it), score(&mut random)))
            .collect();
        model.dedup_by(|a, b| a.0 == b.0);
        let entries = |model: &Model| {
            let set = SortedSet::from_entries(
                model
                    .iter()
                    .map(|(member, score)| (&member[..], *score))
                    .collect(),
                LIMITS,
            );
            assert_eq!(
                set.is_compact(),
                model.len() <= 8 && len <= 8 && model.iter().all(|(member, _)| member.len() <= 64)
            );
            set
        };
        let set = entries(&model);
        model.sort_by(|a, b| compare((&a.0, a.1), (&b.0, b.1)));
        if set.is_compact() {
            // The packed form has no -0.
            model.iter_mut().for_each(|entry| entry.1 += 0.0);
        }
        Checked {
            set,
            model: model.clone(),
            limits: LIMITS,
        }
        .check_all();
        model.reverse();
        let set = entries(&model);
        model.reverse();
        Checked {
            set,
            model,
            limits: LIMITS,
        }
        .check_all();
    }
}

#[test]
fn leaves_the_compact_form_at_its_limits() {
    let mut set = SortedSet::default();
    let put = |set: &mut SortedSet, member: &[u8]| set.update(member, LIMITS, |_| Some(1.0));
    assert!((0..7u8).all(|number| put(&mut set, &[number]) == Change::Added));
    put(&mut set, &[b'x'; 64]);
    assert!(set.is_compact());
    let mut long = set.clone();
    put(&mut long, &[b'x'; 65]);
    assert!(!long.is_compact());
    put(&mut set, &[0]);
    assert!(set.is_compact());
    put(&mut set, &[8]);
    assert!(!set.is_compact());
}

/// For any number of members, a clone is a few references, and a change after it copies one path.
#[test]
fn a_clone_shares_all_but_the_path_to_what_is_changed() {
    let names: Vec<Vec<u8>> = (0..100_000)
        .map(|it| format!("{it:08}").into_bytes())
        .collect();
    let entries = names.iter().map(|name| (&name[..], 1.0));
    let mut set = SortedSet::from_sorted(entries, LIMITS);
    let clone = set.clone();
    set.update(b"00050000", LIMITS, |_| Some(0.5));
    let (Form::Indexed(changed), Form::Indexed(kept)) = (&set.form, &clone.form) else {
        panic!("both are large");
    };
    let (all, shared) = changed.index.leaves_shared_with(&kept.index);
    assert!(
        all > 1000 && all - shared <= 3,
        "{shared} of {all} are shared"
    );
}
