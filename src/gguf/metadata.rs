//! The key-value part of a file, with typed getters.
//!
//! For everybody above: model configuration, tokenizer, `inspect`.

use std::ops::Range;
use std::sync::Arc;

use byteorder::{BigEndian, LittleEndian};

use super::array::Array;
use super::cursor::{ByteOrder, Layout};
use super::error::{Error, ErrorKind, quoted};
use super::map::Source;
use super::value::{self, Shape, Value, ValueType};

/// One key: its name, what its value is, and where the value lies in the file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Box<str>,
    pub(super) shape: Shape,
    pub(super) payload: Range<usize>,
}

/// The metadata of a model, in the order of the file.
///
/// The typed getters give `Ok(None)` for a key that is absent, and an error that names key, found and expected type for a key
/// of another type. Integers of any width convert where the value fits.
#[derive(Debug)]
pub struct Metadata {
    source: Arc<Source>,
    layout: Layout,
    keys: Keys,
}

/// The keys of a file, none of them twice.
#[derive(Debug)]
pub(super) struct Keys {
    entries: Vec<Entry>,
    /// Indices into `entries`, by key.
    by_key: Vec<u32>,
}

impl Keys {
    /// # Errors
    /// [`ErrorKind::DuplicateKey`].
    pub(super) fn new(entries: Vec<Entry>) -> Result<Keys, ErrorKind> {
        let mut by_key: Vec<u32> = (0..).take(entries.len()).collect();
        let key = |i: u32| entries.get(i as usize).map_or("", |entry| &*entry.key);
        by_key.sort_unstable_by(|&a, &b| key(a).cmp(key(b)));
        match by_key.iter().zip(by_key.iter().skip(1)).find(|&(&a, &b)| key(a) == key(b)) {
            Some((&twice, _)) => Err(ErrorKind::DuplicateKey { key: quoted(key(twice)) }),
            None => Ok(Keys { entries, by_key }),
        }
    }

    pub(super) fn find(&self, key: &str) -> Option<&Entry> {
        let compare = |&i: &u32| self.entries.get(i as usize).map_or("", |entry| &*entry.key).cmp(key);
        let at = self.by_key.binary_search_by(compare).ok()?;
        self.entries.get(*self.by_key.get(at)? as usize)
    }
}

impl Metadata {
    pub(super) fn new(source: Arc<Source>, layout: Layout, keys: Keys) -> Metadata {
        Metadata { source, layout, keys }
    }

    pub(super) fn byte_order(&self) -> ByteOrder {
        self.layout.order
    }

    fn value<'a>(&'a self, entry: &'a Entry) -> Option<Value<'a>> {
        let payload = self.source.bytes().get(entry.payload.clone())?;
        let array = |element, count| {
            let (file, key, layout) = (self.source.path(), &*entry.key, self.layout);
            Value::Array(Array { file, key, layout, element, count, payload })
        };
        Some(match (entry.shape, self.layout.order) {
            (Shape::Many { element, count }, _) => array(element, count),
            (Shape::One(ValueType::Str), _) => std::str::from_utf8(payload)
                .map_or_else(|_| array(ValueType::U8, payload.len() as u64), Value::Str),
            (Shape::One(ty), ByteOrder::Little) => value::read::<LittleEndian>(ty, payload)?,
            (Shape::One(ty), ByteOrder::Big) => value::read::<BigEndian>(ty, payload)?,
        })
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.keys.entries.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.keys.entries.is_empty()
    }

    /// The value of a key, whatever its type. A string that is not UTF-8 appears as an array of u8: its bytes.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.value(self.keys.find(key)?)
    }

    /// Every key with its value, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        self.keys.entries.iter().filter_map(|entry| Some((&*entry.key, self.value(entry)?)))
    }

    /// An integer of any width, as u32.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`], [`ErrorKind::ValueRange`].
    pub fn u32(&self, key: &str) -> Result<Option<u32>, Error> {
        self.integer(key, "u32")
    }

    /// An integer of any width, as u64.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`], [`ErrorKind::ValueRange`].
    pub fn u64(&self, key: &str) -> Result<Option<u64>, Error> {
        self.integer(key, "u64")
    }

    /// An integer of any width, as i64.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`], [`ErrorKind::ValueRange`].
    pub fn i64(&self, key: &str) -> Result<Option<i64>, Error> {
        self.integer(key, "i64")
    }

    fn integer<T: TryFrom<i128>>(&self, key: &str, expected: &'static str) -> Result<Option<T>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let found = value.integer().ok_or_else(|| self.wrong(key, value, "integer"))?;
        let fits = T::try_from(found).map(Some);
        fits.map_err(|_| self.error(ErrorKind::ValueRange { key: quoted(key), found, expected }))
    }

    /// A float; f64 is rounded to f32.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`].
    pub fn f32(&self, key: &str) -> Result<Option<f32>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::F32(x)) => Ok(Some(x)),
            Some(Value::F64(x)) => Ok(Some(x as f32)),
            Some(other) => Err(self.wrong(key, other, "f32")),
        }
    }

    /// A bool.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`].
    pub fn bool(&self, key: &str) -> Result<Option<bool>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(x)) => Ok(Some(x)),
            Some(other) => Err(self.wrong(key, other, "bool")),
        }
    }

    /// A string, checked for UTF-8.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`], [`ErrorKind::ValueUtf8`].
    pub fn str(&self, key: &str) -> Result<Option<&str>, Error> {
        let is_string = self.keys.find(key).is_some_and(|entry| entry.shape == Shape::One(ValueType::Str));
        match self.get(key) {
            None => Ok(None),
            Some(Value::Str(text)) => Ok(Some(text)),
            Some(_) if is_string => Err(self.error(ErrorKind::ValueUtf8 { key: quoted(key), index: None })),
            Some(other) => Err(self.wrong(key, other, "string")),
        }
    }

    /// An array of any element type.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`].
    pub fn array(&self, key: &str) -> Result<Option<Array<'_>>, Error> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Array(array)) => Ok(Some(array)),
            Some(other) => Err(self.wrong(key, other, "array")),
        }
    }

    /// The error for a key that a model cannot do without: `metadata.u32(key)?.ok_or_else(|| metadata.missing(key))`.
    pub fn missing(&self, key: &str) -> Error {
        self.error(ErrorKind::MissingKey { key: quoted(key) })
    }

    fn wrong(&self, key: &str, value: Value<'_>, expected: &'static str) -> Error {
        let found = match value {
            Value::Array(array) => format!("array of {}", array.element_type()),
            other => ValueType::name(other.value_type()).to_string(),
        };
        self.error(ErrorKind::WrongType { key: quoted(key), found, expected })
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(self.source.path(), kind)
    }
}
