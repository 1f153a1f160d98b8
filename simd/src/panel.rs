//! What products of a matrix with many columns work on: activation vectors in tiles, and a panel that weight rows are unpacked into.
//! Kernels and [`Kernels::multiply`](crate::Kernels::multiply) read these; callers allocate a [`Panel`] for each thread.
//!
//! ```text
//! for every 512 columns of 16 weight rows:      unpack them once into the panel, as bytes and scales, whatever their format
//!     for every tile of 8 activation vectors:    multiply the panel with the tile; the sums go on where they stopped
//! ```
//!
//! The panel stays in the first-level cache and is overwritten by the next rows, so no second copy of the weights ever exists, and the
//! multiplication is the same for all formats.

use crate::activation::{ActGroup, SCALE_LEN};
#[cfg(target_arch = "x86_64")]
use crate::block::{Block, QuantBlock, Unpacked, blocks};

/// Weight rows of a panel.
pub const PANEL_ROWS: usize = 16;

/// Activation vectors of a tile; the last tile of a batch may have fewer.
pub const TILE: usize = 8;

/// Groups of 256 columns that a panel holds at once: with scales and a tile of activations some 16 KiB, for two threads that share a first-level cache.
const SLAB: usize = 2;

/// Groups of 256 columns that are unpacked at once for a batch of so many tiles. Few tiles are waiting for memory: then little by little, so that what
/// comes next is asked for in as small pieces.
pub(crate) const fn slab(tiles: usize) -> usize {
    if tiles <= 4 { 1 } else { SLAB }
}

/// 256 columns of [`PANEL_ROWS`] weight rows. How bytes and scales lie in it is agreed between the unpacking and the multiplication of
/// an instruction set: `w = scale * q + offset`, a scale and an offset per 16 or per 32 columns.
#[derive(Clone)]
#[repr(C, align(64))]
pub struct PanelGroup {
    /// Quants.
    pub(crate) q: [u8; PANEL_ROWS * ActGroup::LEN],
    /// Scales: those of one part of the columns together, a row each.
    pub(crate) scale: [[f32; PANEL_ROWS]; 16],
    /// Offsets, likewise; left alone by formats that have none.
    pub(crate) offset: [[f32; PANEL_ROWS]; 16],
}

impl PanelGroup {
    const ZERO: PanelGroup = PanelGroup {
        q: [0; PANEL_ROWS * ActGroup::LEN],
        scale: [[0.0; PANEL_ROWS]; 16],
        offset: [[0.0; PANEL_ROWS]; 16],
    };
}

/// Weight rows that are to be unpacked, from a group on.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// Whole rows, at most [`PANEL_ROWS`].
    pub rows: &'a [u8],
    /// Bytes of a row.
    pub row_bytes: usize,
    /// The first group of 256 columns wanted.
    pub first: usize,
}

impl<'a> Source<'a> {
    /// The bytes of a row; none if it is missing.
    #[inline]
    pub fn row(&self, r: usize) -> &'a [u8] {
        self.rows.get(r * self.row_bytes..(r + 1) * self.row_bytes).unwrap_or_default()
    }
}

#[cfg(target_arch = "x86_64")]
impl<'a> Source<'a> {
    /// Up to `count` blocks of a row, from block `start` on; those that it has.
    #[inline]
    fn blocks<B: Block>(&self, r: usize, start: usize, count: usize) -> &'a [B] {
        let row = blocks(self.row(r));
        &row[start.min(row.len())..(start + count).min(row.len())]
    }

    /// Block `at` of all rows, unpacked; zeros for those that are missing.
    #[inline(always)]
    pub fn unpack_rows<B: QuantBlock>(&self, at: usize, rows: &mut [[Unpacked; 1]; PANEL_ROWS]) {
        const { assert!(B::LEN == ActGroup::LEN) };
        for (r, [row]) in rows.iter_mut().enumerate() {
            match self.blocks::<B>(r, at, 1) {
                [block] => block.unpack(row),
                _ => *row = Unpacked::ZERO,
            }
        }
    }

    /// `N` blocks of all rows, from block `start` on; `None` if a row has less.
    #[inline]
    pub fn whole<B: Block, const N: usize>(&self, start: usize) -> Option<[&'a [B; N]; PANEL_ROWS]> {
        let first = self.blocks(0, start, N).try_into().ok()?;
        let mut rows = [first; PANEL_ROWS];
        for (r, row) in rows.iter_mut().enumerate() {
            *row = self.blocks(r, start, N).try_into().ok()?;
        }
        Some(rows)
    }

    /// The same with zeros in place of blocks that are missing. It is called for the last rows and the last blocks only.
    #[cold]
    pub fn filled<B: Block, const N: usize>(&self, start: usize) -> [[B; N]; PANEL_ROWS] {
        let mut rows = [[B::zeroed(); N]; PANEL_ROWS];
        for (r, row) in rows.iter_mut().enumerate() {
            let blocks = self.blocks(r, start, N);
            row[..blocks.len()].copy_from_slice(blocks);
        }
        rows
    }
}

/// Work space of one thread for products: a panel, and the sums of a batch.
pub struct Panel {
    pub(crate) groups: Box<[PanelGroup]>,
    pub(crate) sums: Box<[[f32; PANEL_ROWS]]>,
}

impl Panel {
    /// Work space for batches of up to `batch` activation vectors.
    pub fn new(batch: usize) -> Panel {
        Panel {
            groups: vec![PanelGroup::ZERO; SLAB].into_boxed_slice(),
            sums: vec![[0.0; PANEL_ROWS]; batch].into_boxed_slice(),
        }
    }

    /// Bytes that [`Panel::new`] allocates.
    pub const fn bytes(batch: usize) -> usize {
        SLAB * size_of::<PanelGroup>() + batch * size_of::<[f32; PANEL_ROWS]>()
    }
}

/// Activation vectors of `cols` values each, quantized, in tiles of [`TILE`].
///
/// Tiles follow each other. Within a tile of `w` vectors, group `g` of vector `v` is the element `g * w + v`: the multiplication meets the
/// groups in the order in which they lie.
#[derive(Clone, Copy, Debug)]
pub struct Tiles<'a> {
    groups: &'a [ActGroup],
    cols: usize,
}

impl<'a> Tiles<'a> {
    /// Tiles over groups that [`Kernels::quantize_tile`](crate::Kernels::quantize_tile) filled, tile by tile.
    ///
    /// # Panics
    ///
    /// If `cols` is 0 or the groups are no whole number of vectors.
    pub fn new(groups: &'a [ActGroup], cols: usize) -> Self {
        assert!(
            cols > 0 && groups.len().is_multiple_of(ActGroup::count(cols)),
            "{} groups for vectors of {cols} values",
            groups.len()
        );
        Tiles { groups, cols }
    }

    /// Values of a vector.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// Vectors.
    pub fn batch(&self) -> usize {
        self.groups.len() / ActGroup::count(self.cols)
    }

    /// Groups `first..first + count` of the `width` vectors of tile `tile`.
    pub(crate) fn part(&self, tile: usize, width: usize, first: usize, count: usize) -> &'a [ActGroup] {
        let start = tile * TILE * ActGroup::count(self.cols);
        &self.groups[start + first * width..][..count * width]
    }
}

/// The part of 32 values that 16 values with index `sixteenth` belong to.
pub(crate) const fn part_of(sixteenth: usize) -> usize {
    sixteenth / (SCALE_LEN / 16)
}
