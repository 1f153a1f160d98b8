//! What goes to stdout while a trace is made: the table, JSON lines, comma-separated values, just the text, or nothing.

use super::look::Look;
use super::record::{BeamNode, Continuation, End, Run, Step};
use super::{beams, csv, table, target};
use crate::cli::trace_args::ShowArgs;
use crate::cli::{CliError, json};
use serde::Serialize;

/// A form of output.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// For people.
    Table(Look),
    /// JSON, an object on each line.
    Lines,
    /// RFC 4180.
    Csv,
    /// As `generate` prints it.
    Text,
    /// Nothing: the page goes there at the end.
    Page,
}

/// A line of JSON; `type` says what it is.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Line<'a> {
    Run(&'a Run),
    Beam(&'a BeamNode),
    Continuation(&'a Continuation),
    Step(&'a Step),
    End(&'a End),
}

impl Line<'_> {
    fn text(&self) -> Result<String, CliError> {
        Ok(json::text(self)? + "\n")
    }
}

/// How a trace is shown.
#[derive(Clone, Copy, Debug)]
pub struct Show {
    form: Form,
    top: usize,
}

impl Show {
    /// What the flags ask for.
    pub fn new(args: &ShowArgs) -> Show {
        let form = match args {
            ShowArgs { jsonl: true, .. } => Form::Lines,
            ShowArgs { csv: true, .. } => Form::Csv,
            ShowArgs { html: Some(path), .. } if target::is_stdout(path) => Form::Page,
            ShowArgs { html: Some(_), .. } => Form::Text,
            _ => Form::Table(Look::of_stdout()),
        };
        Show { form, top: args.top as usize }
    }

    /// The beginning.
    pub fn begin(&self, run: &Run) -> Result<String, CliError> {
        match &self.form {
            Form::Table(look) => Ok(table::begin(run, look)),
            Form::Lines => Line::Run(run).text(),
            Form::Csv => Ok(csv::HEADER.to_owned()),
            Form::Text | Form::Page => Ok(String::new()),
        }
    }

    /// What a search found, before the steps of the best continuation.
    pub fn found(&self, nodes: &[BeamNode], all: &[Continuation]) -> Result<String, CliError> {
        match &self.form {
            Form::Table(look) => {
                Ok(beams::tree(nodes, look) + &table::continuations(all, look) + &table::head(look))
            }
            Form::Lines => {
                let lines = nodes.iter().map(Line::Beam).chain(all.iter().map(Line::Continuation));
                lines.map(|line| line.text()).collect()
            }
            Form::Csv | Form::Page => Ok(String::new()),
            Form::Text => {
                let texts: Vec<&str> = all.iter().map(|found| found.text.as_str()).collect();
                Ok(texts.join("\n---\n"))
            }
        }
    }

    /// A position.
    pub fn step(&self, step: &Step) -> Result<String, CliError> {
        match &self.form {
            Form::Table(look) => Ok(table::step(&self.cut(step), look)),
            Form::Lines => Line::Step(&self.cut(step)).text(),
            Form::Csv => Ok(csv::records(&self.cut(step))),
            Form::Text => Ok(step.printed.clone()),
            Form::Page => Ok(String::new()),
        }
    }

    /// Text that comes without a token: what was held back to the end.
    pub fn rest(&self, text: &str) -> String {
        if matches!(self.form, Form::Text) { text.to_owned() } else { String::new() }
    }

    /// The end.
    pub fn end(&self, run: &Run, end: &End) -> Result<String, CliError> {
        match &self.form {
            Form::Table(look) => Ok(table::end(run, end, look)),
            Form::Lines => Line::End(end).text(),
            Form::Csv | Form::Page => Ok(String::new()),
            Form::Text => Ok("\n".to_owned()),
        }
    }

    /// The step with as many candidates as are to be shown: for the page more are recorded.
    fn cut(&self, step: &Step) -> Step {
        let mut step = step.clone();
        let Some(distribution) = &mut step.distribution else { return step };
        distribution.top.truncate(self.top);
        let is_shown = |token: &u32| distribution.top.iter().any(|shown| shown.piece.token == *token);
        for filter in &mut step.filters {
            filter.removed.retain(is_shown);
            filter.changed.retain(|changed| is_shown(&changed.token));
        }
        step
    }
}
