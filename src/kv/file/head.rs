//! The header: read with every length compared with what is there.

use super::{Error, MAGIC, VERSION, checksum};
use crate::kv::Cache;
use crate::kv::shape::{KvType, LayerShape};
use std::ops::Range;

/// Longest name of a program, in bytes.
const MAX_PROGRAM: usize = 64;
/// Bytes of a layer in the header.
const LAYER_BYTES: usize = 3 * 4 + 8 + 3 * 8;
/// The window of a layer that has none.
pub(super) const NO_WINDOW: u64 = u64::MAX;

/// Where the rows come from: only rows of one origin can stand beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// A fingerprint of the model.
    pub model: u64,
    /// What computed them: the program with its version, and the instruction set. At most 64 bytes count.
    pub program: String,
}

impl Origin {
    /// The program, as far as it is stored.
    pub(super) fn name(&self) -> &[u8] {
        let bytes = self.program.as_bytes();
        &bytes[..bytes.len().min(MAX_PROGRAM)]
    }
}

/// A header that is sound. Where things lie in the file, in bytes from its beginning.
#[derive(Debug)]
pub(super) struct Head {
    model: u64,
    program: Range<usize>,
    layers: Range<usize>,
    pub tokens: Range<usize>,
    pub batched: usize,
    /// Logits behind the data.
    pub logits: usize,
    /// The checksum of the header ends here.
    pub end: usize,
}

/// A layer in a header.
#[derive(Debug)]
pub(super) struct Layer {
    streams: u32,
    kv_heads: u32,
    head_dim: u32,
    kv_type: [u8; 8],
    window: u64,
    state: u64,
    /// The oldest position that is there.
    pub first: u64,
}

/// Reads from the front of bytes.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    /// The next bytes.
    fn skip(&mut self, count: usize) -> Result<Range<usize>, Error> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let (found, least) = (self.bytes.len() as u64, (self.at as u64).saturating_add(count as u64));
        let end = end.ok_or(Error::Length { found, expected: least })?;
        Ok(std::mem::replace(&mut self.at, end)..end)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let range = self.skip(N)?;
        Ok(self.bytes[range].try_into().expect("as long as asked for"))
    }

    fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A count of things of `size` bytes, which must be there.
    fn count(&mut self, name: &'static str, size: usize) -> Result<usize, Error> {
        let found = self.u64()?;
        let most = (self.bytes.len() - self.at) / size;
        let expected = || format!("at most {most}, by the length of the file");
        usize::try_from(found).ok().filter(|&n| n <= most).ok_or_else(|| Error::Number {
            name,
            found,
            expected: expected(),
        })
    }
}

impl Head {
    /// Reads the header of a file.
    pub fn read(bytes: &[u8]) -> Result<Head, Error> {
        let mut reader = Reader { bytes, at: 0 };
        if reader.array::<8>().ok().as_ref() != Some(MAGIC) {
            return Err(Error::NoCache);
        }
        let found = reader.u32()?;
        if found != VERSION {
            return Err(Error::Version { found, expected: VERSION });
        }
        let model = reader.u64()?;
        let length = reader.u32()? as usize;
        let program = reader.skip(length)?;
        let layers = reader.u32()? as usize;
        let layers = reader.skip(layers.saturating_mul(LAYER_BYTES))?;
        let tokens = reader.count("number of tokens", 4)?;
        let batched = reader.u64()?;
        let logits = reader.count("number of logits", 4)?;
        let tokens = reader.skip(tokens.saturating_mul(4))?;
        let hashed = reader.at;
        if reader.u64()? != checksum(&bytes[..hashed]) {
            return Err(Error::Damaged { part: "header" });
        }
        let most = tokens.len() / 4;
        let batched = usize::try_from(batched).unwrap_or(usize::MAX);
        let expected = || format!("at most {most}");
        if batched > most {
            let (name, found) = ("number of tokens run in batches", batched as u64);
            return Err(Error::Number { name, found, expected: expected() });
        }
        Ok(Head { model, program, layers, tokens, batched, logits, end: reader.at })
    }

    /// Refuses what a cache cannot go on from.
    pub fn check(&self, bytes: &[u8], origin: &Origin, cache: &Cache) -> Result<(), Error> {
        if self.model != origin.model {
            return Err(Error::Model);
        }
        let program = &bytes[self.program.clone()];
        if program != origin.name() {
            let found = String::from_utf8_lossy(&program[..program.len().min(MAX_PROGRAM)]);
            let found = found.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
            return Err(Error::Program { found, expected: origin.program.clone() });
        }
        let layers = cache.layers();
        if layers.len() * LAYER_BYTES != self.layers.len() {
            return Err(Error::Shape);
        }
        layers.enumerate().try_for_each(|(index, shape)| self.layer(bytes, index)?.check(shape))
    }

    /// A layer of those that [`Head::check`] found.
    pub fn layer(&self, bytes: &[u8], index: usize) -> Result<Layer, Error> {
        let mut reader = Reader { bytes, at: self.layers.start + index * LAYER_BYTES };
        let layer = Layer {
            streams: reader.u32()?,
            kv_heads: reader.u32()?,
            head_dim: reader.u32()?,
            kv_type: reader.array()?,
            window: reader.u64()?,
            state: reader.u64()?,
            first: reader.u64()?,
        };
        let (found, tokens) = (layer.first, (self.tokens.len() / 4) as u64);
        if found > tokens {
            let (name, expected) = ("first position", format!("at most {tokens}"));
            return Err(Error::Number { name, found, expected });
        }
        Ok(layer)
    }
}

impl Layer {
    fn check(&self, shape: &LayerShape) -> Result<(), Error> {
        let numbers = [self.streams, self.kv_heads, self.head_dim].map(|n| n as usize);
        let others = [self.window, self.state];
        if numbers != [shape.streams, shape.kv_heads, shape.head_dim]
            || others != [window(shape), shape.state as u64]
        {
            return Err(Error::Shape);
        }
        let found = KvType::ALL.into_iter().find(|&kv_type| type_name(kv_type) == self.kv_type);
        if found != Some(shape.kv_type) {
            let found = found.map_or("of an unknown type", KvType::name).to_owned();
            return Err(Error::KvType { found, expected: shape.kv_type.name() });
        }
        Ok(())
    }
}

/// The window of a layer, as it is stored.
pub(super) fn window(shape: &LayerShape) -> u64 {
    shape.window.map_or(NO_WINDOW, |window| window as u64)
}

/// The name of a type, with zeros behind it.
pub(super) fn type_name(kv_type: KvType) -> [u8; 8] {
    let mut name = [0; 8];
    name.iter_mut().zip(kv_type.name().bytes()).for_each(|(to, byte)| *to = byte);
    name
}
