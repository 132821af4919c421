//! The bounds of ranges: `(1.5`, `+inf` of scores, `[ann`, `(bob`, `-` and `+` of members.

use crate::command::error::CommandError;
use crate::types::sorted_set::Edge;
use crate::util::number;
use crate::util::quoting::c_string;

/// Which end of a range a bound is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

/// The edges of a range of scores.
pub(super) fn by_score<'a>(min: &[u8], max: &[u8]) -> Result<(Edge<'a>, Edge<'a>), CommandError> {
    let edges = score_edge(min, End::Min).zip(score_edge(max, End::Max));
    edges.ok_or_else(|| CommandError::err("min or max is not a float"))
}

/// The edges of a range of members.
pub(super) fn by_member<'a>(
    min: &'a [u8],
    max: &'a [u8],
) -> Result<(Edge<'a>, Edge<'a>), CommandError> {
    let edges = member_edge(min, End::Min).zip(member_edge(max, End::Max));
    edges.ok_or_else(|| CommandError::err("min or max not valid string range item"))
}

fn score_edge<'a>(text: &[u8], end: End) -> Option<Edge<'a>> {
    // For Redis it is a C string.
    let text = c_string(text);
    let (is_exclusive, digits) = match text.strip_prefix(b"(") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let score = number::parse_f64_loosely(digits)?;
    Some(match is_exclusive == (end == End::Min) {
        true => Edge::AfterScore(score),
        false => Edge::BeforeScore(score),
    })
}

fn member_edge(text: &[u8], end: End) -> Option<Edge<'_>> {
    match (text, end) {
        ([b'-'] | [b'-', 0, ..], _) => Some(Edge::Start),
        ([b'+'] | [b'+', 0, ..], _) => Some(Edge::End),
        ([b'(', member @ ..], End::Min) | ([b'[', member @ ..], End::Max) => {
            Some(Edge::AfterMember(member))
        }
        ([b'[', member @ ..], End::Min) | ([b'(', member @ ..], End::Max) => {
            Some(Edge::BeforeMember(member))
        }
        _ => None,
    }
}
