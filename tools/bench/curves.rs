//! The scaling as a picture: for every test a panel, in it a curve for every server, from few cores to many.

use std::fmt::Write;

use crate::chart::{MARGIN, circumstances, file, label};
use crate::redis_benchmark::RATE;
use crate::results::{Results, Row};
use crate::scaling::SUBJECT;
use crate::table::number;

const PANELS_PER_LINE: usize = 3;
const PANEL_WIDTH: f64 = 320.0;
/// A panel with its title and the names of its columns.
const PANEL_HEIGHT: f64 = 196.0;
const HEAD_HEIGHT: f64 = 84.0;
const TITLE_HEIGHT: f64 = 44.0;
/// The part of a panel that the curves lie in.
const CURVES_WIDTH: f64 = 250.0;
const CURVES_HEIGHT: f64 = 112.0;
/// The colours of the servers; further ones look alike.
const CLASSES: [&str; 4] = ["first", "second", "third", "other"];

/// All tests of the scaling as panels of one SVG file.
pub fn chart(results: &Results) -> String {
    let rows = results.rows.iter().filter(|row| row.subject == SUBJECT);
    let rows: Vec<&Row> = rows.collect();
    // The columns are those of all panels: a number of cores that a test lacks keeps its place.
    let mut columns: Vec<&str> = Vec::new();
    for row in &rows {
        if !columns.contains(&row.name.as_str()) {
            columns.push(&row.name);
        }
    }
    columns.sort_by_key(|name| count_of_cores(name));
    let panels: Vec<&[&Row]> = rows.chunk_by(|one, next| one.group == next.group).collect();
    let mut drawing = String::new();
    draw_head(&mut drawing, results);
    for (place, panel) in panels.iter().enumerate() {
        let left = MARGIN + (place % PANELS_PER_LINE) as f64 * PANEL_WIDTH;
        let top = HEAD_HEIGHT + (place / PANELS_PER_LINE) as f64 * PANEL_HEIGHT;
        draw_panel(&mut drawing, results, panel, &columns, [left, top]);
    }
    let lines = panels.len().div_ceil(PANELS_PER_LINE);
    let width = 2.0 * MARGIN + PANELS_PER_LINE as f64 * PANEL_WIDTH;
    let height = HEAD_HEIGHT + lines as f64 * PANEL_HEIGHT + MARGIN;
    file(width, height, &drawing)
}

/// The number that the name of a case begins with: `8 cores`.
fn count_of_cores(name: &str) -> usize {
    let first = name.split(' ').next().and_then(|word| word.parse().ok());
    first.unwrap_or(usize::MAX)
}

fn class(server: usize) -> &'static str {
    CLASSES[server.min(CLASSES.len() - 1)]
}

fn draw_head(svg: &mut String, results: &Results) {
    let title = "Thousands of requests per second, by the number of cores that the server has";
    label(svg, "title", MARGIN, MARGIN + 8.0, title);
    let about = circumstances(results);
    label(svg, "faint", MARGIN, MARGIN + 26.0, &about);
    let mut x = MARGIN;
    for (place, server) in results.servers.iter().enumerate() {
        let y = MARGIN + 42.0;
        draw_curve(svg, class(place), &[[x, y], [x + 20.0, y]]);
        label(svg, "", x + 28.0, y + 4.0, &server.name);
        x += 110.0;
    }
}

fn draw_panel(
    svg: &mut String,
    results: &Results,
    rows: &[&Row],
    columns: &[&str],
    [left, top]: [f64; 2],
) {
    let (test, load) = rows[0].group.split_once(", ").unwrap_or(("", ""));
    label(svg, "strong", left, top + 16.0, test);
    label(svg, "faint", left, top + 32.0, load);
    let rate = |row: &Row, server: &str| row.figure(RATE.0)?.median(server);
    let rates = rows.iter().flat_map(|row| {
        let servers = results.servers.iter();
        servers.filter_map(|server| rate(row, &server.name))
    });
    let highest = rates.fold(f64::MIN_POSITIVE, f64::max);
    let bottom = top + TITLE_HEIGHT + CURVES_HEIGHT;
    let x = |name: &str| {
        let place = columns.iter().position(|column| *column == name);
        let place = place.expect("the column of every row is there");
        left + CURVES_WIDTH * place as f64 / (columns.len() - 1).max(1) as f64
    };
    let y = |rate: f64| bottom - CURVES_HEIGHT * rate / highest;
    for height in [bottom, y(highest)] {
        let right = left + CURVES_WIDTH;
        let _ = writeln!(
            svg,
            "<line class=\"line\" x1=\"{left}\" x2=\"{right}\" y1=\"{height:.1}\" y2=\"{height:.1}\"/>"
        );
    }
    let thousands = number(highest / 1000.0);
    label(
        svg,
        "faint",
        left + CURVES_WIDTH + 6.0,
        y(highest) + 4.0,
        &thousands,
    );
    for column in columns {
        label(svg, "faint", x(column), bottom + 14.0, column);
    }
    for (place, server) in results.servers.iter().enumerate() {
        let point = |row: &&Row| Some([x(&row.name), y(rate(row, &server.name)?)]);
        let points: Vec<[f64; 2]> = rows.iter().filter_map(point).collect();
        draw_curve(svg, class(place), &points);
    }
}

/// A line from point to point, with a dot at each.
fn draw_curve(svg: &mut String, class: &str, points: &[[f64; 2]]) {
    let path = points.iter().map(|[x, y]| format!("{x:.1},{y:.1} "));
    let path = path.collect::<String>();
    let _ = writeln!(
        svg,
        "<polyline class=\"curve {class}\" points=\"{}\"/>",
        path.trim_end()
    );
    for [x, y] in points {
        let _ = writeln!(
            svg,
            "<circle class=\"curve {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\"/>"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn a_point_lies_as_high_as_its_rate_is_of_the_highest() {
        let mut results = example();
        results.rows.clear();
        let group = "get, 50 clients, pipeline 1";
        for (name, server, rate) in [
            ("1 core", "ours", 100_000.0),
            ("2 cores", "ours", 200_000.0),
            ("2 cores", "redis", 50_000.0),
        ] {
            let samples = vec![(RATE, rate)];
            results.add([SUBJECT, group, name], server, samples);
        }
        let svg = chart(&results);
        // The highest is 112 above the ground, which is at 84 + 44 + 112 = 240; the columns are at 20 and at 270.
        for curve in [
            "<polyline class=\"curve first\" points=\"20.0,184.0 270.0,128.0\"/>",
            "<polyline class=\"curve second\" points=\"270.0,212.0\"/>",
            ">200.0</text>",
            ">2 cores</text>",
        ] {
            assert!(svg.contains(curve), "{curve} is not in {svg}");
        }
    }

    #[test]
    fn columns_stand_in_the_order_of_their_numbers() {
        assert!(count_of_cores("2 cores") < count_of_cores("16 cores"));
        assert!(chart(&example()).contains("</svg>"), "without a panel");
    }
}
