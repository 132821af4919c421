//! The results as aligned text.

use std::fmt::Write;

use crate::results::{Results, Row};

/// What a wide table has no room for. It is in the JSON file, and in the table of a single case.
const LEFT_OUT: [&str; 3] = ["mean ms", "p95 ms", "longest ms"];
const WIDTH: usize = 11;
const RATIO_WIDTH: usize = 8;

/// The rows of a subject, group by group.
pub fn table(results: &Results, subject: &str) -> String {
    let mut text = String::new();
    let rows: Vec<&Row> = results
        .rows
        .iter()
        .filter(|row| row.subject == subject)
        .collect();
    for group in rows.chunk_by(|one, next| one.group == next.group) {
        match group {
            [row] => tall(&mut text, results, row),
            rows => wide(&mut text, results, rows),
        }
        text.push('\n');
    }
    text
}

/// A case a line: every metric with all servers beside each other.
fn wide(text: &mut String, results: &Results, rows: &[&Row]) {
    let name_width = longest(rows.iter().map(|row| row.name.as_str()));
    let mut metrics: Vec<&str> = Vec::new();
    for figure in rows.iter().flat_map(|row| &row.figures) {
        if !metrics.contains(&&*figure.metric) && !LEFT_OUT.contains(&&*figure.metric) {
            metrics.push(&figure.metric);
        }
    }
    let block = results.servers.len() * WIDTH + ratio_width(results);
    let _ = write!(text, "{}\n{:name_width$}", rows[0].group, "");
    for metric in &metrics {
        let _ = write!(text, "  {metric:>block$}");
    }
    let _ = write!(text, "\n{:name_width$}", "");
    for _ in &metrics {
        text.push_str("  ");
        heads(text, results);
    }
    for row in rows {
        let _ = write!(text, "\n{:name_width$}", row.name);
        for metric in &metrics {
            text.push_str("  ");
            figures(text, results, row, metric);
        }
    }
    text.push('\n');
}

/// A metric a line.
fn tall(text: &mut String, results: &Results, row: &Row) {
    let title = match row.group.as_str() {
        "" => row.name.clone(),
        group => format!("{group}: {}", row.name),
    };
    let metrics = row.figures.iter().map(|figure| figure.metric.as_str());
    let name_width = longest(metrics.clone().chain([title.as_str()]));
    let _ = write!(text, "{title:name_width$}");
    heads(text, results);
    for metric in metrics {
        let _ = write!(text, "\n{metric:name_width$}");
        figures(text, results, row, metric);
    }
    text.push('\n');
}

fn heads(text: &mut String, results: &Results) {
    for server in &results.servers {
        let _ = write!(text, "{:>WIDTH$}", server.name);
    }
    let width = ratio_width(results);
    let _ = write!(text, "{:>width$}", if width > 0 { "ratio" } else { "" });
}

fn figures(text: &mut String, results: &Results, row: &Row, metric: &str) {
    let figure = row.figure(metric);
    for server in &results.servers {
        let median = figure.and_then(|figure| figure.median(&server.name));
        let _ = write!(text, "{:>WIDTH$}", median.map_or("-".to_string(), number));
    }
    let ratio = figure.and_then(|figure| results.ratio(figure));
    let width = ratio_width(results);
    let ratio = ratio.map_or(String::new(), |ratio| format!("{ratio:.2}"));
    let _ = write!(text, "{ratio:>width$}");
}

/// A server alone has no ratio.
fn ratio_width(results: &Results) -> usize {
    if results.servers.len() > 1 {
        RATIO_WIDTH
    } else {
        0
    }
}

fn longest<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(0)
}

/// With the digits that tell something.
pub fn number(value: f64) -> String {
    let decimals = match value.abs() {
        1000.0.. => 0,
        100.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::{CPU, RATE, example};

    #[test]
    fn a_single_case_is_a_table_of_its_metrics() {
        let text = "\
50 clients: get       ours      redis     valkey   ratio
requests/s           105.0      165.0      205.0    0.51
CPU µs/request       10.00      16.00      20.00    0.62

";
        assert_eq!(table(&example(), "throughput"), text);
    }

    #[test]
    fn several_cases_are_a_line_each() {
        let mut results = example();
        results.servers.pop();
        let samples = vec![(RATE, 1234.5), (CPU, 0.25)];
        results.add(["throughput", "50 clients", "set"], "ours", samples);
        let text = "\
50 clients
                         requests/s                  CPU µs/request
            ours      redis   ratio         ours      redis   ratio
get        105.0      165.0    0.64        10.00      16.00    0.62
set         1234          -                0.250          -        
";
        assert_eq!(table(&results, "throughput"), format!("{text}\n"));
    }
}
