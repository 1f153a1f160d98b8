//! Mistakes on the command line: what clap says of them, and more where that is not enough. For `config`, which parses.

use super::CliError;
use super::output::stdout_failed;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};

/// Ends the program, with a message and exit code 2 after a mistake, or 0 after help or the version. Returns only if these cannot be written.
pub fn end(error: clap::Error, args: &[OsString]) -> CliError {
    if error.use_stderr() {
        with_tip(explained(error), args).exit();
    }
    match error.print() {
        Ok(()) => std::process::exit(0),
        Err(error) => stdout_failed(&error),
    }
}

/// The same, but if a value is no number it says what kind of number was expected.
pub fn explained(error: clap::Error) -> clap::Error {
    let expected = error.source().and_then(expected);
    let (Some(expected), Some(value), Some(flag)) =
        (expected, text(&error, ContextKind::InvalidValue), text(&error, ContextKind::InvalidArg))
    else {
        return error;
    };
    let what = format!("invalid value '{value}' for '{flag}': expected {expected}");
    clap::Error::raw(ErrorKind::ValueValidation, what + "\n\nFor more information, try '--help'.\n")
}

/// What a text would have to be for the parser that refused it.
fn expected(error: &(dyn Error + 'static)) -> Option<&'static str> {
    if error.is::<ParseFloatError>() {
        return Some("a number, such as 2 or 0.5");
    }
    error.downcast_ref::<ParseIntError>().map(|error| match error.kind() {
        IntErrorKind::PosOverflow => "a smaller number",
        _ => "a whole number that is not negative, such as 2",
    })
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

/// The same with what was probably meant by a first word that is no command.
fn with_tip(mut error: clap::Error, args: &[OsString]) -> clap::Error {
    let tip = args.get(1).and_then(|first| tip(&error, first));
    if let Some(tip) = tip.filter(|_| error.get(ContextKind::SuggestedSubcommand).is_none()) {
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    error
}

fn tip(error: &clap::Error, first: &OsStr) -> Option<&'static str> {
    let first = first.to_str()?;
    match error.kind() {
        ErrorKind::UnknownArgument if first.starts_with('-') => {
            Some("a command comes first, and then its flags: 'siskin generate -m model.gguf'")
        }
        ErrorKind::InvalidSubcommand if first.ends_with(".gguf") => {
            Some("to run a model: 'siskin generate -m model.gguf \"Once upon a time\"'")
        }
        ErrorKind::InvalidSubcommand if first.contains(' ') => {
            Some("to continue a text: 'siskin generate \"Once upon a time\"'")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_explained_and_nothing_else() {
        let said = |args: &[&str]| {
            let error = crate::cli::help::command().try_get_matches_from(args).unwrap_err();
            explained(error).to_string()
        };
        for (value, expected) in
            [("-5", "whole number"), ("1.5", "whole"), ("99999999999999999999", "smaller")]
        {
            let text = said(&["siskin", "generate", "-n", value, "x"]);
            assert!(text.starts_with(&format!("error: invalid value '{value}' for '--max-tokens")), "{text}");
            assert!(text.contains(expected) && text.ends_with("try '--help'.\n"), "{text}");
        }
        assert!(said(&["siskin", "generate", "--temp", "hot", "x"]).contains("such as 2 or 0.5"));
        assert!(said(&["siskin", "generate", "--stop-time", "5", "x"]).contains("such as 500ms"));
    }
}
