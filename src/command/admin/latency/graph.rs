//! LATENCY GRAPH: the samples of an event as a picture of letters.
//!
//! ```text
//! command - high 9 ms, low 5 ms (all time high 9 ms)
//! --------------------------------------------------------------------------------
//!  #          a column a sample; four rows, each of which knows three heights: _ o #
//!  |
//!  |
//! _|
//!
//! 20          how long ago that was, from top to bottom: 2s, 0s
//! ss
//! ```

use crate::state::latency::{Sample, Series};

/// Samples side by side; more go below.
const COLUMNS: usize = 80;

/// Rows of the picture.
const ROWS: u64 = 4;

/// From low to high.
const HEIGHTS: [u8; 3] = *b"_o#";

/// The whole picture.
pub(super) fn draw(event: &str, series: &Series, now_s: i64) -> String {
    let (low, high) = series.range_ms();
    let all_time_high = series.longest_ms;
    let head = format!("{event} - high {high} ms, low {low} ms (all time high {all_time_high} ms)");
    let samples: Vec<Sample> = series.samples.iter().copied().collect();
    let parts = samples.chunks(COLUMNS);
    let parts: Vec<String> = parts
        .map(|part| draw_part(part, low, high, now_s))
        .collect();
    format!("{head}\n{}\n{}", "-".repeat(COLUMNS), parts.join("\n"))
}

fn draw_part(samples: &[Sample], low: u64, high: u64, now_s: i64) -> String {
    let heights = HEIGHTS.len() as u64;
    let steps = ROWS * heights;
    let row = |row: u64| -> String {
        let column = |sample: &Sample| {
            let step = (sample.duration_ms - low) * steps / (high - low).max(1);
            let below = (ROWS - 1 - row) * heights;
            match step.min(steps - 1).checked_sub(below) {
                None => ' ',
                Some(height) => HEIGHTS.get(height as usize).map_or('|', |it| (*it).into()),
            }
        };
        samples.iter().map(column).collect()
    };
    let labels: Vec<String> = samples
        .iter()
        .map(|sample| age(now_s - sample.time_s))
        .collect();
    let longest = labels.iter().map(String::len).max().unwrap_or(0);
    let label_row = |row: usize| -> String {
        let letters = labels.iter().map(|label| label.as_bytes().get(row));
        letters
            .map(|letter| letter.map_or(' ', |letter| (*letter).into()))
            .collect()
    };
    let space = " ".repeat(samples.len());
    let picture = (0..ROWS).map(row);
    let lines = picture.chain([space]).chain((0..longest).map(label_row));
    lines.map(|line| line + "\n").collect()
}

/// Seconds in the largest unit of which there is one.
fn age(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(samples: &[(i64, u64)], longest_ms: u64, expected: &[&str]) {
        let samples = samples.iter().map(|(time_s, duration_ms)| Sample {
            time_s: *time_s,
            duration_ms: *duration_ms,
        });
        let series = Series {
            samples: samples.collect(),
            longest_ms,
        };
        let drawn = draw("command", &series, 1_000_000);
        let lines: Vec<&str> = drawn.split('\n').collect();
        assert_eq!(lines[1], "-".repeat(80));
        assert_eq!([&lines[..1], &lines[2..]].concat(), expected);
    }

    /// The first is a reply of redis-server 7.0.15, the others follow from its `sparkline.c`.
    #[test]
    fn pictures() {
        let head = "command - high 9 ms, low 5 ms (all time high 9 ms)";
        let picture = [head, " #", " |", " |", "_|", "  ", "20", "ss", ""];
        check(&[(999_998, 5), (1_000_000, 9)], 9, &picture);
        let head = "command - high 7 ms, low 7 ms (all time high 20 ms)";
        let picture = [head, " ", " ", " ", "_", " ", "1", "1", "d", ""];
        check(&[(0, 7)], 20, &picture);
        let head = "command - high 12 ms, low 0 ms (all time high 12 ms)";
        let samples: Vec<(i64, u64)> = (0..13).map(|height| (996_399, height)).collect();
        let picture = [
            head,
            "         _o##",
            "      _o#||||",
            "   _o#|||||||",
            "_o#||||||||||",
            "             ",
            "1111111111111",
            "hhhhhhhhhhhhh",
            "",
        ];
        check(&samples, 12, &picture);
    }

    #[test]
    fn many_samples_go_below_each_other() {
        let samples: Vec<(i64, u64)> = (0..81).map(|_| (999_900, 1)).collect();
        let (row, letters) = (" ".repeat(80), [1, 80].map(|count| "1m".repeat(count)));
        assert_eq!(letters[0], "1m");
        let line = |letter: &str| letter.repeat(80);
        let (heights, ones, minutes) = (line("_"), line("1"), line("m"));
        let picture = [
            "command - high 1 ms, low 1 ms (all time high 1 ms)",
            &row,
            &row,
            &row,
            &heights,
            &row,
            &ones,
            &minutes,
            "",
            " ",
            " ",
            " ",
            "_",
            " ",
            "1",
            "m",
            "",
        ];
        check(&samples, 1, &picture);
    }
}
