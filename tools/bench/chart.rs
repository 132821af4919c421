//! The throughput as a picture: for every test and load, how ours compares to the best peer.

use std::fmt::Write;

use crate::redis_benchmark::{CPU, RATE};
use crate::results::{Better, Figure, Results, Row};

/// What is compared: a metric, what the legend says about it, and the colour of its bars.
const SERIES: [(&str, &str, &str); 2] = [
    (RATE.0, "requests per second", "rate"),
    (CPU.0, "requests per second of processor time", "cpu"),
];

/// Longer bars are cut off; their number tells how long they would be.
const LONGEST_RATIO: f64 = 2.0;
const PANELS_PER_LINE: usize = 5;
pub const MARGIN: f64 = 20.0;
const NAMES_WIDTH: f64 = 84.0;
const PANEL_WIDTH: f64 = 176.0;
/// The part of a panel that bars take; numbers stand behind them.
const BARS_WIDTH: f64 = 128.0;
const HEAD_HEIGHT: f64 = 84.0;
const TITLE_HEIGHT: f64 = 44.0;
const ROW_HEIGHT: f64 = 22.0;
const BAR_HEIGHT: f64 = 8.0;

/// Colours that are legible on their own ground, be the reader's page light or dark.
const STYLE: &str = "\
text { font: 11px system-ui, sans-serif; fill: #24292f }
.title { font-size: 16px; font-weight: 600 } .faint { fill: #57606a } .strong { font-weight: 600 }
.number { font-size: 9px; paint-order: stroke; stroke: #ffffff; stroke-width: 3px } .end { text-anchor: end }
.ground { fill: #ffffff } .line { stroke: #8c959f } .rate { fill: #0969da } .cpu { fill: #bf8700 }
.curve { fill: none; stroke-width: 2px }
.first { stroke: #0969da } .second { stroke: #cf222e } .third { stroke: #8250df } .other { stroke: #57606a }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .faint { fill: #9198a1 }
  .number { stroke: #0d1117 } .ground { fill: #0d1117 } .line { stroke: #656c76 }
  .rate { fill: #4493f8 } .cpu { fill: #d29922 }
  .first { stroke: #4493f8 } .second { stroke: #f85149 } .third { stroke: #ab7df8 } .other { stroke: #9198a1 }
}";

/// All groups of the throughput as panels of one SVG file.
pub fn chart(results: &Results) -> String {
    let rows = results
        .rows
        .iter()
        .filter(|row| row.subject == "throughput");
    let rows: Vec<&Row> = rows.collect();
    let groups: Vec<&[&Row]> = rows.chunk_by(|one, next| one.group == next.group).collect();
    // The head needs the width, even if there are fewer panels.
    let width = 2.0 * MARGIN + NAMES_WIDTH + PANELS_PER_LINE as f64 * PANEL_WIDTH;
    let mut drawing = String::new();
    let mut y = HEAD_HEIGHT;
    for line in groups.chunks(PANELS_PER_LINE) {
        y += draw_line(&mut drawing, results, line, y);
    }
    let mut head = String::new();
    draw_head(&mut head, results);
    file(width, y + MARGIN, &(head + &drawing))
}

/// The text of an SVG file with this drawing.
pub fn file(width: f64, height: f64, drawing: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\">\n\
         <style>\n{STYLE}\n</style>\n\
         <rect class=\"ground\" width=\"100%\" height=\"100%\" rx=\"6\"/>\n\
         {drawing}</svg>\n"
    )
}

fn draw_head(svg: &mut String, results: &Results) {
    let names: Vec<&str> = results.servers[1..]
        .iter()
        .map(|server| server.name.as_str())
        .collect();
    let peers = match names[..] {
        [peer] => peer.to_string(),
        _ => format!("the best of {}", names.join(", ")),
    };
    let title = format!(
        "{} compared to {peers}, whose bars would end at the line: longer is better",
        results.ours()
    );
    label(svg, "title", MARGIN, MARGIN + 8.0, &title);
    label(svg, "faint", MARGIN, MARGIN + 26.0, &circumstances(results));
    let mut x = MARGIN;
    for (_, name, class) in SERIES {
        bar(svg, class, x, MARGIN + 38.0, 12.0);
        label(svg, "", x + 18.0, MARGIN + 46.0, name);
        x += 150.0;
    }
}

/// When, where and with which versions the figures were measured.
pub fn circumstances(results: &Results) -> String {
    let versions: Vec<&str> = results
        .servers
        .iter()
        .map(|server| server.version.as_str())
        .collect();
    let machine = &results.machine;
    format!(
        "{}; {} cores of {}, {}; {}",
        results.date,
        machine.cores,
        machine.processor,
        machine.kernel,
        versions.join(" / ")
    )
}

/// Panels beside each other, with the names of the tests on the left; the height that they take.
fn draw_line(svg: &mut String, results: &Results, panels: &[&[&Row]], top: f64) -> f64 {
    // A test that one of the loads leaves out keeps its place.
    let mut names: Vec<&str> = Vec::new();
    for row in panels.iter().flat_map(|panel| panel.iter()) {
        if !names.contains(&row.name.as_str()) {
            names.push(&row.name);
        }
    }
    let height = TITLE_HEIGHT + names.len() as f64 * ROW_HEIGHT;
    let row_top = |place: usize| top + TITLE_HEIGHT + place as f64 * ROW_HEIGHT;
    for (place, name) in names.iter().enumerate() {
        let end = MARGIN + NAMES_WIDTH - 8.0;
        label(svg, "end", end, row_top(place) + 12.0, name);
    }
    for (column, panel) in panels.iter().enumerate() {
        let left = MARGIN + NAMES_WIDTH + column as f64 * PANEL_WIDTH;
        let (load, bytes) = panel[0].group.rsplit_once(", ").unwrap_or(("", ""));
        label(svg, "strong", left, top + 16.0, load);
        label(svg, "faint", left, top + 32.0, bytes);
        let one = left + BARS_WIDTH / LONGEST_RATIO;
        let (from, to) = (top + TITLE_HEIGHT - 4.0, top + height);
        let _ = writeln!(
            svg,
            "<line class=\"line\" x1=\"{one}\" x2=\"{one}\" y1=\"{from}\" y2=\"{to}\"/>"
        );
        for row in *panel {
            let place = names.iter().position(|name| *name == row.name);
            let y = row_top(place.expect("the name of every row is there"));
            draw_bars(svg, results, row, left, y);
        }
    }
    height
}

fn draw_bars(svg: &mut String, results: &Results, row: &Row, left: f64, top: f64) {
    for (place, (metric, _, class)) in SERIES.iter().enumerate() {
        let advantage = |figure: &Figure| {
            let ratio = results.ratio(figure)?;
            Some(match figure.better {
                Better::Higher => ratio,
                Better::Lower => 1.0 / ratio,
            })
        };
        let Some(ratio) = row.figure(metric).and_then(advantage) else {
            continue;
        };
        let y = top + place as f64 * (BAR_HEIGHT + 1.0);
        let len = ratio.min(LONGEST_RATIO) / LONGEST_RATIO * BARS_WIDTH;
        bar(svg, class, left, y, len);
        let number = format!("{ratio:.2}");
        label(svg, "number", left + len + 4.0, y + BAR_HEIGHT, &number);
    }
}

fn bar(svg: &mut String, class: &str, x: f64, y: f64, len: f64) {
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{len:.1}\" height=\"{BAR_HEIGHT}\"/>"
    );
}

pub fn label(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn a_bar_is_as_long_as_ours_is_better() {
        let mut results = example();
        results.rows[0].group = "50 clients, 64 B".to_string();
        let svg = chart(&results);
        // 105 to the best peer's 205 requests, at 10 to the best peer's 16 microseconds.
        for number in [">0.51<", ">1.60<"] {
            assert!(svg.contains(number), "{number} is not in {svg}");
        }
        assert!(svg.contains("ours 1 &lt;b>"), "{svg}");
    }
}
