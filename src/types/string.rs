//! Algorithms on strings: the longest common subsequence (LCS).

use std::ops::Range;

/// A run of bytes that two strings have in common, by its range in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// In the first string.
    pub first: Range<usize>,
    /// In the second string.
    pub second: Range<usize>,
}

/// The longest common subsequence of two strings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommonSubsequence {
    /// The bytes of the subsequence.
    pub bytes: Vec<u8>,
    /// The runs of which it consists, from the last to the first.
    pub matches: Vec<Match>,
}

/// The longest common subsequence, as <https://redis.io/commands/lcs/> gives it. If several have the greatest length,
/// it is the one that Redis finds. It takes one step and four bytes of memory for each pair of bytes: the caller must
/// limit that.
pub fn longest_common_subsequence(first: &[u8], second: &[u8]) -> CommonSubsequence {
    let width = second.len() + 1;
    // lengths[i * width + j] is the length for the first i and the first j bytes.
    let mut lengths: Vec<u32> = vec![0; (first.len() + 1) * width];
    for (i, a) in first.iter().enumerate() {
        for (j, b) in second.iter().enumerate() {
            lengths[(i + 1) * width + j + 1] = if a == b {
                lengths[i * width + j] + 1
            } else {
                lengths[i * width + j + 1].max(lengths[(i + 1) * width + j])
            };
        }
    }
    let mut found = CommonSubsequence::default();
    let (mut i, mut j) = (first.len(), second.len());
    while i > 0 && j > 0 {
        if first[i - 1] == second[j - 1] {
            i -= 1;
            j -= 1;
            found.bytes.push(first[i]);
            match found.matches.last_mut() {
                Some(last) if last.first.start == i + 1 && last.second.start == j + 1 => {
                    last.first.start = i;
                    last.second.start = j;
                }
                _ => found.matches.push(Match {
                    first: i..i + 1,
                    second: j..j + 1,
                }),
            }
        } else if lengths[(i - 1) * width + j] > lengths[i * width + j - 1] {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    found.bytes.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of <https://redis.io/commands/lcs/>.
    #[test]
    fn the_example_of_the_documentation() {
        let found = longest_common_subsequence(b"ohmytext", b"mynewtext");
        assert_eq!(found.bytes, b"mytext");
        let expected = [
            Match {
                first: 4..8,
                second: 5..9,
            },
            Match {
                first: 2..4,
                second: 0..2,
            },
        ];
        assert_eq!(found.matches, expected);
    }

    #[test]
    fn nothing_in_common() {
        assert_eq!(
            longest_common_subsequence(b"abc", b"xyz"),
            CommonSubsequence::default()
        );
        assert_eq!(
            longest_common_subsequence(b"", b"xyz"),
            CommonSubsequence::default()
        );
    }
}
