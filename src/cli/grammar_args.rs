//! The flags that hold text to a form, for commands that generate some: definitions only.

use clap::Args;
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
