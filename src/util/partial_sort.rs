//! Sorts only a part of a slice: GEOSEARCH with COUNT.
//!
//! It is the quicksort of J. L. Bentley and M. D. McIlroy ("Engineering a Sort Function", 1993), without the halves of
//! which nothing is wanted. Another algorithm would order equal elements differently, and the order of a reply must be
//! Redis'.

use std::cmp::Ordering;
use std::ops::Range;

/// Fewer elements than this are not partitioned.
const FEW: usize = 7;
/// With more than this, the pivot is chosen from nine elements instead of three.
const MANY: usize = 40;

/// Sorts `items` so far that the elements at the indexes `wanted` are those of a full sort.
pub fn sort_part<T>(
    items: &mut [T],
    wanted: Range<usize>,
    mut compare: impl FnMut(&T, &T) -> Ordering,
) {
    // A depth limit against killer inputs (M. D. McIlroy, "A Killer Adversary for Quicksort", 1999), which would take
    // quadratic time: beyond it, the rest is sorted by the standard library.
    let depth = 16 + 4 * items.len().max(1).ilog2();
    sort(items, wanted, depth, &mut compare);
}

fn sort<T>(
    items: &mut [T],
    wanted: Range<usize>,
    depth: u32,
    compare: &mut impl FnMut(&T, &T) -> Ordering,
) {
    let len = items.len();
    if wanted.start >= len || wanted.is_empty() {
        return;
    }
    if len < FEW || depth == 0 {
        // The standard sort is stable: equal elements keep their order, as in the insertion sort that Redis uses here.
        return items.sort_by(compare);
    }
    items.swap(0, pivot(items, compare));
    let (less, greater) = partition(items, compare);
    let right = len - greater;
    if less > 1 {
        let wanted = wanted.start..wanted.end.min(less);
        sort(&mut items[..less], wanted, depth - 1, compare);
    }
    if greater > 1 {
        let wanted = wanted.start.saturating_sub(right)..wanted.end.saturating_sub(right);
        sort(&mut items[right..], wanted, depth - 1, compare);
    }
}

/// The index of an element that is likely to lie in the middle.
fn pivot<T>(items: &[T], compare: &mut impl FnMut(&T, &T) -> Ordering) -> usize {
    let (mut first, mut middle, mut last) = (0, items.len() / 2, items.len() - 1);
    if items.len() == FEW {
        return middle;
    }
    if items.len() > MANY {
        let step = items.len() / 8;
        first = median(items, [first, first + step, first + 2 * step], compare);
        middle = median(items, [middle - step, middle, middle + step], compare);
        last = median(items, [last - 2 * step, last - step, last], compare);
    }
    median(items, [first, middle, last], compare)
}

/// The index of the median of three elements. Among equal elements, the order of the comparisons decides.
fn median<T>(
    items: &[T],
    [a, b, c]: [usize; 3],
    compare: &mut impl FnMut(&T, &T) -> Ordering,
) -> usize {
    let mut is_less = |a: usize, b: usize| compare(&items[a], &items[b]).is_lt();
    if is_less(a, b) {
        if is_less(b, c) {
            b
        } else if is_less(a, c) {
            c
        } else {
            a
        }
    } else if is_less(c, b) {
        b
    } else if is_less(a, c) {
        a
    } else {
        c
    }
}

/// Partitions the elements by the first of them: less, equal, greater. Returns the number of less and the number of
/// greater elements.
///
/// ```text
///   equal | less | not yet seen | greater | equal
///         equals    left   right          equals_right
/// ```
fn partition<T>(items: &mut [T], compare: &mut impl FnMut(&T, &T) -> Ordering) -> (usize, usize) {
    let len = items.len();
    // The parts grow towards each other. `right` and `equals_right` are exclusive ends.
    let (mut equals, mut left) = (1, 1);
    let (mut right, mut equals_right) = (len, len);
    loop {
        while left < right {
            match compare(&items[left], &items[0]) {
                Ordering::Greater => break,
                Ordering::Less => {}
                Ordering::Equal => {
                    items.swap(equals, left);
                    equals += 1;
                }
            }
            left += 1;
        }
        while left < right {
            match compare(&items[right - 1], &items[0]) {
                Ordering::Less => break,
                Ordering::Greater => {}
                Ordering::Equal => {
                    items.swap(right - 1, equals_right - 1);
                    equals_right -= 1;
                }
            }
            right -= 1;
        }
        if left >= right {
            break;
        }
        items.swap(left, right - 1);
        left += 1;
        right -= 1;
    }
    // The equal elements move from both ends into the middle.
    let (less, greater) = (left - equals, equals_right - left);
    swap_blocks(items, 0, left, equals.min(less));
    swap_blocks(items, left, len, greater.min(len - equals_right));
    (less, greater)
}

/// Swaps the first `count` elements from `start` on with the last `count` before `end`.
fn swap_blocks<T>(items: &mut [T], start: usize, end: usize, count: usize) {
    for offset in 0..count {
        items.swap(start + offset, end - count + offset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(mut numbers: Vec<u32>, wanted: Range<usize>) {
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        sort_part(&mut numbers, wanted.clone(), u32::cmp);
        let wanted = wanted.start..wanted.end.min(sorted.len());
        assert_eq!(numbers[wanted.clone()], sorted[wanted]);
        numbers.sort_unstable();
        assert_eq!(numbers, sorted, "something was lost");
    }

    #[test]
    fn sorts_what_is_wanted() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let len = random.usize(1..300);
            let values = random.u32(1..400);
            let numbers = (0..len).map(|_| random.u32(..values)).collect();
            let start = random.usize(..len);
            check(numbers, start..random.usize(start..=len + 5));
        }
    }

    #[test]
    fn hostile_orders_do_not_take_long() {
        // Each comparison is answered so that the pivot turns out to be among the least: M. D. McIlroy, "A Killer
        // Adversary for Quicksort", 1999.
        const LEN: usize = 50_000;
        let gas = LEN;
        let mut values = vec![gas; LEN];
        let (mut solid, mut candidate, mut comparisons) = (0, 0, 0u64);
        let mut items: Vec<usize> = (0..LEN).collect();
        sort_part(&mut items, 0..LEN, |&a, &b| {
            comparisons += 1;
            if values[a] == gas && values[b] == gas {
                let frozen = if a == candidate { a } else { b };
                values[frozen] = solid;
                solid += 1;
            }
            if values[a] == gas {
                candidate = a;
            } else if values[b] == gas {
                candidate = b;
            }
            values[a].cmp(&values[b])
        });
        assert!(comparisons < 200 * LEN as u64, "{comparisons}");
    }
}
