//! Makes small GGUF files, valid or damaged in one place, in every version and byte order.

use siskin::gguf::{ByteOrder, Gguf};

/// Version and byte order of a file to make.
pub type Layout = (u32, ByteOrder);

/// All that the reader knows.
pub const LAYOUTS: [Layout; 6] = [
    (3, ByteOrder::Little),
    (3, ByteOrder::Big),
    (2, ByteOrder::Little),
    (2, ByteOrder::Big),
    (1, ByteOrder::Little),
    (1, ByteOrder::Big),
];

/// A metadata value as it will be written.
#[derive(Clone)]
pub enum Item {
    /// Type code and the bytes of the number, least significant first.
    Number(u32, Vec<u8>),
    Text(Vec<u8>),
    /// Element type code and elements.
    Array(u32, Vec<Item>),
    /// An array that claims this many elements.
    LyingArray(u32, u64),
    /// A string that claims this many bytes.
    LyingText(u64),
}

impl Item {
    pub fn u32(x: u32) -> Item {
        Item::Number(4, x.to_le_bytes().into())
    }

    pub fn u8(x: u8) -> Item {
        Item::Number(0, vec![x])
    }

    pub fn text(x: &str) -> Item {
        Item::Text(x.into())
    }

    fn code(&self) -> u32 {
        match self {
            Item::Number(code, _) => *code,
            Item::Text(_) | Item::LyingText(_) => 8,
            Item::Array(..) | Item::LyingArray(..) => 9,
        }
    }
}

#[derive(Clone)]
pub struct Tensor {
    pub name: Vec<u8>,
    pub dims: Vec<u64>,
    pub code: u32,
    /// Instead of the next free place.
    pub offset: Option<u64>,
    pub data: Vec<u8>,
}

pub fn tensor(name: &str, code: u32, dims: &[u64], bytes: usize) -> Tensor {
    let data = (0..bytes).map(|i| i as u8).collect();
    Tensor { name: name.into(), dims: dims.into(), code, offset: None, data }
}

/// A file to be; the public fields are there to be damaged.
#[derive(Clone)]
pub struct File {
    pub layout: Layout,
    pub keys: Vec<(Vec<u8>, Item)>,
    pub tensors: Vec<Tensor>,
    pub claimed_keys: Option<u64>,
    pub claimed_tensors: Option<u64>,
    /// What offsets and padding really follow; `general.alignment` is an ordinary key here.
    pub alignment: usize,
}

impl File {
    pub fn empty(layout: Layout) -> File {
        let (keys, tensors) = (Vec::new(), Vec::new());
        File { layout, keys, tensors, claimed_keys: None, claimed_tensors: None, alignment: 32 }
    }

    /// Every value type, arrays of arrays, and tensors of three types that fill whole blocks.
    pub fn sample(layout: Layout) -> File {
        let number = |code, bytes: &[u8]| Item::Number(code, bytes.into());
        let numbers = [
            ("u8", number(0, &[200])),
            ("i8", number(1, &[0xfe])),
            ("u16", number(2, &60_000u16.to_le_bytes())),
            ("i16", number(3, &(-300i16).to_le_bytes())),
            ("u32", Item::u32(4_000_000_000)),
            ("i32", number(5, &(-70_000i32).to_le_bytes())),
            ("f32", number(6, &1.5f32.to_le_bytes())),
            ("true", number(7, &[1])),
            ("false", number(7, &[0])),
            ("u64", number(10, &(1u64 << 40).to_le_bytes())),
            ("i64", number(11, &(-1i64 << 40).to_le_bytes())),
            ("f64", number(12, &(-0.25f64).to_le_bytes())),
        ];
        let pair = |a, b| Item::Array(4, vec![Item::u32(a), Item::u32(b)]);
        let floats = [0.5f32, -2.0].map(|x| number(6, &x.to_le_bytes())).into();
        let shorts = [-7i16, 300].map(|x| number(3, &x.to_le_bytes())).into();
        let bools = [1u8, 0, 1].map(|x| number(7, &[x])).into();
        let texts = vec![Item::text("a"), Item::text(""), Item::Text(vec![0xff, b'x'])];
        let arrays = [
            ("texts", Item::Array(8, texts)),
            ("floats", Item::Array(6, floats)),
            ("shorts", Item::Array(3, shorts)),
            ("bools", Item::Array(7, bools)),
            ("nothing", Item::Array(8, vec![])),
            ("pairs", Item::Array(9, vec![pair(1, 2), Item::Array(8, vec![Item::text("deep")]), pair(3, 4)])),
            ("text", Item::text("grün")),
        ];
        let keys =
            numbers.into_iter().chain(arrays).map(|(key, item)| (key.as_bytes().to_vec(), item)).collect();
        let tensors = vec![
            tensor("floats", 0, &[4, 2], 32),
            tensor("quants", 2, &[64, 3], 108),
            tensor("bytes", 24, &[3], 3),
        ];
        File { keys, tensors, ..File::empty(layout) }
    }

    pub fn key(mut self, key: &str, item: Item) -> File {
        self.keys.push((key.into(), item));
        self
    }

    pub fn tensor(mut self, tensor: Tensor) -> File {
        self.tensors.push(tensor);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Writer { out: b"GGUF".to_vec(), layout: self.layout };
        out.u32(self.layout.0);
        out.count(self.claimed_tensors.unwrap_or(self.tensors.len() as u64));
        out.count(self.claimed_keys.unwrap_or(self.keys.len() as u64));
        for (key, item) in &self.keys {
            out.string(key);
            out.u32(item.code());
            out.item(item);
        }
        let mut data = Vec::new();
        for tensor in &self.tensors {
            data.resize(data.len().next_multiple_of(self.alignment), 0);
            out.tensor(tensor, data.len() as u64);
            data.extend(&tensor.data);
        }
        let mut out = out.out;
        if !self.tensors.is_empty() {
            out.resize(out.len().next_multiple_of(self.alignment), 0);
        }
        out.extend(data);
        out
    }

    #[track_caller]
    pub fn open(&self) -> Gguf {
        Gguf::from_vec(self.bytes()).unwrap()
    }
}

struct Writer {
    out: Vec<u8>,
    layout: Layout,
}

impl Writer {
    /// A number given least significant byte first.
    fn number(&mut self, little: &[u8]) {
        match self.layout.1 {
            ByteOrder::Little => self.out.extend(little),
            ByteOrder::Big => self.out.extend(little.iter().rev()),
        }
    }

    fn u32(&mut self, x: u32) {
        self.number(&x.to_le_bytes());
    }

    fn count(&mut self, x: u64) {
        let bytes = x.to_le_bytes();
        self.number(if self.layout.0 == 1 { &bytes[..4] } else { &bytes });
    }

    fn string(&mut self, text: &[u8]) {
        self.count(text.len() as u64);
        self.out.extend(text);
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Number(_, little) => self.number(little),
            Item::Text(text) => self.string(text),
            Item::LyingText(len) => self.count(*len),
            Item::LyingArray(code, len) => {
                self.u32(*code);
                self.count(*len);
            }
            Item::Array(code, items) => {
                self.u32(*code);
                self.count(items.len() as u64);
                items.iter().for_each(|item| self.item(item));
            }
        }
    }

    fn tensor(&mut self, tensor: &Tensor, offset: u64) {
        self.string(&tensor.name);
        self.u32(tensor.dims.len() as u32);
        tensor.dims.iter().for_each(|&dim| self.count(dim));
        self.u32(tensor.code);
        self.number(&tensor.offset.unwrap_or(offset).to_le_bytes());
    }
}
