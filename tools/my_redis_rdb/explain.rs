//! `explain`: the walk through a file, onto a page of text or HTML.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};

use my_redis_server::rdb::explain::{Outcome, explain as walk};

use super::html::Html;
use super::input;
use super::selection::{Page, Selected, Selection};
use super::text::Text;
use super::{Trouble, Verdict};

/// What the command line says.
pub struct Options {
    pub is_html: bool,
    pub output: Option<String>,
    /// None: if the output is a terminal.
    pub color: Option<bool>,
    pub selection: Selection,
}

/// A page with a beginning and an end.
pub trait Document: Page {
    /// What comes before all rows.
    fn begin(&mut self, file: &str) -> io::Result<()>;
    /// What comes after them: the verdict.
    fn end(&mut self, outcome: &Outcome) -> io::Result<()>;
}

pub fn explain(file: &str, options: Options) -> Result<Verdict, Trouble> {
    let input = input::open(file)?;
    let is_terminal = options.output.is_none() && io::stdout().is_terminal();
    let output: Box<dyn Write> = match &options.output {
        None => Box::new(io::stdout()),
        Some(path) => Box::new(
            File::create(path)
                .map_err(|error| Trouble::Input(format!("cannot create {path}: {error}")))?,
        ),
    };
    let mut output = BufWriter::with_capacity(64 * 1024, output);
    let verdict = if options.is_html {
        write(
            Html::new(&mut output, &options.selection),
            file,
            input,
            options.selection,
        )?
    } else {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = options.color.unwrap_or(is_terminal && !no_color);
        write(
            Text::new(&mut output, color),
            file,
            input,
            options.selection,
        )?
    };
    output.flush()?;
    Ok(verdict)
}

fn write(
    mut page: impl Document,
    file: &str,
    input: input::Input,
    selection: Selection,
) -> Result<Verdict, Trouble> {
    page.begin(input::shown_name(file))?;
    let wanted = selection.key.clone();
    let mut selected = Selected::new(&mut page, selection);
    let outcome = walk(input, &mut selected)?;
    let keys_shown = selected.finish()?;
    page.end(&outcome)?;
    if let Some(key) = wanted
        && keys_shown == 0
    {
        eprintln!("my_redis_rdb: no key {}", String::from_utf8_lossy(&key));
        return Ok(Verdict::Bad);
    }
    Ok(match outcome.fault {
        None => Verdict::Good,
        Some(_) => Verdict::Bad,
    })
}
