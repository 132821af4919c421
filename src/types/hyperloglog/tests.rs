//! Tests of the HyperLogLog against registers kept in the simplest way, and of damaged strings.

use super::*;

/// Registers as a plain list.
struct Model(Vec<u8>);

impl Model {
    fn add(&mut self, element: &[u8]) -> bool {
        let (index, rank) = place(element);
        let is_raised = self.0[index] < rank;
        self.0[index] = self.0[index].max(rank);
        is_raised
    }
}

fn registers(string: &[u8]) -> Vec<u8> {
    let hyperloglog = HyperLogLog::of(string).expect("it is one");
    hyperloglog
        .registers()
        .expect("it is whole")
        .iter()
        .collect()
}

/// The answer of Redis to PFDEBUG DECODE k after PFADD k ELEMENT: "Z:index v:rank,1 Z:registers after it".
#[test]
fn an_element_belongs_where_redis_puts_it() {
    for (element, index, rank) in [
        (&b""[..], 5938, 2),
        (b"a", 12711, 2),
        (b"b", 15780, 1),
        (b"ann", 10757, 1),
        (b"12345678", 10579, 3),
        (b"123456789abcdef", 1977, 3),
    ] {
        assert_eq!(place(element), (index, rank), "{}", element.escape_ascii());
    }
}

#[test]
fn registers_are_the_same_in_both_encodings() {
    for most_bytes in [0, 20, 100, 3000, 100_000] {
        let mut random = fastrand::Rng::with_seed(most_bytes as u64);
        let (mut sparse, mut dense) = (Vec::new(), Vec::new());
        HyperLogLogMut::create(&mut sparse);
        let mut made = HyperLogLogMut::create(&mut dense);
        assert_eq!(made.make_dense(), Ok(true));
        assert_eq!(made.make_dense(), Ok(false));
        let mut model = Model(vec![0; REGISTERS]);
        for step in 0..4000 {
            let element = random.u32(..100_000).to_string();
            let is_raised = model.add(element.as_bytes());
            for string in [&mut sparse, &mut dense] {
                let mut hyperloglog = HyperLogLogMut::of(string).expect("it is one");
                let elements = [element.as_bytes()];
                let missing = hyperloglog.view().missing(&elements).expect("it is whole");
                assert_eq!(missing.is_empty(), !is_raised);
                let raised = hyperloglog.add(missing, most_bytes);
                assert_eq!(raised, Ok(usize::from(is_raised)));
            }
            let is_sparse =
                HyperLogLog::of(&sparse).expect("it is one").encoding() == Encoding::Sparse;
            assert!(!is_sparse || sparse.len() <= most_bytes.max(18));
            if step % 500 == 0 {
                assert_eq!(registers(&sparse), model.0);
                assert_eq!(registers(&dense), model.0);
                let count = |string| HyperLogLog::of(string).expect("it is one").count();
                assert_eq!(count(&sparse), count(&dense));
            }
        }
        assert_eq!(registers(&sparse), model.0);
    }
}

#[test]
fn a_known_count_is_true_until_it_is_forgotten() {
    let mut string = Vec::new();
    let mut hyperloglog = HyperLogLogMut::create(&mut string);
    assert_eq!(hyperloglog.view().known_count(), Some(0));
    hyperloglog.set_known_count(258);
    assert_eq!(hyperloglog.view().known_count(), Some(258));
    hyperloglog.forget_count();
    assert_eq!(hyperloglog.view().known_count(), None);
    assert_eq!(string, b"HYLL\x01\0\0\0\x02\x01\0\0\0\0\0\x80\x7f\xff");
}

#[test]
fn a_union_has_the_greatest_of_all_registers() {
    let mut strings = [Vec::new(), Vec::new(), Vec::new()];
    let mut union = Union::default();
    let mut model = Model(vec![0; REGISTERS]);
    for (number, string) in strings.iter_mut().enumerate() {
        let mut hyperloglog = HyperLogLogMut::create(string);
        for element in 0..300 {
            let element = format!("{}", element * (number + 1));
            model.add(element.as_bytes());
            hyperloglog
                .add(Missing::all(&[element.as_bytes()]), 1000 * number)
                .expect("it is whole");
        }
        union.add(hyperloglog.view()).expect("it is whole");
    }
    assert!(union.iter().eq(model.0.iter().copied()));
    let mut merged = Vec::new();
    let mut hyperloglog = HyperLogLogMut::create(&mut merged);
    hyperloglog.add_union(&union, 3000).expect("it is whole");
    assert_eq!(Ok(union.count()), hyperloglog.view().count());
    assert_eq!(registers(&merged), model.0);
}

#[test]
fn what_is_no_hyperloglog_is_not_taken_for_one() {
    for string in [
        &b""[..],
        b"hello",
        b"HYLL",
        b"HYLX\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff",
        b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0\x7f\xff",
        b"HYLL\x00\0\0\0\0\0\0\0\0\0\0\0\x7f\xff",
    ] {
        assert!(HyperLogLog::of(string).is_none());
    }
    let mut dense = b"HYLL".to_vec();
    dense.resize(12304, 0);
    assert!(HyperLogLog::of(&dense).is_some());
    assert!(HyperLogLog::of(&dense[..12303]).is_none());
}

/// Damaged runs cause no panic, and an addition that fails changes nothing.
#[test]
fn damaged_runs_are_noticed() {
    let mut random = fastrand::Rng::with_seed(9);
    let mut corrupted = 0;
    for _ in 0..3000 {
        let mut string = Vec::new();
        HyperLogLogMut::create(&mut string).forget_count();
        match random.bool() {
            true => {
                string.truncate(HEADER_BYTES);
                string.extend((0..random.usize(..40)).map(|_| random.u8(..)));
            }
            false => {
                let mut hyperloglog = HyperLogLogMut::of(&mut string).expect("it is one");
                for _ in 0..50 {
                    hyperloglog
                        .add(Missing::all(&[&[random.u8(..)]]), 3000)
                        .expect("it is whole");
                }
                for _ in 0..random.usize(1..4) {
                    let index = random.usize(HEADER_BYTES..string.len());
                    string[index] = random.u8(..);
                }
            }
        }
        let before = string.clone();
        let view = HyperLogLog::of(&before).expect("it is one");
        let _ = (view.count(), view.registers().map(|union| union.count()));
        assert!(view.runs().count() <= before.len());
        let mut hyperloglog = HyperLogLogMut::of(&mut string).expect("it is one");
        let elements: Vec<[u8; 2]> = (0..30).map(|_| [random.u8(..), random.u8(..)]).collect();
        let elements: Vec<&[u8]> = elements.iter().map(|element| &element[..]).collect();
        if hyperloglog.add(Missing::all(&elements), random.usize(..200)) == Err(Corrupted) {
            corrupted += 1;
            assert_eq!(string, before);
        }
    }
    assert!(corrupted > 500);
}

#[test]
fn the_self_test_passes() {
    assert_eq!(self_test(), Ok(()));
}
