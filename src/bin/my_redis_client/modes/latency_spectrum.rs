//! How long PING takes, as a spectrum: `--latency-dist`. Each line is a span of time, each column a range of latencies,
//! and the colour of a column says how many of the PINGs fell into it.

use super::latency::{PAUSE, ping};
use crate::output;
use crate::session::{Failed, Session};
use crate::terminal::Style;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// The colours of a terminal with 256 of them, from none of the PINGs to all.
const PALETTE: [u8; 19] = [
    0, 233, 234, 235, 237, 239, 241, 243, 245, 247, 144, 143, 142, 184, 226, 214, 208, 202, 196,
];

/// The columns: a letter, and the longest latency in microseconds.
const COLUMNS: [(char, u64); 30] = [
    ('.', 10),
    ('-', 125),
    ('*', 250),
    ('#', 500),
    ('1', 1000),
    ('2', 2000),
    ('3', 3000),
    ('4', 4000),
    ('5', 5000),
    ('6', 6000),
    ('7', 7000),
    ('8', 8000),
    ('9', 9000),
    ('A', 10_000),
    ('B', 20_000),
    ('C', 30_000),
    ('D', 40_000),
    ('E', 50_000),
    ('F', 100_000),
    ('G', 200_000),
    ('H', 300_000),
    ('I', 400_000),
    ('J', 500_000),
    ('K', 1_000_000),
    ('L', 2_000_000),
    ('M', 4_000_000),
    ('N', 8_000_000),
    ('O', 16_000_000),
    ('P', 30_000_000),
    ('Q', 60_000_000),
];

/// The letter of what takes longer than all columns.
const LONGER: char = '?';

/// What the letters mean.
const LEGEND: &str = "\
. - * #          .01 .125 .25 .5 milliseconds
1,2,3,...,9      from 1 to 9     milliseconds
A,B,C,D,E        10,20,30,40,50  milliseconds
F,G,H,I,J        .1,.2,.3,.4,.5       seconds
K,L,M,N,O,P,Q,?  1,2,4,8,16,30,60,>60 seconds
";

const RULE: &str = "---------------------------------------------\n";

/// After this number of lines the legend comes again.
const LINES_PER_LEGEND: usize = 20;

/// Prints lines until the program is ended.
pub fn measure(session: &mut Session) -> Result<(), Failed> {
    let style = Style::of(io::stdout());
    let span = match session.options.interval {
        Duration::ZERO => Duration::from_secs(1),
        interval => interval,
    };
    for line in 0.. {
        let mut counts = [0; COLUMNS.len() + 1];
        let began = Instant::now();
        while began.elapsed() <= span {
            let us = ping(session)?.as_micros();
            counts[COLUMNS.partition_point(|(_, longest)| u128::from(*longest) < us)] += 1;
            thread::sleep(PAUSE);
        }
        if line % LINES_PER_LEGEND == 0 {
            output::write_unguarded(legend(style).as_bytes());
        }
        output::write_unguarded(row(&counts, style).as_bytes());
    }
    Ok(())
}

fn legend(style: Style) -> String {
    let scale = PALETTE.map(|colour| format!("\x1b[48;5;{colour}m "));
    let colours = match style {
        Style::Coloured => format!("From 0 to 100%: {}\x1b[0m\n", scale.concat()),
        Style::Plain => "The digit below a letter is the share of the PINGs in tenths.\n".into(),
    };
    format!("{RULE}{LEGEND}{colours}{RULE}")
}

/// A line of letters on colours. Without colours a second line tells the shares: 0 to 9 tenths, or `=` for all.
fn row(counts: &[u64], style: Style) -> String {
    let total: u64 = counts.iter().sum();
    let letters = COLUMNS.iter().map(|(letter, _)| *letter).chain([LONGER]);
    let share = |count: u64| count as f64 / total as f64;
    if style == Style::Plain {
        let shares = counts
            .iter()
            .map(|count| match (*count, (share(*count) * 10.0) as u32) {
                (0, _) => ' ',
                (_, tenths) => char::from_digit(tenths, 10).unwrap_or('='),
            });
        return letters
            .chain(['\n'])
            .chain(shares)
            .collect::<String>()
            .trim_end()
            .to_string()
            + "\n";
    }
    let columns = letters.zip(counts).map(|(letter, count)| {
        let index = (share(*count) * (PALETTE.len() - 1) as f64).ceil() as usize;
        format!("\x1b[48;5;{}m{letter}", PALETTE[index])
    });
    format!("\x1b[38;5;0m{}\x1b[0m\n", columns.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_digits_without_colours() {
        let mut counts = [0; COLUMNS.len() + 1];
        (counts[0], counts[1]) = (3, 7);
        let expected = ".-*#123456789ABCDEFGHIJKLMNOPQ?\n37\n";
        assert_eq!(row(&counts, Style::Plain), expected);
        counts[1] = 0;
        assert!(row(&counts, Style::Plain).ends_with("\n=\n"));
    }
}
