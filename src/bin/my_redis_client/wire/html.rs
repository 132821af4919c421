//! The lines of the wire as a page: one file, which needs no other.

use super::element::{Direction, Line, Part};

/// What the page begins with.
pub const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>What goes over the wire</title>
<style>
body { font: 14px/1.5 sans-serif; margin: 2em; color: #222; background: #fff }
table { border-collapse: collapse; margin: 0 0 1em; width: 100% }
caption { text-align: left; font-weight: bold; padding: .3em 0 }
td { font-family: monospace; padding: 0 1em; vertical-align: top; overflow-wrap: anywhere }
td.note { font-family: sans-serif; color: #666; width: 22em }
.sent { border-left: 4px solid #36c }
.received { border-left: 4px solid #292 }
b { color: #b30 }
.length { color: #06a }
.end { color: #aaa }
</style>
</head>
<body>
<h1>What goes over the wire</h1>
<p>Each line is an element of the protocol RESP: its <b>type</b>, its <span class="length">length</span> or number of
elements, its value, and the <span class="end">\r\n</span> that ends a line.</p>
"#;

/// What the page ends with.
pub const TAIL: &str = "</body>\n</html>\n";

/// A request or a reply.
pub fn block(direction: Direction, lines: &[Line]) -> String {
    let (class, caption) = match direction {
        Direction::Sent => ("sent", "The client sends"),
        Direction::Received => ("received", "The server answers"),
    };
    let rows: String = lines.iter().map(row).collect();
    format!("<table class=\"{class}\">\n<caption>{caption}</caption>\n{rows}</table>\n")
}

fn row(line: &Line) -> String {
    let parts = line.parts.iter().map(|(part, text)| {
        let text = escaped(text);
        match part {
            Part::Type => format!("<b>{text}</b>"),
            Part::Length => format!("<span class=\"length\">{text}</span>"),
            Part::Payload => text,
            Part::End => format!("<span class=\"end\">{text}</span>"),
        }
    });
    let parts: String = parts.collect();
    let indent = line.depth as f64 * 1.5 + 1.0;
    let note = escaped(&line.note);
    format!(
        "<tr><td style=\"padding-left: {indent}em\">{parts}</td><td class=\"note\">{note}</td></tr>\n"
    )
}

/// Text in which nothing is a tag.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
