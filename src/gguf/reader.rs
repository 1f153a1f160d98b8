//! Reads and validates one file: magic, version, byte order, counts, keys, then the tensor table.
//!
//! Called by `split.rs` once a file; everything later trusts what came out of here.

use std::path::Path;
use std::sync::Arc;

use byteorder::{BigEndian, LittleEndian};

use super::cursor::{ByteOrder, Cursor, Layout};
use super::error::{Error, ErrorKind, quoted};
use super::map::Source;
use super::metadata::{Entry, Metadata};
use super::tensors::{self, TensorInfo};
use super::value::{self, ValueType};

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
        self.source.bytes().len() as u64
    }
}

/// Validates a whole file.
pub(super) fn read(source: Source) -> Result<Part, Error> {
    let source = Arc::new(source);
    let part = preamble(source.bytes()).and_then(|(version, layout)| match layout.order {
        ByteOrder::Little => body::<LittleEndian>(&source, version, layout),
        ByteOrder::Big => body::<BigEndian>(&source, version, layout),
    });
    part.map_err(|kind| Error::new(source.path(), kind))
}

/// Whether these first bytes of a file hold its whole header; what they hold is checked.
///
/// # Errors
/// When they cannot be the beginning of a valid file, whatever follows.
pub(super) fn holds_header(path: &Path, prefix: &[u8]) -> Result<bool, Error> {
    use ErrorKind::{ArrayLength, KeyCount, StringLength, TensorCount, TensorOutOfBounds, Truncated};
    if prefix.len() < PREAMBLE {
        return Ok(false);
    }
    let Err(error) = read(Source::prefix(path, prefix, prefix.len() as u64)?) else { return Ok(true) };
    match error.kind() {
        // tensors are looked at once all of the table was read
        TensorOutOfBounds { .. } => Ok(true),
        Truncated { .. }
        | StringLength { .. }
        | ArrayLength { .. }
        | KeyCount { .. }
        | TensorCount { .. } => Ok(false),
        _ => Err(error),
    }
}

const PREAMBLE: usize = 8;

/// Magic and version. The byte order is the one in which the version makes sense.
fn preamble(bytes: &[u8]) -> Result<(u32, Layout), ErrorKind> {
    let Some((b"GGUF", rest)) = bytes.split_first_chunk::<4>() else {
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

/// Bytes of the header at the beginning of `bytes`, and of the file that it describes.
///
/// # Errors
/// When the header is damaged or not there as a whole.
pub(super) fn extent(path: &Path, bytes: &[u8]) -> Result<(usize, u64), Error> {
    let extent = preamble(bytes).and_then(|(_, layout)| match layout.order {
        ByteOrder::Little => extent_of::<LittleEndian>(bytes, layout),
        ByteOrder::Big => extent_of::<BigEndian>(bytes, layout),
    });
    extent.map_err(|kind| Error::new(path, kind))
}

fn extent_of<E: byteorder::ByteOrder>(bytes: &[u8], layout: Layout) -> Result<(usize, u64), ErrorKind> {
    let mut cursor = Cursor::<E>::new(bytes, layout);
    let (tensor_count, key_count) = counts(&mut cursor)?;
    let entries = table(&mut cursor, key_count, read_entry)?;
    let alignment = entries.iter().find(|entry| &*entry.key == ALIGNMENT);
    let alignment = alignment.and_then(|entry| bytes.get(entry.payload.clone())?.first_chunk::<4>());
    // a value that makes no sense is refused when the header is read
    let alignment = alignment.map_or(DEFAULT_ALIGNMENT, |n| E::read_u32(n).into()).max(1);
    let table = tensors::read_table(&mut cursor, tensor_count)?;
    let header = cursor.position();
    let data_start = (header as u64).checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
    Ok((header, tensors::end(&table, data_start)))
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

fn body<E: byteorder::ByteOrder>(
    source: &Arc<Source>,
    version: u32,
    layout: Layout,
) -> Result<Part, ErrorKind> {
    let mut cursor = Cursor::<E>::new(source.bytes(), layout);
    let (tensor_count, key_count) = counts(&mut cursor)?;
    let metadata = Metadata::new(Arc::clone(source), layout, table(&mut cursor, key_count, read_entry)?)?;
    let alignment = alignment(&metadata)?;
    let table = tensors::read_table(&mut cursor, tensor_count)?;
    let data_start = (cursor.position() as u64).next_multiple_of(alignment);
    let tensors = tensors::place(source, table, data_start, alignment)?;
    Ok(Part { source: Arc::clone(source), version, metadata, tensors })
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

/// `count` entries, each with its index. The count is only a claim, so they are read twice: nothing is kept, and no room is made, before all of
/// them were seen to be there.
pub(super) fn table<'a, T, E: byteorder::ByteOrder>(
    cursor: &mut Cursor<'a, E>,
    count: u64,
    read: impl Fn(&mut Cursor<'a, E>, u64) -> Result<T, ErrorKind>,
) -> Result<Vec<T>, ErrorKind> {
    let mut ahead = cursor.clone();
    (0..count).try_for_each(|index| read(&mut ahead, index).map(drop))?;
    let mut table = Vec::with_capacity(count as usize);
    for index in 0..count {
        table.push(read(cursor, index)?);
    }
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

fn alignment(metadata: &Metadata) -> Result<u64, ErrorKind> {
    match metadata.get(ALIGNMENT) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(value::Value::U32(n)) if n.is_power_of_two() && n <= MAX_ALIGNMENT => Ok(n.into()),
        Some(value::Value::U32(found)) => Err(ErrorKind::AlignmentValue { found, limit: MAX_ALIGNMENT }),
        Some(other) => Err(ErrorKind::AlignmentType { found: other.value_type() }),
    }
}
