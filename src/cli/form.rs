//! The form that text is held to, as the flags say.

use super::args::GrammarArgs;
use super::{CliError, input};
use siskin::grammar::Grammar;

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
