//! Reads and validates one file: magic, version, byte order, counts, keys, then the tensor table.
//!
//! Called by `split.rs` once a file; everything later trusts what came out of here.

use std::path::Path;
use std::sync::Arc;

use byteorder::{BigEndian, LittleEndian};

use super::cursor::{ByteOrder, Cursor, Layout};
use super::error::{Error, ErrorKind, quoted};
use super::map::Source;
use super::metadata::{Entry, Keys, Metadata};
use super::tensors::{self, Row, TensorInfo};
use super::value::{self, Shape, ValueType};

/// More keys than any model has; bounds the table that a hostile file can ask for.
const MAX_KEYS: u64 = 1 << 16;
/// More tensors than any model has.
const MAX_TENSORS: u64 = 1 << 18;
/// Bytes of a key or a tensor name.
pub(super) const MAX_NAME: u64 = 1 << 16;
const MAX_ALIGNMENT: u32 = 1 << 20;
const DEFAULT_ALIGNMENT: u64 = 32;
const ALIGNMENT: &str = "general.alignment";

/// One validated file.
pub(super) struct Part {
    pub(super) source: Arc<Source>,
    pub(super) version: u32,
    pub(super) metadata: Metadata,
    pub(super) tensors: Vec<TensorInfo>,
}

impl Part {
    pub(super) fn file_bytes(&self) -> u64 {
        self.source.len() as u64
    }
}

/// A header, checked as far as that goes without the file.
struct Header {
    version: u32,
    layout: Layout,
    keys: Keys,
    alignment: u64,
    table: Vec<Row>,
    /// Its bytes.
    len: usize,
}

impl Header {
    fn data_start(&self) -> u64 {
        (self.len as u64).next_multiple_of(self.alignment)
    }

    /// With the file that it is of, whose tensors must lie inside.
    fn finish(self, source: Source) -> Result<Part, Error> {
        let (source, data_start) = (Arc::new(source), self.data_start());
        let Header { version, layout, keys, alignment, table, .. } = self;
        let placed = tensors::place(&source, table, data_start, alignment);
        let tensors = placed.map_err(|kind| Error::new(source.path(), kind))?;
        let metadata = Metadata::new(Arc::clone(&source), layout, keys);
        Ok(Part { source, version, metadata, tensors })
    }

    /// With nothing but the first bytes of a file of `len` bytes.
    fn alone(self, beginning: Source, len: u64) -> Result<Part, Error> {
        let largest = tensors::largest(&self.table);
        let source = beginning.into_header(self.len, largest, len)?;
        self.finish(source)
    }
}

/// Validates a whole file.
pub(super) fn read(source: Source) -> Result<Part, Error> {
    let header = parse(source.bytes()).map_err(|kind| Error::new(source.path(), kind))?;
    header.finish(source)
}

/// Bytes of a file that are looked at first: more than nearly every header has. Pages that are not needed are not read.
const FIRST_LOOK: usize = 16 << 20;

/// Validates the header of a file and touches nothing else of it; the file may be cut off behind it.
pub(super) fn read_header(path: &Path) -> Result<Part, Error> {
    let mut most = FIRST_LOOK;
    loop {
        let (source, len) = Source::beginning(path, most)?;
        let found = source.bytes().len();
        match parse(source.bytes()) {
            Ok(header) => {
                let whole = tensors::end(&header.table, header.data_start());
                return header.alone(source, whole.max(len as u64));
            }
            Err(kind) if !is_cut_off(source.bytes(), &kind) => return Err(Error::new(path, kind)),
            Err(_) if found < len => most = most.saturating_mul(4),
            Err(_) => return Err(Error::new(path, ErrorKind::HeaderCutOff { found })),
        }
    }
}

/// Validates the header of a file of `file_bytes` bytes of which only the first ones are there; `None` if the header is longer.
///
/// # Errors
/// When they cannot be the beginning of a valid file, whatever follows.
pub(super) fn read_prefix(path: &Path, prefix: &[u8], file_bytes: u64) -> Result<Option<Part>, Error> {
    match parse(prefix) {
        Ok(header) => {
            let there = prefix.get(..header.len).unwrap_or(prefix);
            header.alone(Source::copy(path, there), file_bytes).map(Some)
        }
        Err(kind) if (prefix.len() as u64) < file_bytes && is_cut_off(prefix, &kind) => Ok(None),
        Err(kind) => Err(Error::new(path, kind)),
    }
}

/// Whether that is wrong with a header because more of it is to come. What no header has is wrong in any case.
fn is_cut_off(bytes: &[u8], kind: &ErrorKind) -> bool {
    const MOST: u64 = 1 << 40;
    match *kind {
        ErrorKind::Truncated { needed, .. } => needed < MOST,
        ErrorKind::StringLength { found, .. } | ErrorKind::ArrayLength { found, .. } => found < MOST,
        ErrorKind::KeyCount { found, .. } => found <= MAX_KEYS,
        ErrorKind::TensorCount { found, .. } => found <= MAX_TENSORS,
        _ => bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes),
    }
}

const MAGIC: &[u8; 4] = b"GGUF";
const PREAMBLE: usize = 8;

/// Magic and version. The byte order is the one in which the version makes sense.
fn preamble(bytes: &[u8]) -> Result<(u32, Layout), ErrorKind> {
    let Some((MAGIC, rest)) = bytes.split_first_chunk::<4>() else {
        let found = bytes.get(..4).unwrap_or(bytes).escape_ascii().to_string();
        return Err(ErrorKind::NotGguf { found, looks_like: looks_like(bytes) });
    };
    let Some(version) = rest.first_chunk::<4>() else {
        let (needed, left) = (4, rest.len() as u64);
        return Err(ErrorKind::Truncated { place: "the header".into(), offset: 4, needed, left });
    };
    let (little, big) = (u32::from_le_bytes(*version), u32::from_be_bytes(*version));
    let layout = |order, version| Layout { order, wide: version > 1 };
    match (little, big) {
        (1..=3, _) => Ok((little, layout(ByteOrder::Little, little))),
        (_, 1..=3) => Ok((big, layout(ByteOrder::Big, big))),
        // a small number in the upper half is a version to come, written big-endian
        _ => Err(ErrorKind::Version { found: if little & 0xffff == 0 { big } else { little } }),
    }
}

/// What people mistake for a GGUF file, told by its first bytes.
fn looks_like(bytes: &[u8]) -> &'static str {
    let starts: [(&[u8], &str); 9] = [
        (b"version https://git-lfs", "a git-lfs pointer, not the file it points to"),
        (b"PK\x03\x04", "a PyTorch checkpoint or another zip archive"),
        (b"tjgg", "a GGML file from before GGUF (GGJT)"),
        (b"fmgg", "a GGML file from before GGUF (GGMF)"),
        (b"lmgg", "a GGML file from before GGUF"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"<", "a web page"),
        (b"{", "JSON text"),
        (b"FUGG", "a GGUF file with all its words byte-swapped"),
    ];
    if bytes.is_empty() {
        return "an empty file";
    }
    if bytes.get(8) == Some(&b'{') {
        return "a safetensors file";
    }
    starts.iter().find(|(start, _)| bytes.starts_with(start)).map_or("another kind of file", |(_, name)| name)
}

/// The header at the beginning of some bytes.
fn parse(bytes: &[u8]) -> Result<Header, ErrorKind> {
    let (version, layout) = preamble(bytes)?;
    match layout.order {
        ByteOrder::Little => parse_as::<LittleEndian>(bytes, version, layout),
        ByteOrder::Big => parse_as::<BigEndian>(bytes, version, layout),
    }
}

fn parse_as<E: byteorder::ByteOrder>(
    bytes: &[u8],
    version: u32,
    layout: Layout,
) -> Result<Header, ErrorKind> {
    let mut cursor = Cursor::<E>::new(bytes, layout);
    let (tensor_count, key_count) = counts(&mut cursor)?;
    let keys = Keys::new(table(&mut cursor, key_count, read_entry)?)?;
    let alignment = alignment::<E>(&keys, bytes)?;
    let table = tensors::read_table(&mut cursor, tensor_count)?;
    Ok(Header { version, layout, keys, alignment, table, len: cursor.position() })
}

/// The counts of tensors and of keys.
fn counts<E: byteorder::ByteOrder>(cursor: &mut Cursor<'_, E>) -> Result<(u64, u64), ErrorKind> {
    let header = |short: super::cursor::Short| short.within("the header");
    cursor.take(PREAMBLE as u64).map_err(header)?;
    let tensor_count = cursor.count().map_err(header)?;
    let key_count = cursor.count().map_err(header)?;
    check_counts(cursor, tensor_count, key_count)?;
    Ok((tensor_count, key_count))
}

/// The counts against the least bytes that so many entries take.
fn check_counts<E: byteorder::ByteOrder>(
    cursor: &Cursor<'_, E>,
    tensors: u64,
    keys: u64,
) -> Result<(), ErrorKind> {
    let count_bytes = cursor.layout().count_bytes();
    let most = (cursor.left() / (count_bytes + 4 + 1)).min(MAX_KEYS);
    if keys > most {
        return Err(ErrorKind::KeyCount { found: keys, limit: most });
    }
    let most = (cursor.left() / (2 * count_bytes + 4 + 4 + 8)).min(MAX_TENSORS);
    if tensors > most {
        return Err(ErrorKind::TensorCount { found: tensors, limit: most });
    }
    Ok(())
}

/// `count` entries, each with its index. The count is only a claim: room is made as entries are found.
pub(super) fn table<'a, T, E: byteorder::ByteOrder>(
    cursor: &mut Cursor<'a, E>,
    count: u64,
    read: impl Fn(&mut Cursor<'a, E>, u64) -> Result<T, ErrorKind>,
) -> Result<Vec<T>, ErrorKind> {
    let mut table = Vec::new();
    for index in 0..count {
        table.push(read(cursor, index)?);
    }
    table.shrink_to_fit();
    Ok(table)
}

fn read_entry<E: byteorder::ByteOrder>(cursor: &mut Cursor<'_, E>, index: u64) -> Result<Entry, ErrorKind> {
    let key = cursor.string().map_err(|short| short.within(format_args!("the name of key {index}")))?;
    if key.len() as u64 > MAX_NAME {
        return Err(ErrorKind::KeyLength { index, found: key.len() as u64, limit: MAX_NAME });
    }
    let key = std::str::from_utf8(key).map_err(|_| ErrorKind::KeyUtf8 { index, found: clip(key) })?;
    let code = cursor.u32().map_err(|short| short.within(format_args!("the type of key {}", quoted(key))))?;
    let ty =
        ValueType::from_code(code).ok_or_else(|| ErrorKind::ValueType { key: quoted(key), found: code })?;
    let (shape, payload) = value::check(cursor, ty, key)?;
    Ok(Entry { key: key.into(), shape, payload })
}

/// Bytes that should have been text, for a message.
pub(super) fn clip(bytes: &[u8]) -> String {
    bytes.get(..32).unwrap_or(bytes).escape_ascii().to_string()
}

fn alignment<E: byteorder::ByteOrder>(keys: &Keys, bytes: &[u8]) -> Result<u64, ErrorKind> {
    let Some(Entry { shape, payload, .. }) = keys.find(ALIGNMENT) else { return Ok(DEFAULT_ALIGNMENT) };
    let found = match *shape {
        Shape::One(ValueType::U32) => bytes.get(payload.clone()).map(E::read_u32).unwrap_or_default(),
        Shape::One(found) => return Err(ErrorKind::AlignmentType { found }),
        Shape::Many { .. } => return Err(ErrorKind::AlignmentType { found: ValueType::Array }),
    };
    if found.is_power_of_two() && found <= MAX_ALIGNMENT {
        return Ok(found.into());
    }
    Err(ErrorKind::AlignmentValue { found, limit: MAX_ALIGNMENT })
}
