//! The tensor table: reading it, and proving that every tensor lies inside its file.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::bytes::Bytes;
use super::cursor::{Cursor, Short};
use super::error::{Error, ErrorKind, quoted};
use super::map::Source;
use super::reader::{self, MAX_NAME, clip};
use super::types::GgmlType;

/// Dims of a tensor, at most.
const MAX_DIMS: usize = 4;

/// One tensor: name, type, shape and place.
#[derive(Clone, Debug)]
pub struct TensorInfo {
    name: Box<str>,
    ty: GgmlType,
    dims: [u64; MAX_DIMS],
    n_dims: u8,
    data: Bytes,
}

impl TensorInfo {
    /// The name, such as "blk.0.attn_q.weight".
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of the elements.
    pub fn ty(&self) -> GgmlType {
        self.ty
    }

    /// 1 to 4 dims, none of them 0, fastest first: `dims()[0]` is the number of columns.
    pub fn dims(&self) -> &[u64] {
        self.dims.get(..self.n_dims.into()).unwrap_or(&self.dims)
    }

    /// Elements in a row: `dims()[0]`, a multiple of the type's block length.
    pub fn cols(&self) -> u64 {
        self.dims[0]
    }

    /// Number of rows: the product of all dims but the first.
    pub fn rows(&self) -> u64 {
        self.dims[1..].iter().product()
    }

    /// Number of elements.
    pub fn elements(&self) -> u64 {
        self.dims.iter().product()
    }

    /// Size of the data in bytes.
    pub fn bytes(&self) -> u64 {
        self.data.len() as u64
    }

    /// Place of the data: bytes from the beginning of the file that holds it.
    pub fn offset(&self) -> u64 {
        self.data.start() as u64
    }

    /// The file that holds the data; the parts of a split model differ.
    pub fn file(&self) -> &Path {
        self.data.source().path()
    }

    pub(super) fn data(&self) -> &Bytes {
        &self.data
    }
}

/// A row of the table as it stands in the file; `bytes` follows from type and dims.
pub(super) struct Row {
    name: Box<str>,
    ty: GgmlType,
    dims: [u64; MAX_DIMS],
    n_dims: u8,
    offset: u64,
    bytes: u64,
}

pub(super) fn read_table<E: byteorder::ByteOrder>(
    cursor: &mut Cursor<'_, E>,
    count: u64,
) -> Result<Vec<Row>, ErrorKind> {
    reader::table(cursor, count, read_row)
}

fn read_row<E: byteorder::ByteOrder>(cursor: &mut Cursor<'_, E>, index: u64) -> Result<Row, ErrorKind> {
    let name = cursor.string().map_err(|short| short.within(format_args!("the name of tensor {index}")))?;
    if name.len() as u64 > MAX_NAME {
        return Err(ErrorKind::TensorNameLength { index, found: name.len() as u64, limit: MAX_NAME });
    }
    let name =
        std::str::from_utf8(name).map_err(|_| ErrorKind::TensorNameUtf8 { index, found: clip(name) })?;
    let short = |short: Short| short.within(format_args!("the description of tensor {}", quoted(name)));

    let n_dims = cursor.u32().map_err(short)?;
    if n_dims == 0 || n_dims > MAX_DIMS as u32 {
        return Err(ErrorKind::TensorDims { tensor: quoted(name), found: n_dims });
    }
    let mut dims = [1; MAX_DIMS];
    for dim in dims.iter_mut().take(n_dims as usize) {
        *dim = cursor.count().map_err(short)?;
    }
    let code = cursor.u32().map_err(short)?;
    let offset = cursor.u64().map_err(short)?;

    let ty = GgmlType::from_code(code).ok_or_else(|| unknown_type(name, code))?;
    let bytes = data_bytes(name, ty, dims)?;
    Ok(Row { name: name.into(), ty, dims, n_dims: n_dims as u8, offset, bytes })
}

fn unknown_type(name: &str, code: u32) -> ErrorKind {
    match GgmlType::removed(code) {
        Some(removed) => ErrorKind::RemovedTensorType { tensor: quoted(name), code, name: removed },
        None => ErrorKind::TensorType { tensor: quoted(name), code },
    }
}

/// Size of a tensor's data; refuses empty dims, rows that cut a block, and sizes beyond 64 bits.
fn data_bytes(name: &str, ty: GgmlType, dims: [u64; MAX_DIMS]) -> Result<u64, ErrorKind> {
    if dims.contains(&0) {
        return Err(ErrorKind::EmptyDim { tensor: quoted(name), dims });
    }
    let block = ty.block_len() as u64;
    if !dims[0].is_multiple_of(block) {
        return Err(ErrorKind::RowLength { tensor: quoted(name), ty, found: dims[0], block });
    }
    let elements = dims.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim));
    elements
        .and_then(|elements| (elements / block).checked_mul(ty.block_bytes() as u64))
        .ok_or_else(|| ErrorKind::TensorSize { tensor: quoted(name), dims })
}

/// Where the data of the last tensor ends, in bytes from the beginning of the file.
pub(super) fn end(table: &[Row], data_start: u64) -> u64 {
    let end = |row: &Row| data_start.saturating_add(row.offset).saturating_add(row.bytes);
    table.iter().map(end).fold(data_start, u64::max)
}

/// Bytes of the largest tensor.
pub(super) fn largest(table: &[Row]) -> u64 {
    table.iter().map(|row| row.bytes).max().unwrap_or(0)
}

/// Gives each row its bytes of the file, and refuses rows that are misaligned, leave the file or share bytes.
pub(super) fn place(
    source: &Arc<Source>,
    table: Vec<Row>,
    data_start: u64,
    alignment: u64,
) -> Result<Vec<TensorInfo>, ErrorKind> {
    let mut tensors = Vec::with_capacity(table.len());
    for row in table {
        if !row.offset.is_multiple_of(alignment) {
            let (tensor, found) = (quoted(&row.name), row.offset);
            return Err(ErrorKind::TensorOffset { tensor, found, alignment });
        }
        let data = range(&row, data_start).and_then(|range| Bytes::new(source, range)).ok_or_else(|| {
            let (start, bytes) = (u128::from(data_start) + u128::from(row.offset), row.bytes);
            let file_bytes = source.len() as u64;
            ErrorKind::TensorOutOfBounds { tensor: quoted(&row.name), start, bytes, file_bytes }
        })?;
        let Row { name, ty, dims, n_dims, .. } = row;
        tensors.push(TensorInfo { name, ty, dims, n_dims, data });
    }
    check_overlap(&tensors)?;
    Ok(tensors)
}

fn range(row: &Row, data_start: u64) -> Option<Range<usize>> {
    let start = usize::try_from(data_start.checked_add(row.offset)?).ok()?;
    Some(start..start.checked_add(usize::try_from(row.bytes).ok()?)?)
}

fn check_overlap(tensors: &[TensorInfo]) -> Result<(), ErrorKind> {
    let mut by_offset: Vec<&TensorInfo> = tensors.iter().collect();
    by_offset.sort_unstable_by_key(|tensor| tensor.offset());
    let mut neighbours = by_offset.iter().zip(by_offset.iter().skip(1));
    match neighbours.find(|(a, b)| a.offset() + a.bytes() > b.offset()) {
        Some((a, b)) => Err(ErrorKind::TensorOverlap { tensor: quoted(a.name()), other: quoted(b.name()) }),
        None => Ok(()),
    }
}

/// Indices of the tensors, by name.
///
/// # Errors
/// [`ErrorKind::DuplicateTensor`], naming the file of the later one.
pub(super) fn index(tensors: &[TensorInfo]) -> Result<Vec<u32>, Error> {
    let mut by_name: Vec<u32> = (0..).take(tensors.len()).collect();
    let name = |i: u32| tensors.get(i as usize).map_or("", TensorInfo::name);
    by_name.sort_unstable_by(|&a, &b| name(a).cmp(name(b)).then(a.cmp(&b)));
    let twice = by_name.iter().zip(by_name.iter().skip(1)).find(|&(&a, &b)| name(a) == name(b));
    match twice.and_then(|(_, &later)| tensors.get(later as usize)) {
        Some(later) => {
            Err(Error::new(later.file(), ErrorKind::DuplicateTensor { tensor: quoted(later.name()) }))
        }
        None => Ok(by_name),
    }
}
