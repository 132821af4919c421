//! What keys a table has, found out before it is encoded.
//!
//! In mlua a string of Lua costs about 100 ns to look at, for its handle; a copy of its bytes costs 10 ns. A copy does
//! not tell the key `1` from the key `"1"`, though. So tables with common names as keys are told apart from others.

use mlua::{BString, Error, Table, Value};

/// The keys of a table.
#[derive(Debug, PartialEq)]
pub(super) enum Shape {
    Empty,
    /// Strings, none of which looks like a number: their bytes alone say what they are.
    Names,
    /// Integers from 1 on.
    Indices {
        /// The largest, as C finds it: a number that is no `int` becomes the lowest one, which the next key replaces.
        largest: i32,
        count: usize,
        /// Whether all of them are an `int` of C.
        fit: bool,
    },
    /// Anything else.
    Mixed,
}

/// The keys of `table`, without metamethods.
pub(super) fn of(table: &Table) -> mlua::Result<Shape> {
    // A table that has a first element is no table of names.
    if table.raw_len() == 0 {
        let mut count = 0;
        let names = table.for_each(|key: BString, _: bool| {
            count += 1;
            // Stops the search; the error is not told.
            is_name(&key).then_some(()).ok_or(Error::StackError)
        });
        match (names, count) {
            (Ok(()), 0) => return Ok(Shape::Empty),
            (Ok(()), _) => return Ok(Shape::Names),
            _ => {}
        }
    }
    let (mut largest, mut count, mut fit) = (0, 0, true);
    let indices = table.for_each(|key: Value, _: bool| {
        let index = index(&key).ok_or(Error::StackError)?;
        if index > f64::from(i32::MAX) {
            (largest, fit) = (i32::MIN, false);
        } else if index > f64::from(largest) {
            largest = index as i32;
        }
        count += 1;
        Ok(())
    });
    Ok(match indices {
        Ok(()) => Shape::Indices {
            largest,
            count,
            fit,
        },
        Err(_) => Shape::Mixed,
    })
}

/// Whether a key's text can be that of a string alone: numbers begin with a digit, a sign, `inf` or `nan`.
fn is_name(text: &[u8]) -> bool {
    !matches!(text.first(), Some(b'0'..=b'9' | b'-' | b'i' | b'n'))
        || text.first().is_some_and(u8::is_ascii_lowercase)
            && !text.starts_with(b"inf")
            && !text.starts_with(b"nan")
}

/// A key that is an integer from 1 on.
fn index(key: &Value) -> Option<f64> {
    let number = match key {
        Value::Integer(number) => *number as f64,
        Value::Number(number) => *number,
        _ => return None,
    };
    (number >= 1.0 && number.floor() == number).then_some(number)
}
