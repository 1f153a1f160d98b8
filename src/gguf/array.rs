//! Metadata arrays, read where they lie in the file.
//!
//! Tokenizers hold hundreds of thousands of strings in arrays: nothing here copies or allocates one.

use std::fmt;
use std::path::Path;

use byteorder::{BigEndian, ByteOrder as Endian, LittleEndian};

use super::cursor::{ByteOrder, Cursor, Layout};
use super::error::{Error, ErrorKind, quoted};
use super::value::{self, Shape, Value, ValueType};

/// An array in the metadata, borrowed from the file. All elements have one type.
#[derive(Clone, Copy)]
pub struct Array<'a> {
    pub(super) file: &'a Path,
    pub(super) key: &'a str,
    pub(super) layout: Layout,
    pub(super) element: ValueType,
    pub(super) count: u64,
    pub(super) payload: &'a [u8],
}

impl<'a> Array<'a> {
    /// The type of the elements.
    pub fn element_type(&self) -> ValueType {
        self.element
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.count as usize // no loss: checked against the length of the file, which is a usize
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The elements, in order.
    ///
    /// A string that is not UTF-8 is an error that names its index; [`Array::strs`] gives such strings as bytes.
    pub fn iter(&self) -> impl Iterator<Item = Result<Value<'a>, Error>> + use<'a> {
        let array = *self;
        let mut rest = array.payload;
        (0..array.count).map(move |index| match array.layout.order {
            ByteOrder::Little => array.next::<LittleEndian>(&mut rest, index),
            ByteOrder::Big => array.next::<BigEndian>(&mut rest, index),
        })
    }

    /// The strings of an array of strings, as bytes: tokens need not be UTF-8.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] for an array of something else. The elements are `Err` only if the file changed since it was opened.
    pub fn strs(&self) -> Result<impl Iterator<Item = Result<&'a [u8], Error>> + Clone + use<'a>, Error> {
        self.expect(&[ValueType::Str], "array of strings")?;
        let array = *self;
        let mut rest = array.payload;
        Ok((0..array.count).map(move |_| match array.layout.order {
            ByteOrder::Little => array.string::<LittleEndian>(&mut rest),
            ByteOrder::Big => array.string::<BigEndian>(&mut rest),
        }))
    }

    /// The numbers of an array of f32.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] for an array of something else.
    pub fn f32s(&self) -> Result<Vec<f32>, Error> {
        self.expect(&[ValueType::F32], "array of f32")?;
        let (chunks, _) = self.payload.as_chunks::<4>();
        Ok(match self.layout.order {
            ByteOrder::Little => chunks.iter().copied().map(f32::from_le_bytes).collect(),
            ByteOrder::Big => chunks.iter().copied().map(f32::from_be_bytes).collect(),
        })
    }

    /// The numbers of an array of integers of any width, as i32.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] for an array of something else, [`ErrorKind::ValueRange`] when a number does not fit.
    pub fn i32s(&self) -> Result<Vec<i32>, Error> {
        use ValueType::{I8, I16, I32, I64, U8, U16, U32, U64};
        self.expect(&[I32, U32, U16, I16, U8, I8, U64, I64], "array of integers")?;
        if (self.element, self.layout.order) == (I32, ByteOrder::Little) {
            // nearly every file: one for each token
            return Ok(self.payload.as_chunks::<4>().0.iter().copied().map(i32::from_le_bytes).collect());
        }
        self.iter().map(|value| self.narrow(value?)).collect()
    }

    fn narrow(&self, value: Value<'_>) -> Result<i32, Error> {
        let found = value.integer().unwrap_or_default();
        i32::try_from(found)
            .map_err(|_| self.error(ErrorKind::ValueRange { key: quoted(self.key), found, expected: "i32" }))
    }

    fn expect(&self, types: &[ValueType], expected: &'static str) -> Result<(), Error> {
        if types.contains(&self.element) {
            return Ok(());
        }
        let found = format!("array of {}", self.element);
        Err(self.error(ErrorKind::WrongType { key: quoted(self.key), found, expected }))
    }

    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(self.file, kind)
    }

    /// The elements were validated at open; a second failure means that the file is not the one that was opened.
    fn changed(&self) -> Error {
        self.error(ErrorKind::Changed { key: quoted(self.key) })
    }

    fn string<E: Endian>(&self, rest: &mut &'a [u8]) -> Result<&'a [u8], Error> {
        let mut cursor = Cursor::<E>::new(rest, self.layout);
        let string = cursor.string().map_err(|_| self.changed())?;
        *rest = rest.get(cursor.position()..).unwrap_or_default();
        Ok(string)
    }

    fn next<E: Endian>(&self, rest: &mut &'a [u8], index: u64) -> Result<Value<'a>, Error> {
        match self.element {
            ValueType::Str => {
                let bytes = self.string::<E>(rest)?;
                let text = std::str::from_utf8(bytes);
                text.map(Value::Str).map_err(|_| {
                    self.error(ErrorKind::ValueUtf8 { key: quoted(self.key), index: Some(index) })
                })
            }
            ValueType::Array => self.inner::<E>(rest),
            number => {
                let size = number.fixed_bytes().unwrap_or(0) as usize;
                let (payload, after) = rest.split_at_checked(size).ok_or_else(|| self.changed())?;
                *rest = after;
                value::read::<E>(number, payload).ok_or_else(|| self.changed())
            }
        }
    }

    fn inner<E: Endian>(&self, rest: &mut &'a [u8]) -> Result<Value<'a>, Error> {
        let mut cursor = Cursor::<E>::new(rest, self.layout);
        let (shape, range) = value::check_array(&mut cursor, self.key, 1).map_err(|_| self.changed())?;
        let (Shape::Many { element, count }, Some(payload)) = (shape, rest.get(range)) else {
            return Err(self.changed());
        };
        *rest = rest.get(cursor.position()..).unwrap_or_default();
        Ok(Value::Array(Array { element, count, payload, ..*self }))
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Array({} x {})", self.count, self.element)
    }
}
