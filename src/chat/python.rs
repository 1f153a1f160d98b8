//! What chat templates expect of Python's jinja2 and of the `transformers` library, and minijinja does not have or does otherwise.

use super::clock;
use super::json::Style;
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};
use std::time::SystemTime;

/// Widest `indent` of `tojson`.
const MAX_INDENT: usize = 64;

/// Adds filters and functions that do not depend on a conversation.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_filter("tojson", tojson);
    environment.add_filter("escape", escape);
    environment.add_filter("e", escape);
    // It indents by the depth of a value before that is paid for, so its output can fill any memory; jinja2's is of little use either.
    environment.remove_filter("pprint");
    environment.add_test("iterable", is_iterable);
    environment.add_function("raise_exception", raise_exception);
}

/// The function `strftime_now` at a moment.
pub(super) fn strftime_now(now: SystemTime) -> Value {
    Value::from_function(move |format: &str| {
        clock::strftime(now, format).map_err(|directive| {
            Error::new(
                ErrorKind::InvalidOperation,
                format!("strftime_now: directive {directive} is not known"),
            )
        })
    })
}

/// Marks an error that the template itself raised.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Raised(pub String);

fn raise_exception(reason: &str) -> Result<Value, Error> {
    let raised = Raised(reason.to_owned());
    Err(Error::new(ErrorKind::InvalidOperation, reason.to_owned()).with_source(raised))
}

/// `json.dumps` with its parameters, `ensure_ascii` being off.
fn tojson(value: &Value, options: Kwargs) -> Result<String, Error> {
    let mut style = Style::new(indent(options.get::<Option<Value>>("indent")?)?);
    style.ensure_ascii = options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false);
    style.sort_keys = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    if let Some(separators) = options.get::<Option<Vec<String>>>("separators")? {
        let [item, key] = <[String; 2]>::try_from(separators).map_err(|found| {
            let found = found.len();
            Error::new(ErrorKind::InvalidOperation, format!("tojson: found {found} separators, expected 2"))
        })?;
        (style.item_separator, style.key_separator) = (item, key);
    }
    options.assert_all_used()?;
    style.dump(value)
}

/// Python takes a number of blanks or a text.
fn indent(value: Option<Value>) -> Result<Option<String>, Error> {
    let Some(value) = value.filter(|value| !value.is_none()) else { return Ok(None) };
    let text = match (value.as_str(), value.as_usize()) {
        (Some(text), _) if text.len() <= MAX_INDENT => Some(text.to_owned()),
        (None, Some(blanks)) if blanks <= MAX_INDENT => Some(" ".repeat(blanks)),
        _ => None,
    };
    text.map(Some).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidOperation,
            format!("tojson: indent of more than {MAX_INDENT} characters"),
        )
    })
}

/// `none` is not iterable in Python; minijinja runs a loop over it zero times.
fn is_iterable(value: &Value) -> bool {
    !value.is_none() && (value.as_str().is_some() || value.try_iter().is_ok())
}

/// The five characters of HTML, as `markupsafe` spells them. minijinja's own filter does nothing where automatic escaping is off.
fn escape(text: String) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            _ => out.push(c),
        }
    }
    out
}
