//! A small writer of GGUF headers in every version and byte order, without any check: seeds need not be sensible.

/// How integers are written.
#[derive(Clone, Copy)]
pub struct Layout {
    /// 1, 2 or 3; in version 1 counts and lengths have 32 bits.
    pub version: u32,
    /// Most significant byte first.
    pub big: bool,
}

/// All that the reader knows.
pub const LAYOUTS: [Layout; 6] = [
    Layout { version: 3, big: false },
    Layout { version: 3, big: true },
    Layout { version: 2, big: false },
    Layout { version: 2, big: true },
    Layout { version: 1, big: false },
    Layout { version: 1, big: true },
];

/// A metadata value.
pub enum Value<'a> {
    /// Code of the type, and the number's bytes, least significant first.
    Number(u32, Vec<u8>),
    Text(&'a str),
    /// Code of the elements' type, and the elements.
    List(u32, Vec<Value<'a>>),
}

impl<'a> Value<'a> {
    pub fn u32(value: u32) -> Value<'a> {
        Value::Number(4, value.to_le_bytes().to_vec())
    }

    pub fn bool(value: bool) -> Value<'a> {
        Value::Number(7, vec![value.into()])
    }

    pub fn texts(texts: impl IntoIterator<Item = &'a str>) -> Value<'a> {
        Value::List(8, texts.into_iter().map(Value::Text).collect())
    }

    pub fn i32s(values: impl IntoIterator<Item = i32>) -> Value<'a> {
        let values = values.into_iter().map(|value| Value::Number(5, value.to_le_bytes().to_vec()));
        Value::List(5, values.collect())
    }

    fn code(&self) -> u32 {
        match self {
            Value::Number(code, _) => *code,
            Value::Text(_) => 8,
            Value::List(..) => 9,
        }
    }
}

/// A tensor: name, type code, dims, bytes of data.
pub type Tensor<'a> = (&'a str, u32, &'a [u64], usize);

/// A whole file.
pub fn file(layout: Layout, keys: &[(&str, Value<'_>)], tensors: &[Tensor<'_>]) -> Vec<u8> {
    let mut out = Writer { bytes: b"GGUF".to_vec(), layout };
    out.number(&layout.version.to_le_bytes());
    out.count(tensors.len());
    out.count(keys.len());
    for (key, value) in keys {
        out.text(key);
        out.number(&value.code().to_le_bytes());
        out.value(value);
    }
    let mut data = 0usize;
    for &(name, code, dims, bytes) in tensors {
        out.text(name);
        out.number(&(dims.len() as u32).to_le_bytes());
        dims.iter().for_each(|&dim| out.count(dim as usize));
        out.number(&code.to_le_bytes());
        out.number(&(data as u64).to_le_bytes());
        data = (data + bytes).next_multiple_of(32);
    }
    let start = out.bytes.len().next_multiple_of(32);
    out.bytes.resize(start + data, 0);
    out.bytes
}

struct Writer {
    bytes: Vec<u8>,
    layout: Layout,
}

impl Writer {
    /// A number given least significant byte first.
    fn number(&mut self, little: &[u8]) {
        match self.layout.big {
            true => self.bytes.extend(little.iter().rev()),
            false => self.bytes.extend(little),
        }
    }

    fn count(&mut self, count: usize) {
        let bytes = (count as u64).to_le_bytes();
        self.number(if self.layout.version == 1 { &bytes[..4] } else { &bytes });
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes.extend(text.as_bytes());
    }

    fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Number(_, little) => self.number(little),
            Value::Text(text) => self.text(text),
            Value::List(code, values) => {
                self.number(&code.to_le_bytes());
                self.count(values.len());
                values.iter().for_each(|value| self.value(value));
            }
        }
    }
}
