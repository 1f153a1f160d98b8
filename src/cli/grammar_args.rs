//! The flags that hold text to a form, for commands that generate some.

use super::{CliError, input};
use clap::Args;
use siskin::grammar::Grammar;
use std::path::PathBuf;

/// What the text must satisfy; one of them.
#[derive(Debug, Args)]
#[group(multiple = false)]
#[command(next_help_heading = "Form of the text")]
pub struct GrammarArgs {
    /// Write JSON that fits the JSON schema in this file
    #[arg(long, value_name = "FILE")]
    pub json_schema: Option<PathBuf>,
    /// Write text that this regular expression matches as a whole
    #[arg(long, value_name = "REGEX")]
    pub regex_output: Option<String>,
    /// Write text of the grammar in this file: GBNF in a .gbnf file, Lark in a .lark file, and else GBNF if it has ::= in it
    #[arg(long, value_name = "FILE")]
    pub grammar: Option<PathBuf>,
}

impl GrammarArgs {
    /// What the flags ask for.
    pub fn grammar(&self) -> Result<Option<Grammar>, CliError> {
        if let Some(file) = &self.json_schema {
            return Ok(Some(Grammar::json_schema(input::read(file)?)));
        }
        if let Some(file) = &self.grammar {
            let text = input::read(file)?;
            let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            return Ok(Some(match extension {
                "gbnf" => Grammar::gbnf(text),
                "lark" => Grammar::lark(text),
                _ => Grammar::of(text),
            }));
        }
        Ok(self.regex_output.as_ref().map(Grammar::regex))
    }
}
