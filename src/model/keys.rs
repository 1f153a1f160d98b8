//! Metadata keys of one family, `{arch}.block_count` and the like, read with checks. For the families of `arch/`.

use super::Error;
use crate::gguf::{Metadata, Value};

/// Most layers, heads or values that a dimension may claim; far above any model, far below what could overflow a product.
pub(super) const LIMIT: u32 = 1 << 24;

/// Most layers: thirty times those of the deepest model known. Each takes memory before its tensors are looked for.
const MAX_LAYERS: usize = 4096;

/// The keys of one family in a file.
pub struct Keys<'a> {
    metadata: &'a Metadata,
    arch: &'a str,
}

impl<'a> Keys<'a> {
    /// The keys of a family in a file.
    pub fn new(metadata: &'a Metadata, arch: &'a str) -> Self {
        Keys { metadata, arch }
    }

    /// The whole key.
    pub fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.arch)
    }

    /// A count that must be there and be at least 1.
    pub fn count(&self, name: &str) -> Result<usize, Error> {
        self.optional_count(name)?.ok_or_else(|| Error::MissingKey { key: self.key(name) })
    }

    /// The number of layers, `block_count`.
    pub fn layers(&self) -> Result<usize, Error> {
        let name = "block_count";
        match self.count(name)? {
            count if count > MAX_LAYERS => Err(self.value(name, count, &format!("1 to {MAX_LAYERS}"))),
            count => Ok(count),
        }
    }

    /// A count that may be absent; if present it is at least 1. A list of equal counts, one a layer, is that count.
    pub fn optional_count(&self, name: &str) -> Result<Option<usize>, Error> {
        let key = self.key(name);
        if let Some(Value::Array(_)) = self.metadata.get(&key) {
            return self.count_of_all_layers(name).map(Some);
        }
        match self.metadata.u32(&key)? {
            Some(n) if n == 0 || n > LIMIT => Err(self.value(name, n, &format!("1 to {LIMIT}"))),
            other => Ok(other.map(|n| n as usize)),
        }
    }

    /// A count of each of so many layers: one for all, or a list with one for each, in which a layer may have 0.
    pub fn counts_of_layers(&self, name: &str, layers: usize) -> Result<Option<Vec<usize>>, Error> {
        if !self.is_list(name) {
            return Ok(self.optional_count(name)?.map(|count| vec![count; layers]));
        }
        let counts = self.integers(name)?.unwrap_or_default();
        if counts.len() != layers {
            let expected = format!("one for each of {layers} layers");
            return Err(self.value(name, format!("a list of {}", counts.len()), &expected));
        }
        let count = |n: i64| usize::try_from(n).ok().filter(|&n| n <= LIMIT as usize);
        let counts = counts.into_iter().map(count).collect::<Option<_>>();
        let other = || self.value(name, "a list of other numbers", &format!("counts up to {LIMIT}"));
        counts.map(Some).ok_or_else(other)
    }

    fn count_of_all_layers(&self, name: &str) -> Result<usize, Error> {
        let counts = self.integers(name)?.unwrap_or_default();
        match counts.first() {
            Some(&n) if (1..=i64::from(LIMIT)).contains(&n) && counts.iter().all(|&other| other == n) => {
                Ok(n as usize)
            }
            _ => Err(self.value(name, "a list of different counts", "the same count for every layer")),
        }
    }

    /// A list of integers or truth values that may be absent.
    pub fn integers(&self, name: &str) -> Result<Option<Vec<i64>>, Error> {
        let Some(array) = self.metadata.array(&self.key(name))? else { return Ok(None) };
        let integer = |value: Value<'_>| match value {
            Value::Bool(flag) => Some(i64::from(flag)),
            other => other.integer().and_then(|n| i64::try_from(n).ok()),
        };
        let all =
            array.iter().map(|value| Ok(integer(value?))).collect::<Result<Option<Vec<i64>>, Error>>()?;
        all.map(Some).ok_or_else(|| self.value(name, "a list of something else", "a list of integers"))
    }

    /// Finite numbers of each layer, or one for all of them, under a key that does not begin with the family's name.
    pub fn numbers_of_layers(&self, key: &str, layers: usize) -> Result<Vec<f32>, Error> {
        let wrong = |found: String| {
            let expected = format!("a finite number for each of {layers} layers");
            Error::Value { key: key.to_owned(), found, expected }
        };
        let numbers = match self.metadata.get(key) {
            None => return Err(Error::MissingKey { key: key.to_owned() }),
            Some(Value::F32(x)) => vec![x; layers],
            Some(Value::Array(array)) if array.len() != layers => {
                return Err(wrong(format!("a list of {}", array.len())));
            }
            Some(Value::Array(array)) => array
                .iter()
                .map(|value| match value {
                    Ok(Value::F32(x)) => Ok(x),
                    Ok(_) => Err(wrong("a list of something else".to_owned())),
                    Err(error) => Err(error.into()),
                })
                .collect::<Result<Vec<f32>, Error>>()?,
            Some(_) => return Err(wrong("something else".to_owned())),
        };
        match numbers.iter().find(|x| !x.is_finite()) {
            Some(x) => Err(wrong(x.to_string())),
            None => Ok(numbers),
        }
    }

    /// Whether a key holds a list.
    pub fn is_list(&self, name: &str) -> bool {
        matches!(self.metadata.get(&self.key(name)), Some(Value::Array(_)))
    }

    /// A positive, finite number, or a default.
    pub fn positive(&self, name: &str, default: f32) -> Result<f32, Error> {
        let x = self.metadata.f32(&self.key(name))?.unwrap_or(default);
        if x.is_finite() && x > 0.0 { Ok(x) } else { Err(self.value(name, x, "a positive number")) }
    }

    /// A positive, finite number that may be absent; 0 counts as absent, which is how files say that a thing is not used.
    pub fn optional_positive(&self, name: &str) -> Result<Option<f32>, Error> {
        match self.metadata.f32(&self.key(name))? {
            None | Some(0.0) => Ok(None),
            Some(x) if x.is_finite() && x > 0.0 => Ok(Some(x)),
            Some(x) => Err(self.value(name, x, "a positive number, or 0 for none")),
        }
    }

    /// A count that may be absent; 0 counts as absent.
    pub fn nonzero(&self, name: &str) -> Result<Option<usize>, Error> {
        match self.metadata.u32(&self.key(name)) {
            Ok(Some(0)) => Ok(None),
            _ => self.optional_count(name),
        }
    }

    /// A truth value that may be absent.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Error> {
        Ok(self.metadata.bool(&self.key(name))?)
    }

    /// A text that may be absent.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Error> {
        Ok(self.metadata.str(&self.key(name))?)
    }

    /// The error for a value that does not do.
    pub fn value(&self, name: &str, found: impl ToString, expected: &str) -> Error {
        Error::Value { key: self.key(name), found: found.to_string(), expected: expected.to_owned() }
    }
}
