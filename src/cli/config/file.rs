//! What stands in the file: keys and values with their lines. What they mean is not known here.

use super::wrong;
use crate::cli::CliError;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The command whose table it stands in; `None` is for all commands.
    pub table: Option<String>,
    pub key: String,
    pub value: Value,
    /// Its line, from 1.
    pub line: usize,
}

/// A value, numbers as they are written.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Switch(bool),
    One(String),
    Many(Vec<String>),
}

/// Reads the settings, in the order of their lines.
///
/// # Errors
///
/// If it is no TOML, or has values that are of no use to a flag.
pub fn parse(path: &Path, text: &str) -> Result<Vec<Setting>, CliError> {
    let line = |offset: usize| 1 + text.bytes().take(offset).filter(|&byte| byte == b'\n').count();
    let table = DeTable::parse(text).map_err(|error| {
        wrong(path, line(error.span().map_or(0, |span| span.start)), error.message().trim_end())
    })?;
    let mut settings = Vec::new();
    for (key, value) in table.get_ref() {
        match value.get_ref() {
            DeValue::Table(table) => {
                for (inner, value) in table {
                    let at = line(inner.span().start);
                    settings.push(setting(path, Some(key.get_ref()), inner.get_ref(), value, at)?);
                }
            }
            _ => settings.push(setting(path, None, key.get_ref(), value, line(key.span().start))?),
        }
    }
    settings.sort_by_key(|setting| setting.line);
    Ok(settings)
}

fn setting(
    path: &Path,
    table: Option<&str>,
    key: &str,
    value: &Spanned<DeValue<'_>>,
    line: usize,
) -> Result<Setting, CliError> {
    let unfit = || {
        let expected = "expected true, false, a number, a text, or an array of numbers or texts";
        wrong(path, line, format!("`{key}`: {expected}"))
    };
    let value = match value.get_ref() {
        DeValue::Boolean(on) => Value::Switch(*on),
        DeValue::Array(values) => {
            let texts: Option<Vec<String>> = values.iter().map(|value| scalar(value.get_ref())).collect();
            Value::Many(texts.ok_or_else(unfit)?)
        }
        other => Value::One(scalar(other).ok_or_else(unfit)?),
    };
    Ok(Setting { table: table.map(str::to_owned), key: key.to_owned(), value, line })
}

/// A number or a text, as it would be written on the command line.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            i128::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<Setting>, String> {
        parse(Path::new("s.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_values_and_lines() {
        let settings = parsed("temp = 0.5\n\n[chat]\nseed = 0x1_0\nstop = [\"a\", 2]\nstats = true\n");
        let expected = [
            (None, "temp", Value::One("0.5".into()), 1),
            (Some("chat"), "seed", Value::One("16".into()), 4),
            (Some("chat"), "stop", Value::Many(vec!["a".into(), "2".into()]), 5),
            (Some("chat"), "stats", Value::Switch(true), 6),
        ];
        let expected = expected.map(|(table, key, value, line)| Setting {
            table: table.map(str::to_owned),
            key: key.to_owned(),
            value,
            line,
        });
        assert_eq!(settings.expect("it is TOML"), expected);
    }

    #[test]
    fn mistakes_are_named_with_their_lines() {
        for (text, parts) in [
            ("a = 1\nb = ", "s.toml, line 2: "),
            ("a = 1\na = 2", "s.toml, line 2: duplicate key"),
            ("\na = 2020-01-01", "s.toml, line 2: `a`: expected true"),
            ("a = [true]", "s.toml, line 1: `a`: expected true"),
            ("[a]\n[a.b]\nc = 1", "s.toml, line 2: `b`: expected true"),
        ] {
            let error = parsed(text).expect_err(text);
            assert!(error.starts_with(parts), "{error}");
        }
    }
}
