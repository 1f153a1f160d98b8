//! The functions chosen for one instruction set, behind a safe interface: what is done with weights and activations here, what is done with
//! rows of keys and values in `cached.rs`, with floats alone in `floats.rs`, and the choice in `table.rs`, the only file that names a format and an instruction set together.

mod cached;
mod floats;
mod table;

use crate::activation::{ActGroup, Column};
use crate::block::Format;
use crate::generic::Level;
use crate::isa::{Isa, IsaError};
use crate::panel::{PANEL_ROWS, Panel, PanelGroup, Source, TILE, Tiles, slab};

/// `out[r] = rows[r] . x`: rows of one format, bytes and lengths already checked against each other.
type DotRows = unsafe fn(rows: &[u8], x: Column<'_>, out: &mut [f32]);
/// Up to 16 rows into a panel.
type Unpack = unsafe fn(source: Source<'_>, panel: &mut [PanelGroup]);
/// `sums[v][r] += panel[r] . tile[v]`: a panel and as many groups of each vector of a tile.
type Multiply = unsafe fn(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]);
/// Asks for the cache lines of some bytes.
type Prefetch = unsafe fn(bytes: &[u8]);
/// Floats to groups.
type Quantize = unsafe fn(x: &[f32], groups: &mut [ActGroup]);
/// `out += weights[r] * rows[r]`.
type AddRows = unsafe fn(rows: &[u8], weights: &[f32], out: &mut [f32]);
/// Floats to F16 bytes.
type Narrow = unsafe fn(x: &[f32], out: &mut [u8]);
/// F16 bytes to floats.
type Widen = unsafe fn(x: &[u8], out: &mut [f32]);

/// How a format meets many columns: its unpacking, and the multiplication that reads what that wrote.
#[derive(Clone, Copy)]
struct Product {
    unpack: Unpack,
    multiply: Multiply,
}

/// The arithmetic of one instruction set: a table of functions, built only on a CPU that has it.
///
/// Small enough to copy; results of one instruction set are the same bits for any split of rows among calls.
#[derive(Clone, Copy)]
pub struct Kernels {
    isa: Isa,
    level: Level,
    dot: [DotRows; Format::ALL.len()],
    /// None for float formats.
    product: [Option<Product>; Format::ALL.len()],
    prefetch: Prefetch,
    quantize: Quantize,
    add_rows_f16: AddRows,
    narrow_f16: Narrow,
    widen_f16: Widen,
}

impl std::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernels").field("isa", &self.isa).finish_non_exhaustive()
    }
}

impl Kernels {
    /// The kernels of an instruction set.
    ///
    /// # Errors
    ///
    /// [`IsaError::Missing`] if this CPU lacks it.
    pub fn new(isa: Isa) -> Result<Kernels, IsaError> {
        if !isa.is_available() {
            return Err(IsaError::Missing(isa));
        }
        let kernels = Kernels::scalar(isa);
        Ok(match isa {
            Isa::Scalar => kernels,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => kernels.with_avx2(),
            #[cfg(target_arch = "x86_64")]
            Isa::AvxVnni => kernels.with_avx2().with_avx_vnni(),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => kernels.with_avx2().with_avx512_vnni(),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => kernels.with_neon(),
            #[cfg(target_arch = "aarch64")]
            Isa::Dotprod => kernels.with_neon().with_dotprod(),
            #[cfg(target_arch = "aarch64")]
            Isa::I8mm => kernels.with_neon().with_dotprod().with_i8mm(),
            #[allow(unreachable_patterns)]
            _ => kernels,
        })
    }

    /// The kernels of the fastest instruction set that this CPU has.
    pub fn best() -> Kernels {
        Kernels::new(Isa::best()).unwrap_or_else(|_| Kernels::scalar(Isa::Scalar))
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Quantizes an activation vector into its groups; the same bits on every instruction set.
    ///
    /// # Panics
    ///
    /// If `groups` does not hold [`ActGroup::count`]`(x.len())` groups.
    pub fn quantize(&self, x: &[f32], groups: &mut [ActGroup]) {
        assert_eq!(groups.len(), ActGroup::count(x.len()), "groups of {} values", x.len());
        // SAFETY: `new` put the function here after it found its instruction set; see the crate's safety section.
        unsafe { (self.quantize)(x, groups) }
    }

    /// `out[r] = rows[r] . x`: weight rows, `out.len()` rows x `x.cols()` columns, times one activation column.
    ///
    /// # Panics
    ///
    /// If `rows` is not exactly that many bytes of `format`, or a block format gets a column without its groups.
    pub fn dot_rows(&self, format: Format, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
        let expected = format.row_bytes(x.cols()).and_then(|bytes| bytes.checked_mul(out.len()));
        assert_eq!(
            Some(rows.len()),
            expected,
            "{} rows x {} columns of {}",
            out.len(),
            x.cols(),
            format.name()
        );
        assert!(
            format.is_float() || x.groups.len() == ActGroup::count(x.cols()),
            "groups of {} values",
            x.cols()
        );
        if rows.is_empty() {
            return out.fill(0.0);
        }
        // SAFETY: as in `quantize`.
        unsafe { (self.dot[format as usize])(rows, x, out) }
    }

    /// Quantizes the vectors of one tile, `x.len() / cols` of them, at most [`TILE`], for [`Tiles`].
    ///
    /// # Panics
    ///
    /// If `x` is no whole number of vectors, or `groups` does not hold [`ActGroup::count`]`(cols)` groups for each.
    pub fn quantize_tile(&self, x: &[f32], cols: usize, groups: &mut [ActGroup]) {
        let (width, per_vector) = (x.len() / cols, ActGroup::count(cols));
        assert!(
            width <= TILE && x.len() == width * cols,
            "a tile of {} values in vectors of {cols}",
            x.len()
        );
        assert_eq!(groups.len(), width * per_vector, "groups of {width} vectors of {cols} values");
        for (vector, x) in x.chunks_exact(cols).enumerate() {
            for (i, x) in x.chunks(ActGroup::LEN).enumerate() {
                self.quantize(x, &mut groups[i * width + vector..][..1]);
            }
        }
    }

    /// The product of up to [`PANEL_ROWS`] weight rows and a batch of activation vectors: `done(v, sums)` is called once for each vector `v`, in
    /// order, with its sums, a row each (those past the last row mean nothing). Many times faster for a batch than [`Kernels::dot_rows`] for each
    /// vector, from about four vectors on. A vector's sums do not depend on the batch that it is part of.
    ///
    /// `next` is what will probably be multiplied next, in this or another call; it is fetched from memory meanwhile.
    ///
    /// # Panics
    ///
    /// If `rows` is no whole number of rows or more than [`PANEL_ROWS`], the batch is larger than the one that `panel` was made for,
    /// or the format is a float format.
    pub fn multiply(
        &self,
        format: Format,
        rows: &[u8],
        next: &[u8],
        x: Tiles<'_>,
        panel: &mut Panel,
        mut done: impl FnMut(usize, &[f32; PANEL_ROWS]),
    ) {
        let (name, cols) = (format.name(), x.cols());
        let row_bytes = format.row_bytes(cols).unwrap_or_else(|| panic!("{cols} columns of {name}"));
        assert!(
            rows.len().is_multiple_of(row_bytes) && rows.len() <= PANEL_ROWS * row_bytes,
            "{} bytes in rows of {row_bytes}",
            rows.len()
        );
        let product = self.product[format as usize].unwrap_or_else(|| panic!("panels of {name}"));
        let sums = &mut panel.sums[..x.batch()];
        sums.fill([0.0; PANEL_ROWS]);
        let (groups, tiles) = (ActGroup::count(cols), sums.len().div_ceil(TILE));
        let slab = slab(tiles);
        let mut pieces = next.chunks(next.len().div_ceil((1 + tiles) * groups.div_ceil(slab)).max(1));
        // SAFETY: as in `quantize`.
        let mut prefetch = || unsafe { (self.prefetch)(pieces.next().unwrap_or_default()) };
        for first in (0..groups).step_by(slab) {
            let panel = &mut panel.groups[..slab.min(groups - first)];
            prefetch();
            // SAFETY: as in `quantize`.
            unsafe { (product.unpack)(Source { rows, row_bytes, first }, panel) };
            for (tile, sums) in sums.chunks_mut(TILE).enumerate() {
                let x = x.part(tile, sums.len(), first, panel.len());
                prefetch();
                // SAFETY: as in `quantize`.
                unsafe { (product.multiply)(panel, x, sums) };
                if first + panel.len() == groups {
                    // Now, so that the stores of results run beside the next tile.
                    sums.iter().enumerate().for_each(|(i, sums)| done(tile * TILE + i, sums));
                }
            }
        }
    }
}
