//! Glob patterns as KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET understand them.
//!
//! | pattern  | matches one byte that ...                                      |
//! |----------|----------------------------------------------------------------|
//! | `?`      | is any byte                                                    |
//! | `[abc]`  | is in the class                                                |
//! | `[a-z]`  | lies in the range; a reversed range is turned around           |
//! | `[^a-z]` | is not in the class                                            |
//! | `\x`     | is `x`, whatever `x` means elsewhere                           |
//! | other    | is that byte                                                   |
//!
//! and `*` matches any run of bytes, including the empty one. A letter of several bytes in UTF-8 counts as several
//! bytes.
//!
//! In Redis no pattern is malformed, so unusual patterns have a meaning, too: a class without its `]` ends with the
//! pattern, and a pattern made of stars only does not match the empty text.
//!
//! Every element except the star consumes exactly one byte. So after a mismatch only the *last* star needs to try a
//! longer run: a longer run of an earlier star could not match more. The worst case is pattern length times text
//! length; trying all stars would be exponential (CVE-2022-36021).

/// Whether `text` matches the glob `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    matches_with(pattern, text, Case::Exact)
}

/// Like [`matches()`], with ASCII letters equal in both cases. Inside a class, a letter after `\` stays exact.
pub fn matches_ignore_case(pattern: &[u8], text: &[u8]) -> bool {
    matches_with(pattern, text, Case::Ignored)
}

#[derive(Clone, Copy, PartialEq)]
enum Case {
    Exact,
    Ignored,
}

impl Case {
    fn equal(self, a: u8, b: u8) -> bool {
        a == b || (self == Case::Ignored && a.eq_ignore_ascii_case(&b))
    }
}

fn matches_with(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut p, mut t) = (0, 0);
    // The last star seen: the pattern after it, and the end of its present run of bytes.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            if p == pattern.len() {
                return true;
            }
            star = Some((p, t));
        } else if let Some(length) = match_element(&pattern[p..], text[t], case) {
            p += length;
            t += 1;
        } else if let Some((after_star, run_end)) = star {
            p = after_star;
            t = run_end + 1;
            star = Some((after_star, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// The length of the element at the start of `pattern` if it matches `byte`, else `None`.
fn match_element(pattern: &[u8], byte: u8, case: Case) -> Option<usize> {
    match *pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', ref class @ ..] => match_class(class, byte, case).map(|length| 1 + length),
        [b'\\', escaped, ..] => case.equal(escaped, byte).then_some(2),
        [literal, ..] => case.equal(literal, byte).then_some(1),
    }
}

/// Like [`match_element`] for what follows a `[`.
fn match_class(class: &[u8], byte: u8, case: Case) -> Option<usize> {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    loop {
        match class[at..] {
            [] => break,
            [b'\\', escaped, ..] => {
                found |= escaped == byte;
                at += 2;
            }
            [b']', ..] => {
                at += 1;
                break;
            }
            // The byte after the dash belongs to the range even if it is `]`: `[a-]` is a class that never ends.
            [start, b'-', end, ..] => {
                found |= in_range(start, end, byte, case);
                at += 3;
            }
            [member, ..] => {
                found |= case.equal(member, byte);
                at += 1;
            }
        }
    }
    (found != negated).then_some(at)
}

fn in_range(start: u8, end: u8, byte: u8, case: Case) -> bool {
    // Redis compares C `char`s, which are signed: 0x80 to 0xff come before the ASCII bytes.
    let signed = |byte: u8| byte as i8;
    let (low, high) = if signed(start) <= signed(end) {
        (start, end)
    } else {
        (end, start)
    };
    let fold = |byte: u8| {
        signed(if case == Case::Ignored {
            byte.to_ascii_lowercase()
        } else {
            byte
        })
    };
    (fold(low)..=fold(high)).contains(&fold(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answers of redis-server 7.0.15 to `KEYS pattern` with exactly one key, `text`.
    #[test]
    fn matches_what_redis_matches() {
        let table: &[(&str, &str, bool)] = &[
            ("h?llo", "hello", true),
            ("h?llo", "hllo", false),
            ("h*llo", "hllo", true),
            ("h*llo", "heeeello", true),
            ("h*llo", "heeeelloo", false),
            ("h[ae]llo", "hallo", true),
            ("h[ae]llo", "hillo", false),
            ("h[^e]llo", "hallo", true),
            ("h[^e]llo", "hello", false),
            ("h[a-b]llo", "hbllo", true),
            ("h[b-a]llo", "hallo", true),
            ("h[a-b]llo", "hcllo", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("a\\", "a\\", true),
            ("\\", "\\", true),
            ("\\a", "a", true),
            ("\\a", "\\a", false),
            ("", "a", false),
            ("", "", true),
            ("**", "", false),
            ("?", "", false),
            ("a*", "a", true),
            ("a**", "a", true),
            ("a*?", "a", false),
            ("*a", "a", true),
            ("*a*", "bab", true),
            ("*a*b*c", "xaybzbc", true),
            ("*a*b*c", "xaybzb", false),
            ("**a", "ba", true),
            ("[", "[", false),
            ("[", "a", false),
            ("[a", "a", true),
            ("[a", "b", false),
            ("[abc", "c", true),
            ("[^", "a", true),
            ("[^a", "b", true),
            ("[^a", "a", false),
            ("[]", "a", false),
            ("[]", "]", false),
            ("[]a]", "a", false),
            ("[^]", "a", true),
            ("[^]a", "xa", true),
            ("[\\]]", "]", true),
            ("[\\", "\\", true),
            ("[a\\", "\\", true),
            ("[a\\-z]", "-", true),
            ("[a\\-z]", "b", false),
            ("[a-", "-", true),
            ("[a-", "a", true),
            ("[a-]", "^", true),
            ("[a-]", "-", false),
            ("[a-]x", "x", true),
            ("[a-]x", "ax", false),
            ("[-a]", "-", true),
            ("[a-c-e]", "-", true),
            ("[a-c-e]", "d", false),
            ("[!a]", "b", false),
            ("[!a]", "!", true),
            ("[*]", "*", true),
            ("[*]", "a", false),
            ("[?]", "a", false),
            ("*[ab", "xxb", true),
            ("a]", "a]", true),
            ("A", "a", false),
            ("[A-Z]", "a", false),
        ];
        for &(pattern, text, expected) in table {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern:?} on {text:?}"
            );
        }
    }

    #[test]
    fn ranges_compare_signed_bytes() {
        assert!(matches(b"[\x80-a]", b"\xff"));
        assert!(matches(b"[\x80-a]", b"0"));
        assert!(!matches(b"[a-\xff]", b"z"));
    }

    #[test]
    fn case_is_ignored_except_after_a_backslash_in_a_class() {
        assert!(matches_ignore_case(b"MaxMemory*", b"maxmemory-policy"));
        assert!(matches_ignore_case(b"[A-C]", b"b"));
        assert!(matches_ignore_case(b"\\A", b"a"));
        assert!(!matches_ignore_case(b"[\\A]", b"a"));
    }

    #[test]
    fn a_hostile_pattern_is_not_exponential() {
        assert!(!matches(&b"a*".repeat(5_000), &b"a".repeat(4_999)));
        assert!(!matches(
            &[b"a*".repeat(1_000), b"b".to_vec()].concat(),
            &b"a".repeat(5_000)
        ));
    }
}
