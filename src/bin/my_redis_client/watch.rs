//! `:watch SECONDS COMMAND`: repeats a command and marks the lines that have changed.

use crate::terminal::Style;

/// What the rounds have printed so far.
#[derive(Default)]
pub struct Rounds {
    before: Option<Vec<String>>,
}

impl Rounds {
    /// The text of a round. Lines that are not as they were in the round before begin with an asterisk, and stand out.
    pub fn marked(&mut self, text: &str, style: Style) -> String {
        let lines: Vec<String> = text.lines().map(str::to_string).collect();
        let is_new = |index: usize, line: &String| match &self.before {
            Some(before) => before.get(index) != Some(line),
            None => false,
        };
        let marked = lines
            .iter()
            .enumerate()
            .map(|(index, line)| match is_new(index, line) {
                true => format!("* {}\n", style.yellow(line)),
                false => format!("  {line}\n"),
            });
        let marked = marked.collect();
        self.before = Some(lines);
        marked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_marked() {
        let mut rounds = Rounds::default();
        let mut check = |text, expected| assert_eq!(rounds.marked(text, Style::Plain), expected);
        check("a\nb\n", "  a\n  b\n");
        check("a\nc\n", "  a\n* c\n");
        check("a\nc\nd\n", "  a\n  c\n* d\n");
        check("c\n", "* c\n");
    }
}
