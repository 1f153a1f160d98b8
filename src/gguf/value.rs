//! Metadata values: their types, how one is checked at open, and how it is read afterwards.
//!
//! `reader.rs` checks, `metadata.rs` and `array.rs` read; [`Value`] and [`ValueType`] are for everybody.

use std::fmt;
use std::ops::Range;

use byteorder::ByteOrder;

use super::array::Array;
use super::cursor::{Cursor, Short};
use super::error::{ErrorKind, quoted};

/// Arrays may stand inside arrays, this many deep altogether.
pub(super) const MAX_DEPTH: u32 = 4;

/// The type of a metadata value.
#[allow(missing_docs)] // the variants are GGUF's names for the types
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ValueType {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    Str = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12,
}

impl ValueType {
    /// The type with this code in a file.
    pub fn from_code(code: u32) -> Option<ValueType> {
        use ValueType::*;
        [U8, I8, U16, I16, U32, I32, F32, Bool, Str, Array, U64, I64, F64]
            .into_iter()
            .find(|ty| *ty as u32 == code)
    }

    /// The name used in messages: "u32", "string", "array".
    pub fn name(self) -> &'static str {
        match self {
            ValueType::U8 => "u8",
            ValueType::I8 => "i8",
            ValueType::U16 => "u16",
            ValueType::I16 => "i16",
            ValueType::U32 => "u32",
            ValueType::I32 => "i32",
            ValueType::F32 => "f32",
            ValueType::Bool => "bool",
            ValueType::Str => "string",
            ValueType::Array => "array",
            ValueType::U64 => "u64",
            ValueType::I64 => "i64",
            ValueType::F64 => "f64",
        }
    }

    /// Bytes of a value, for the types where all values have the same.
    pub(super) fn fixed_bytes(self) -> Option<u64> {
        match self {
            ValueType::U8 | ValueType::I8 | ValueType::Bool => Some(1),
            ValueType::U16 | ValueType::I16 => Some(2),
            ValueType::U32 | ValueType::I32 | ValueType::F32 => Some(4),
            ValueType::U64 | ValueType::I64 | ValueType::F64 => Some(8),
            ValueType::Str | ValueType::Array => None,
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A metadata value, borrowed from the file.
#[allow(missing_docs)] // a variant for each ValueType
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    U8(u8),
    I8(i8),
    U16(u16),
    I16(i16),
    U32(u32),
    I32(i32),
    F32(f32),
    Bool(bool),
    Str(&'a str),
    Array(Array<'a>),
    U64(u64),
    I64(i64),
    F64(f64),
}

impl Value<'_> {
    /// The type of the value.
    pub fn value_type(&self) -> ValueType {
        match self {
            Value::U8(_) => ValueType::U8,
            Value::I8(_) => ValueType::I8,
            Value::U16(_) => ValueType::U16,
            Value::I16(_) => ValueType::I16,
            Value::U32(_) => ValueType::U32,
            Value::I32(_) => ValueType::I32,
            Value::F32(_) => ValueType::F32,
            Value::Bool(_) => ValueType::Bool,
            Value::Str(_) => ValueType::Str,
            Value::Array(_) => ValueType::Array,
            Value::U64(_) => ValueType::U64,
            Value::I64(_) => ValueType::I64,
            Value::F64(_) => ValueType::F64,
        }
    }

    /// The value of an integer of any width; wide enough for all of them.
    pub fn integer(&self) -> Option<i128> {
        Some(match *self {
            Value::U8(x) => x.into(),
            Value::I8(x) => x.into(),
            Value::U16(x) => x.into(),
            Value::I16(x) => x.into(),
            Value::U32(x) => x.into(),
            Value::I32(x) => x.into(),
            Value::U64(x) => x.into(),
            Value::I64(x) => x.into(),
            _ => return None,
        })
    }
}

/// What a checked value is, apart from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A number, bool or string; the payload of a string leaves out its length.
    One(ValueType),
    /// An array; the payload is the elements, one after the other.
    Many { element: ValueType, count: u64 },
}

/// Walks over one value of type `ty` and checks everything but the UTF-8 of its strings. Returns what it is and where its
/// payload lies; `key` names it in errors.
pub(super) fn check<E: ByteOrder>(
    cursor: &mut Cursor<'_, E>,
    ty: ValueType,
    key: &str,
) -> Result<(Shape, Range<usize>), ErrorKind> {
    if ty == ValueType::Array {
        return check_array(cursor, key, 1);
    }
    let short = |short: Short| short.within(format_args!("the value of key {}", quoted(key)));
    let payload = match ty.fixed_bytes() {
        Some(n) => cursor.take(n).map_err(short)?,
        None => cursor.string().map_err(short)?,
    };
    check_bools(ty, payload, key)?;
    Ok((Shape::One(ty), cursor.position() - payload.len()..cursor.position()))
}

/// As [`check`], for an array that is the `depth`th around its elements, counted from the outside.
pub(super) fn check_array<E: ByteOrder>(
    cursor: &mut Cursor<'_, E>,
    key: &str,
    depth: u32,
) -> Result<(Shape, Range<usize>), ErrorKind> {
    if depth > MAX_DEPTH {
        return Err(ErrorKind::ArrayDepth { key: quoted(key), limit: MAX_DEPTH });
    }
    let short = |short: Short| short.within(format_args!("the array in key {}", quoted(key)));
    let found = cursor.u32().map_err(short)?;
    let element = ValueType::from_code(found);
    let element = element.ok_or_else(|| ErrorKind::ArrayElementType { key: quoted(key), found })?;
    let count = cursor.count().map_err(short)?;
    let start = cursor.position();
    check_elements(cursor, key, depth, element, count)?;
    Ok((Shape::Many { element, count }, start..cursor.position()))
}

/// The elements of an array. Their number is compared with the bytes left before anything is done with it.
fn check_elements<E: ByteOrder>(
    cursor: &mut Cursor<'_, E>,
    key: &str,
    depth: u32,
    element: ValueType,
    count: u64,
) -> Result<(), ErrorKind> {
    let least = match element {
        ValueType::Str => cursor.layout().count_bytes(),
        ValueType::Array => 4 + cursor.layout().count_bytes(),
        number => number.fixed_bytes().unwrap_or(1),
    };
    if count > cursor.left() / least {
        let left = cursor.left();
        return Err(ErrorKind::ArrayLength { key: quoted(key), found: count, element, left });
    }
    let short =
        |short: Short, i| short.within(format_args!("element {i} of the array in key {}", quoted(key)));
    match element {
        ValueType::Str => {
            for i in 0..count {
                cursor.string().map_err(|s| short(s, i))?;
            }
            Ok(())
        }
        ValueType::Array => (0..count).try_for_each(|_| check_array(cursor, key, depth + 1).map(|_| ())),
        // no overflow: the product is at most the bytes left
        _ => check_bools(element, cursor.take(count * least).map_err(|s| short(s, 0))?, key),
    }
}

fn check_bools(ty: ValueType, bytes: &[u8], key: &str) -> Result<(), ErrorKind> {
    match bytes.iter().find(|&&b| b > 1) {
        Some(&found) if ty == ValueType::Bool => Err(ErrorKind::BoolValue { key: quoted(key), found }),
        _ => Ok(()),
    }
}

/// Reads a checked number, bool or string from its payload; `None` for a string that is not UTF-8.
pub(super) fn read<E: ByteOrder>(ty: ValueType, payload: &[u8]) -> Option<Value<'_>> {
    if payload.len() as u64 != ty.fixed_bytes().unwrap_or(payload.len() as u64) {
        return None; // cannot be: `check` took exactly these bytes
    }
    Some(match ty {
        ValueType::U8 => Value::U8(*payload.first()?),
        ValueType::I8 => Value::I8(payload.first()?.cast_signed()),
        ValueType::U16 => Value::U16(E::read_u16(payload)),
        ValueType::I16 => Value::I16(E::read_i16(payload)),
        ValueType::U32 => Value::U32(E::read_u32(payload)),
        ValueType::I32 => Value::I32(E::read_i32(payload)),
        ValueType::F32 => Value::F32(E::read_f32(payload)),
        ValueType::Bool => Value::Bool(*payload.first()? != 0),
        ValueType::Str => Value::Str(std::str::from_utf8(payload).ok()?),
        ValueType::U64 => Value::U64(E::read_u64(payload)),
        ValueType::I64 => Value::I64(E::read_i64(payload)),
        ValueType::F64 => Value::F64(E::read_f64(payload)),
        ValueType::Array => return None,
    })
}
