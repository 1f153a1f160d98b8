//! The dimensions and constants of a model: everything about it that is not a weight.

use super::Error;
use crate::gguf::Metadata;
use crate::ops::{Heads, rope::RopeStyle};

/// Most layers, heads or values that a dimension may claim; far above any model, far below what could overflow a product.
pub(super) const LIMIT: u32 = 1 << 24;

/// Dimensions and constants of a decoder-only transformer.
#[derive(Clone, Debug)]
pub struct Config {
    /// The family that the file names.
    pub family: &'static str,
    /// Layers.
    pub layers: usize,
    /// Values of a token's vector.
    pub embedding: usize,
    /// Values inside the feed-forward part.
    pub feed_forward: usize,
    /// Heads of attention.
    pub heads: Heads,
    /// Positions that the model was trained for, in tokens.
    pub context: usize,
    /// Added to the mean square in normalization.
    pub norm_eps: f32,
    /// Rotary embedding.
    pub rope: Rope,
}

/// Constants of rotary embedding.
#[derive(Clone, Debug)]
pub struct Rope {
    /// Which values are turned together.
    pub style: RopeStyle,
    /// Values of a head that are turned; an even number, at most the head's.
    pub dims: usize,
    /// Base of the frequencies.
    pub base: f64,
    /// Every frequency is multiplied with this: 1 / factor for linear scaling (Chen et al. 2023, arXiv:2306.15595).
    pub scale: f64,
}

impl Config {
    /// Values of all query heads of a token.
    pub fn q_values(&self) -> usize {
        self.heads.heads * self.heads.head_dim
    }

    /// Values of all key heads (or value heads) of a token.
    pub fn kv_values(&self) -> usize {
        self.heads.kv_heads * self.heads.head_dim
    }
}

/// Metadata keys of one family: `{arch}.block_count` and the like.
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

    /// A count that may be absent; if present it is at least 1.
    pub fn optional_count(&self, name: &str) -> Result<Option<usize>, Error> {
        match self.metadata.u32(&self.key(name))? {
            Some(n) if n == 0 || n > LIMIT => Err(self.value(name, n, &format!("1 to {LIMIT}"))),
            other => Ok(other.map(|n| n as usize)),
        }
    }

    /// A positive, finite number, or a default.
    pub fn positive(&self, name: &str, default: f32) -> Result<f32, Error> {
        let x = self.metadata.f32(&self.key(name))?.unwrap_or(default);
        if x.is_finite() && x > 0.0 { Ok(x) } else { Err(self.value(name, x, "a positive number")) }
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
