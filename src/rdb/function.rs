//! Function libraries, as far as dumps know them. The first line of the code names the engine and the library:
//!
//! ```text
//! #!lua name=mylib
//! redis.register_function('f', function(keys, args) return 1 end)
//! ```

use crate::util::quoting::split_arguments;

/// The name of a library; None if its first line has none.
pub fn library_name(code: &[u8]) -> Option<Vec<u8>> {
    const NAME: &[u8] = b"name=";
    let line = code
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let words = split_arguments(line).ok()?;
    // The first word is the engine.
    let name = words.into_iter().skip(1).find_map(|word| {
        let (key, name) = word.split_at_checked(NAME.len())?;
        key.eq_ignore_ascii_case(NAME).then(|| name.to_vec())
    });
    name.filter(|name| !name.is_empty())
}

/// What is said, in Redis' words, of a library that cannot be loaded.
pub fn not_loaded(error: &[u8]) -> String {
    format!("Failed loading library, {}", String::from_utf8_lossy(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_has_the_name() {
        for (code, expected) in [
            (&b"#!lua name=mylib\nreturn 1"[..], Some(&b"mylib"[..])),
            (b"#!lua NAME=a", Some(b"a")),
            (b"#!js api=1.0 name=b\r\nname=c", Some(b"b")),
            (b"#!lua name=\"a b\"\n", Some(b"a b")),
            (b"#!lua \"name=a b\"\n", Some(b"a b")),
            (b"#!name=a\n", None),
            (b"#!lua\nname=a", None),
            (b"#!lua name=\n", None),
            (b"return 1", None),
            (b"#!lua \"name=a\n", None),
            (b"", None),
        ] {
            let text = String::from_utf8_lossy(code);
            assert_eq!(library_name(code).as_deref(), expected, "{text}");
        }
    }
}
