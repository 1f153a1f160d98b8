//! JSON as Python's `json.dumps` writes it: what the filter `tojson` gives in templates.
//!
//! Unlike minijinja's own filter it separates with `", "` and `": "`, keeps `<` and `&`, and writes floats as Python's `repr` does.

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};
use std::fmt::Write;

/// Levels of lists and objects in each other, at most.
const MAX_DEPTH: usize = 64;
/// Bytes that one call writes, about.
const MAX_BYTES: usize = 4 << 20;

/// How to write; the names are those of Python's parameters.
pub(super) struct Style {
    /// Write characters beyond ASCII as `\uXXXX`.
    pub ensure_ascii: bool,
    /// What one level is indented by; `None` for one line.
    pub indent: Option<String>,
    /// Between items.
    pub item_separator: String,
    /// Between a key and its value.
    pub key_separator: String,
    /// Order objects by key.
    pub sort_keys: bool,
}

impl Style {
    /// The defaults of `json.dumps`, but for `ensure_ascii`, which templates do not expect: with an indent, items end their lines.
    pub fn new(indent: Option<String>) -> Style {
        let item_separator = if indent.is_some() { "," } else { ", " }.to_owned();
        Style {
            ensure_ascii: false,
            indent,
            item_separator,
            key_separator: ": ".to_owned(),
            sort_keys: false,
        }
    }

    /// The text of a value.
    ///
    /// # Errors
    /// For what Python cannot serialize: undefined values, bytes, functions, objects whose keys are no texts or numbers. For more
    /// than [`MAX_DEPTH`] levels or [`MAX_BYTES`]: a value may contain itself many times over.
    pub fn dump(&self, value: &Value) -> Result<String, Error> {
        let mut out = String::new();
        self.value(value, 0, &mut out)?;
        Ok(out)
    }

    fn value(&self, value: &Value, level: usize, out: &mut String) -> Result<(), Error> {
        if level > MAX_DEPTH || out.len() > MAX_BYTES {
            return Err(Error::new(ErrorKind::BadSerialization, "tojson: the value is too large"));
        }
        match value.kind() {
            ValueKind::None => out.push_str("null"),
            ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => number(value, out)?,
            ValueKind::String => self.text(value.as_str().unwrap_or_default(), out),
            ValueKind::Seq | ValueKind::Iterable => {
                let items = value.try_iter()?.map(|item| (None, item));
                self.container(['[', ']'], items, level, out)?;
            }
            ValueKind::Map => self.object(value, level, out)?,
            other => return Err(unserializable(&format!("a value of kind {other}"))),
        }
        Ok(())
    }

    fn object(&self, value: &Value, level: usize, out: &mut String) -> Result<(), Error> {
        let mut entries = Vec::new();
        for key in value.try_iter()? {
            entries.push((Some(key_text(&key)?), value.get_item(&key)?));
        }
        if self.sort_keys {
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        self.container(['{', '}'], entries.into_iter(), level, out)
    }

    fn container(
        &self,
        [open, close]: [char; 2],
        items: impl Iterator<Item = (Option<String>, Value)>,
        level: usize,
        out: &mut String,
    ) -> Result<(), Error> {
        out.push(open);
        let mut empty = true;
        for (key, item) in items {
            if !std::mem::take(&mut empty) {
                out.push_str(&self.item_separator);
            }
            self.new_line(level + 1, out);
            if let Some(key) = key {
                self.text(&key, out);
                out.push_str(&self.key_separator);
            }
            self.value(&item, level + 1, out)?;
        }
        if !empty {
            self.new_line(level, out);
        }
        out.push(close);
        Ok(())
    }

    fn new_line(&self, level: usize, out: &mut String) {
        if let Some(indent) = &self.indent {
            out.push('\n');
            (0..level).for_each(|_| out.push_str(indent));
        }
    }

    fn text(&self, text: &str, out: &mut String) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                '\0'..' ' => escape(c, out),
                '\u{7f}'.. if self.ensure_ascii && c != '\u{7f}' => escape(c, out),
                _ => out.push(c),
            }
        }
        out.push('"');
    }
}

/// `\uXXXX`, twice for characters beyond the first plane.
fn escape(c: char, out: &mut String) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        // writing to a String cannot fail
        let _ = write!(out, "\\u{unit:04x}");
    }
}

fn key_text(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String => Ok(key.as_str().unwrap_or_default().to_owned()),
        ValueKind::None => Ok("null".to_owned()),
        ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::Number => {
            let mut text = String::new();
            number(key, &mut text)?;
            Ok(text)
        }
        other => Err(unserializable(&format!("a key of kind {other}"))),
    }
}

fn number(value: &Value, out: &mut String) -> Result<(), Error> {
    if value.is_integer() {
        out.push_str(&value.to_string());
    } else {
        out.push_str(&float(f64::try_from(value.clone())?));
    }
    Ok(())
}

/// A float as Python's `repr`: the shortest digits that give it back, with an exponent below 1e-4 and from 1e16 on.
fn float(x: f64) -> String {
    if x.is_nan() {
        return "NaN".to_owned();
    }
    if x.is_infinite() {
        return if x > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let shortest = format!("{x:e}");
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    match exponent.parse::<i32>().unwrap_or_default() {
        -4..16 => format!("{x:?}"),
        exponent if exponent < 0 => format!("{digits}e-{:02}", -exponent),
        exponent => format!("{digits}e+{exponent:02}"),
    }
}

fn unserializable(what: &str) -> Error {
    Error::new(ErrorKind::BadSerialization, format!("tojson: {what} is not JSON serializable"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use minijinja::value::Serde;

    fn value(json: &str) -> Value {
        Value::from(Serde(serde_json::from_str::<serde_json::Value>(json).expect("JSON")))
    }

    /// Expected texts are those of Python 3.11's `json.dumps(..., ensure_ascii=False)`.
    #[test]
    fn looks_like_python() {
        let json = r#"{"b": [1, -2.5, true, null], "a": {"<&>": "é\n\u0001\"\\"}, "e": [], "o": {}}"#;
        let text = Style::new(None).dump(&value(json)).expect("serializable");
        assert_eq!(text, r#"{"b": [1, -2.5, true, null], "a": {"<&>": "é\n\u0001\"\\"}, "e": [], "o": {}}"#);
        let indented = Style { sort_keys: true, ..Style::new(Some("  ".to_owned())) };
        let text = indented.dump(&value(r#"{"b": [1, {"x": 2}], "a": []}"#)).expect("serializable");
        assert_eq!(text, "{\n  \"a\": [],\n  \"b\": [\n    1,\n    {\n      \"x\": 2\n    }\n  ]\n}");
        let ascii = Style { ensure_ascii: true, ..Style::new(None) };
        assert_eq!(
            ascii.dump(&value("\"é😀\u{7f}\"")).expect("serializable"),
            "\"\\u00e9\\ud83d\\ude00\u{7f}\""
        );
    }

    #[test]
    fn floats_are_those_of_repr() {
        let shown = [1.0, 0.1, 1e15, 1e16, 1.5e22, 1e-4, 1e-5, 1.25e-10, -0.0, 123456789.125, f64::INFINITY]
            .map(float);
        assert_eq!(
            shown,
            [
                "1.0",
                "0.1",
                "1000000000000000.0",
                "1e+16",
                "1.5e+22",
                "0.0001",
                "1e-05",
                "1.25e-10",
                "-0.0",
                "123456789.125",
                "Infinity"
            ]
        );
    }

    #[test]
    fn what_python_cannot_write_is_an_error() {
        for value in [Value::UNDEFINED, Value::from_bytes(vec![1])] {
            assert!(Style::new(None).dump(&value).is_err(), "{value:?}");
        }
    }
}
