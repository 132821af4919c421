//! Integers in ascending order, each as wide as the widest needs: what Redis calls an intset.
//!
//! ```text
//!   {-5, 7, 300}            fb ff  07 00  2c 01               2 bytes each
//!   and with 70000 in it    fb ff ff ff  07 00 00 00  ...     4 bytes each, from then on
//! ```
//!
//! There is no spare room: each change requests a block of the new size. Mostly the allocator returns the old block,
//! because its block sizes are coarse.

use crate::types::blocks::block_bytes;

/// A set of integers.
#[derive(Clone, Debug)]
pub(super) enum Intset {
    Bytes2(Box<[i16]>),
    Bytes4(Box<[i32]>),
    Bytes8(Box<[i64]>),
}

/// A `match` that has one arm for each width of the members, each with the given code.
macro_rules! with_members {
    ($intset:expr, $members:ident => $result:expr) => {
        match $intset {
            Intset::Bytes2($members) => $result,
            Intset::Bytes4($members) => $result,
            Intset::Bytes8($members) => $result,
        }
    };
}

impl Default for Intset {
    fn default() -> Self {
        Intset::Bytes2(Box::default())
    }
}

impl Intset {
    pub(super) fn len(&self) -> usize {
        with_members!(self, members => members.len())
    }

    /// Bytes of the block.
    pub(super) fn memory_bytes(&self) -> usize {
        with_members!(self, members => block_bytes(size_of_val(&**members)))
    }

    /// The member at this place in ascending order.
    pub(super) fn get(&self, place: usize) -> Option<i64> {
        with_members!(self, members => member_at(members, place))
    }

    /// The members in ascending order.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator {
        (0..self.len()).map(|place| self.get(place).expect("there are so many"))
    }

    pub(super) fn contains(&self, integer: i64) -> bool {
        with_members!(self, members => place_of(members, integer).is_some_and(|place| place.is_ok()))
    }

    /// Adds an integer; returns whether it is new.
    pub(super) fn insert(&mut self, integer: i64) -> bool {
        loop {
            let inserted = with_members!(self, members => insert(members, integer));
            match inserted {
                Some(is_new) => return is_new,
                None => self.widen(),
            }
        }
    }

    /// Removes an integer; returns whether it was a member. As in Redis, the others keep their width.
    pub(super) fn remove(&mut self, integer: i64) -> bool {
        with_members!(self, members => match place_of(members, integer) {
            Some(Ok(place)) => {
                let mut all = std::mem::take(members).into_vec();
                all.remove(place);
                *members = all.into_boxed_slice();
                true
            }
            _ => false,
        })
    }

    fn widen(&mut self) {
        *self = match self {
            Intset::Bytes2(members) => {
                Intset::Bytes4(members.iter().map(|it| (*it).into()).collect())
            }
            Intset::Bytes4(members) => {
                Intset::Bytes8(members.iter().map(|it| (*it).into()).collect())
            }
            Intset::Bytes8(_) => unreachable!("every integer fits into eight bytes"),
        };
    }
}

impl FromIterator<i64> for Intset {
    fn from_iter<I: IntoIterator<Item = i64>>(integers: I) -> Self {
        // Sorted first, because inserting one by one would take quadratic time.
        let mut integers: Vec<i64> = integers.into_iter().collect();
        integers.sort_unstable();
        integers.dedup();
        if let Some(members) = narrowed(&integers) {
            Intset::Bytes2(members)
        } else if let Some(members) = narrowed(&integers) {
            Intset::Bytes4(members)
        } else {
            Intset::Bytes8(integers.into())
        }
    }
}

fn member_at<T: Copy + Into<i64>>(members: &[T], place: usize) -> Option<i64> {
    members.get(place).map(|member| (*member).into())
}

/// The integers in a narrower type, if all fit.
fn narrowed<T: TryFrom<i64>>(integers: &[i64]) -> Option<Box<[T]>> {
    let ends = [integers.first(), integers.last()];
    ends.iter()
        .flatten()
        .try_for_each(|end| T::try_from(**end).map(drop).ok())?;
    integers
        .iter()
        .map(|integer| T::try_from(*integer).ok())
        .collect()
}

/// The index of an integer among the members (`Ok`), or the index at which to insert it (`Err`); `None` if it is too
/// wide.
fn place_of<T: Ord + TryFrom<i64>>(members: &[T], integer: i64) -> Option<Result<usize, usize>> {
    let member = T::try_from(integer).ok()?;
    Some(members.binary_search(&member))
}

/// Adds an integer and returns whether it is new; `None` if it is too wide.
fn insert<T: Ord + TryFrom<i64>>(members: &mut Box<[T]>, integer: i64) -> Option<bool> {
    let place = match place_of(members, integer)? {
        Ok(_) => return Some(false),
        Err(place) => place,
    };
    let mut all = std::mem::take(members).into_vec();
    all.reserve_exact(1);
    all.insert(place, T::try_from(integer).ok()?);
    *members = all.into_boxed_slice();
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn is_as_wide_as_its_widest_member_was() {
        let width = |intset: &Intset| match intset {
            Intset::Bytes2(_) => 2,
            Intset::Bytes4(_) => 4,
            Intset::Bytes8(_) => 8,
        };
        for (integer, expected) in [
            (0, 2),
            (32767, 2),
            (-32768, 2),
            (32768, 4),
            (-32769, 4),
            (i64::from(i32::MAX), 4),
            (i64::from(i32::MAX) + 1, 8),
            (i64::MIN, 8),
        ] {
            let mut intset: Intset = [5, integer, -5].into_iter().collect();
            assert_eq!(width(&intset), expected, "{integer}");
            intset.remove(integer);
            assert_eq!(width(&intset), expected);
            assert!(intset.iter().all(|it| it == 5 || it == -5 || it == 0));
        }
    }

    #[test]
    fn behaves_like_an_ordered_set() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut intset, mut model) = (Intset::default(), BTreeSet::new());
        for step in 0..30_000 {
            // Small integers are repeated often; wider ones come later.
            let integer = match step / 10_000 {
                0 => random.i64(-200..200),
                1 => random.i64(-200..200) * 1000,
                _ => random.i64(-200..200) << random.u32(0..55),
            };
            assert_eq!(intset.contains(integer), model.contains(&integer));
            match random.bool() {
                true => assert_eq!(intset.insert(integer), model.insert(integer)),
                false => assert_eq!(intset.remove(integer), model.remove(&integer)),
            }
            assert_eq!(intset.len(), model.len());
        }
        assert!(intset.iter().eq(model));
        assert_eq!(intset.get(intset.len()), None);
    }
}
