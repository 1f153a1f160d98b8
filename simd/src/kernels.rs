//! The functions chosen for one instruction set, behind a safe interface. The only file that names a format and an instruction set together.

use crate::activation::{ActGroup, Column};
use crate::arch::scalar;
use crate::block::*;
use crate::generic::{
    Accumulate, Add, AddRows32, AddScaled, LANES, Level, RmsNorm, RotateHalves, RotatePairs, ScaleColumns,
    SiluMul, Softmax, SoftmaxTile,
};
use crate::isa::{Isa, IsaError};
use crate::panel::{PANEL_ROWS, Panel, PanelGroup, SLAB, Source, TILE, Tiles};

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

    /// Portable functions for every format; `isa` decides only the vector width of the float operations.
    fn scalar(isa: Isa) -> Kernels {
        let mut kernels = Kernels {
            isa,
            level: Level::new(isa),
            dot: [scalar::dot_float::<BlockF32>; Format::ALL.len()],
            product: [None; Format::ALL.len()],
            prefetch: scalar::prefetch,
            quantize: scalar::quantize,
            add_rows_f16: scalar::add_rows_f16,
            narrow_f16: scalar::narrow_f16,
            widen_f16: scalar::widen_f16,
        };
        kernels.dot[Format::F16 as usize] = scalar::dot_float::<BlockF16>;
        kernels.dot[Format::BF16 as usize] = scalar::dot_float::<BlockBf16>;
        kernels.scalar_blocks::<BlockQ4_0>();
        kernels.scalar_blocks::<BlockQ4_1>();
        kernels.scalar_blocks::<BlockQ5_0>();
        kernels.scalar_blocks::<BlockQ5_1>();
        kernels.scalar_blocks::<BlockQ8_0>();
        kernels.scalar_blocks::<BlockQ2K>();
        kernels.scalar_blocks::<BlockQ3K>();
        kernels.scalar_blocks::<BlockQ4K>();
        kernels.scalar_blocks::<BlockQ5K>();
        kernels.scalar_blocks::<BlockQ6K>();
        kernels
    }

    fn scalar_blocks<B: QuantBlock>(&mut self) {
        self.dot[B::FORMAT as usize] = scalar::dot_quant::<B>;
        self.product[B::FORMAT as usize] =
            Some(Product { unpack: scalar::unpack::<B>, multiply: scalar::multiply });
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
        let mut pieces = next.chunks(next.len().div_ceil(tiles * groups.div_ceil(SLAB)).max(1));
        for first in (0..groups).step_by(SLAB) {
            let panel = &mut panel.groups[..SLAB.min(groups - first)];
            // SAFETY: as in `quantize`.
            unsafe { (product.unpack)(Source { rows, row_bytes, first }, panel) };
            for (tile, sums) in sums.chunks_mut(TILE).enumerate() {
                let x = x.part(tile, sums.len(), first, panel.len());
                // SAFETY: as in `quantize`.
                unsafe { (self.prefetch)(pieces.next().unwrap_or_default()) };
                // SAFETY: as in `quantize`.
                unsafe { (product.multiply)(panel, x, sums) };
                if first + panel.len() == groups {
                    // Now, so that the stores of results run beside the next tile.
                    sums.iter().enumerate().for_each(|(i, sums)| done(tile * TILE + i, sums));
                }
            }
        }
    }

    /// `out[i] += sum_r weights[r] * rows[r][i]`: rows of F32 or F16, `weights.len()` rows x `out.len()` columns.
    ///
    /// # Panics
    ///
    /// If `rows` is not exactly that many bytes, or `format` is another.
    pub fn add_rows(&self, format: Format, rows: &[u8], weights: &[f32], out: &mut [f32]) {
        let expected = format.row_bytes(out.len()).and_then(|bytes| bytes.checked_mul(weights.len()));
        assert_eq!(Some(rows.len()), expected, "{} rows x {} columns", weights.len(), out.len());
        if rows.is_empty() {
            return;
        }
        match format {
            Format::F32 => self.level.run(AddRows32 { rows, weights, out }),
            // SAFETY: as in `quantize`.
            Format::F16 => unsafe { (self.add_rows_f16)(rows, weights, out) },
            other => panic!("sums of {} rows", other.name()),
        }
    }

    /// Narrows floats to F16 bytes, to nearest, ties to even.
    ///
    /// # Panics
    ///
    /// If `out` does not hold two bytes a value.
    pub fn narrow_f16(&self, x: &[f32], out: &mut [u8]) {
        assert_eq!(out.len(), x.len() * 2, "bytes of {} values", x.len());
        // SAFETY: as in `quantize`.
        unsafe { (self.narrow_f16)(x, out) }
    }

    /// `out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]`.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn rms_norm(&self, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
        assert!(x.len() == weight.len() && x.len() == out.len(), "norm of {} values", x.len());
        self.level.run(RmsNorm { x, weight, eps, out });
    }

    /// Softmax in place: `x[i] = e^x[i] / sum_j e^x[j]`. The result is the largest value `max` and `sum_j e^(x[j] - max)`, with which
    /// softmaxes of parts can be put together; negative infinity and 0 if there are no values.
    pub fn softmax(&self, x: &mut [f32]) -> (f32, f32) {
        if x.is_empty() { (f32::NEG_INFINITY, 0.0) } else { self.level.run(Softmax(x)) }
    }

    /// Floats of rows of F32 or F16.
    ///
    /// # Panics
    ///
    /// If `bytes` does not hold exactly `out.len()` values, or `format` is another.
    pub fn widen(&self, format: Format, bytes: &[u8], out: &mut [f32]) {
        assert_eq!(Some(bytes.len()), format.row_bytes(out.len()), "bytes of {} values", out.len());
        match format {
            Format::F32 => format.decode(bytes, out),
            // SAFETY: as in `quantize`.
            Format::F16 => unsafe { (self.widen_f16)(bytes, out) },
            other => panic!("widening of {}", other.name()),
        }
    }

    /// `c[i][j] += sum_l a[i][l] * b[l][j]`: `a` is `i x l`, `b` is `l x LANES`, `c` is `i x LANES`.
    ///
    /// # Panics
    ///
    /// If the sizes do not fit.
    pub fn accumulate(&self, a: &[f32], b: &[f32], c: &mut [f32]) {
        let (rows, count) = (c.len() / LANES, b.len() / LANES);
        assert!(c.len() == rows * LANES && b.len() == count * LANES, "matrices of {LANES} columns");
        assert_eq!(a.len(), rows * count, "values of {rows} x {count}");
        self.level.run(Accumulate { a, row: count, column: 1, b, c });
    }

    /// `c[i][j] += sum_l a[l][i] * b[l][j]`: `a` is `l x i`, `b` is `l x LANES`, `c` is `i x LANES`.
    ///
    /// # Panics
    ///
    /// If the sizes do not fit.
    pub fn accumulate_transposed(&self, a: &[f32], b: &[f32], c: &mut [f32]) {
        let (rows, count) = (c.len() / LANES, b.len() / LANES);
        assert!(c.len() == rows * LANES && b.len() == count * LANES, "matrices of {LANES} columns");
        assert_eq!(a.len(), rows * count, "values of {count} x {rows}");
        self.level.run(Accumulate { a, row: 1, column: rows, b, c });
    }

    /// One step of an online softmax over scores `rows x LANES`, each lane by itself: scores become `e^(score - max)`, where `max` is the
    /// largest so far; `sum` grows by them; `scale` is what `sum` was, and results so far have to be, multiplied with, because `max` grew.
    ///
    /// # Panics
    ///
    /// If `scores` is no whole number of rows.
    pub fn softmax_tile(
        &self,
        scores: &mut [f32],
        max: &mut [f32; LANES],
        sum: &mut [f32; LANES],
        scale: &mut [f32; LANES],
    ) {
        assert!(scores.len().is_multiple_of(LANES), "{} scores in rows of {LANES}", scores.len());
        self.level.run(SoftmaxTile { scores, max, sum, scale });
    }

    /// `x[i][j] *= scale[j]`: `x` is `rows x LANES`.
    ///
    /// # Panics
    ///
    /// If `x` is no whole number of rows.
    pub fn scale_columns(&self, x: &mut [f32], scale: &[f32; LANES]) {
        assert!(x.len().is_multiple_of(LANES), "{} values in rows of {LANES}", x.len());
        self.level.run(ScaleColumns { x, scale });
    }

    /// `gate[i] = silu(gate[i]) * up[i]`.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn silu_mul(&self, gate: &mut [f32], up: &[f32]) {
        assert_eq!(gate.len(), up.len(), "gate and up");
        self.level.run(SiluMul { gate, up });
    }

    /// `x[i] += y[i]`.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn add(&self, x: &mut [f32], y: &[f32]) {
        assert_eq!(x.len(), y.len(), "vectors to add");
        self.level.run(Add { x, y });
    }

    /// `x[i] += weight * y[i]`.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn add_scaled(&self, x: &mut [f32], weight: f32, y: &[f32]) {
        assert_eq!(x.len(), y.len(), "vectors to add");
        self.level.run(AddScaled { x, weight, y });
    }

    /// Rotary embedding of neighbouring pairs: `(x[2i], x[2i + 1])` turned by the angle with `cos[i]`, `sin[i]`. Values past
    /// `2 * cos.len()` are left alone.
    ///
    /// # Panics
    ///
    /// If the table is longer than half the head.
    pub fn rotate_pairs(&self, head: &mut [f32], cos: &[f32], sin: &[f32]) {
        assert!(cos.len() == sin.len() && cos.len() * 2 <= head.len(), "rope table of {} angles", cos.len());
        self.level.run(RotatePairs { head, cos, sin });
    }

    /// Rotary embedding of halves: `(x[i], x[i + cos.len()])` turned by the angle with `cos[i]`, `sin[i]`. Values past
    /// `2 * cos.len()` are left alone.
    ///
    /// # Panics
    ///
    /// If the table is longer than half the head.
    pub fn rotate_halves(&self, head: &mut [f32], cos: &[f32], sin: &[f32]) {
        assert!(cos.len() == sin.len() && cos.len() * 2 <= head.len(), "rope table of {} angles", cos.len());
        self.level.run(RotateHalves { head, cos, sin });
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
impl Kernels {
    /// Replaces the dot products of some formats.
    fn with_dots<const N: usize>(mut self, dots: [(Format, DotRows); N]) -> Kernels {
        for (format, dot) in dots {
            self.dot[format as usize] = dot;
        }
        self
    }

    /// Replaces the unpacking and the multiplication of some formats.
    fn with_products<const N: usize>(mut self, products: [(Format, Unpack, Multiply); N]) -> Kernels {
        for (format, unpack, multiply) in products {
            self.product[format as usize] = Some(Product { unpack, multiply });
        }
        self
    }
}

#[cfg(target_arch = "x86_64")]
impl Kernels {
    /// Replaces what AVX2, FMA and F16C do better.
    fn with_avx2(self) -> Kernels {
        use crate::arch::x86_64::avx2;
        let kernels = self.with_dots([
            (Format::F32, avx2::dot_rows_f32 as DotRows),
            (Format::F16, avx2::dot_rows_f16),
            (Format::BF16, avx2::dot_rows_bf16),
            (Format::Q4_0, avx2::dot_rows_q4_0),
            (Format::Q4_1, avx2::dot_rows_q4_1),
            (Format::Q5_0, avx2::dot_rows_q5_0),
            (Format::Q5_1, avx2::dot_rows_q5_1),
            (Format::Q8_0, avx2::dot_rows_q8_0),
            (Format::Q2_K, avx2::dot_rows_q2_k),
            (Format::Q3_K, avx2::dot_rows_q3_k),
            (Format::Q4_K, avx2::dot_rows_q4_k),
            (Format::Q5_K, avx2::dot_rows_q5_k),
            (Format::Q6_K, avx2::dot_rows_q6_k),
        ]);
        let kernels = kernels.with_products([
            (Format::Q4_0, avx2::unpack_q4_0 as Unpack, avx2::multiply_4bit as Multiply),
            (Format::Q4_1, avx2::unpack_q4_1, avx2::multiply_4bit),
            (Format::Q5_0, avx2::unpack_q5_0, avx2::multiply_5bit),
            (Format::Q5_1, avx2::unpack_q5_1, avx2::multiply_5bit),
            (Format::Q8_0, avx2::unpack_q8_0, avx2::multiply_8bit),
            (Format::Q2_K, avx2::unpack_q2_k, avx2::multiply_2bit),
            (Format::Q3_K, avx2::unpack_q3_k, avx2::multiply_3bit),
            (Format::Q4_K, avx2::unpack_q4_k, avx2::multiply_4bit),
            (Format::Q5_K, avx2::unpack_q5_k, avx2::multiply_5bit),
            (Format::Q6_K, avx2::unpack_q6_k, avx2::multiply_6bit),
        ]);
        Kernels {
            prefetch: avx2::prefetch,
            quantize: avx2::quantize,
            add_rows_f16: avx2::add_rows_f16,
            narrow_f16: avx2::narrow_f16,
            widen_f16: avx2::widen_f16,
            ..kernels
        }
    }

    /// Replaces what AVX-VNNI does better than AVX2.
    fn with_avx_vnni(self) -> Kernels {
        use crate::arch::x86_64::avx_vnni::*;
        self.with_dots([
            (Format::Q4_0, dot_rows_q4_0 as DotRows),
            (Format::Q4_1, dot_rows_q4_1),
            (Format::Q5_0, dot_rows_q5_0),
            (Format::Q5_1, dot_rows_q5_1),
            (Format::Q8_0, dot_rows_q8_0),
            (Format::Q2_K, dot_rows_q2_k),
            (Format::Q3_K, dot_rows_q3_k),
            (Format::Q4_K, dot_rows_q4_k),
            (Format::Q5_K, dot_rows_q5_k),
            (Format::Q6_K, dot_rows_q6_k),
        ])
        .with_products([
            (Format::Q4_0, unpack_q4_0 as Unpack, multiply_scales32 as Multiply),
            (Format::Q4_1, unpack_q4_1, multiply_offsets32),
            (Format::Q5_0, unpack_q5_0, multiply_scales32),
            (Format::Q5_1, unpack_q5_1, multiply_offsets32),
            (Format::Q8_0, unpack_q8_0, multiply_scales32),
            (Format::Q2_K, unpack_q2_k, multiply_offsets16),
            (Format::Q3_K, unpack_q3_k, multiply_scales16),
            (Format::Q4_K, unpack_q4_k, multiply_offsets32),
            (Format::Q5_K, unpack_q5_k, multiply_offsets32),
            (Format::Q6_K, unpack_q6_k, multiply_scales16),
        ])
    }

    /// Replaces what AVX-512 with VNNI does better than AVX2.
    fn with_avx512_vnni(self) -> Kernels {
        use crate::arch::x86_64::avx512_vnni::*;
        self.with_dots([
            (Format::Q4_0, dot_rows_q4_0 as DotRows),
            (Format::Q4_1, dot_rows_q4_1),
            (Format::Q5_0, dot_rows_q5_0),
            (Format::Q5_1, dot_rows_q5_1),
            (Format::Q8_0, dot_rows_q8_0),
            (Format::Q2_K, dot_rows_q2_k),
            (Format::Q3_K, dot_rows_q3_k),
            (Format::Q4_K, dot_rows_q4_k),
            (Format::Q5_K, dot_rows_q5_k),
            (Format::Q6_K, dot_rows_q6_k),
        ])
        .with_products([
            (Format::Q4_0, unpack_q4_0 as Unpack, multiply_scales32 as Multiply),
            (Format::Q4_1, unpack_q4_1, multiply_offsets32),
            (Format::Q5_0, unpack_q5_0, multiply_scales32),
            (Format::Q5_1, unpack_q5_1, multiply_offsets32),
            (Format::Q8_0, unpack_q8_0, multiply_scales32),
            (Format::Q2_K, unpack_q2_k, multiply_offsets16),
            (Format::Q3_K, unpack_q3_k, multiply_scales16),
            (Format::Q4_K, unpack_q4_k, multiply_offsets32),
            (Format::Q5_K, unpack_q5_k, multiply_offsets32),
            (Format::Q6_K, unpack_q6_k, multiply_scales16),
        ])
    }
}

#[cfg(target_arch = "aarch64")]
impl Kernels {
    /// Replaces what NEON does better.
    fn with_neon(self) -> Kernels {
        use crate::arch::aarch64::neon;
        let kernels = self.with_dots([
            (Format::F32, neon::f32::dot as DotRows),
            (Format::F16, neon::f16::dot),
            (Format::BF16, neon::bf16::dot),
            (Format::Q4_0, neon::q4_0),
            (Format::Q4_1, neon::q4_1),
            (Format::Q5_0, neon::q5_0),
            (Format::Q5_1, neon::q5_1),
            (Format::Q8_0, neon::q8_0),
            (Format::Q4_K, neon::q4_k),
            (Format::Q5_K, neon::q5_k),
            (Format::Q6_K, neon::q6_k),
        ]);
        let kernels = kernels.with_products([
            (Format::Q4_0, neon::unpack::q4_0 as Unpack, neon::multiply::<32, false> as Multiply),
            (Format::Q4_1, neon::unpack::q4_1, neon::multiply::<32, true>),
            (Format::Q5_0, neon::unpack::q5_0, neon::multiply::<32, false>),
            (Format::Q5_1, neon::unpack::q5_1, neon::multiply::<32, true>),
            (Format::Q8_0, neon::unpack::q8_0, neon::multiply_wide),
            (Format::Q4_K, neon::unpack::q4_k, neon::multiply::<32, true>),
            (Format::Q5_K, neon::unpack::q5_k, neon::multiply::<32, true>),
            (Format::Q6_K, neon::unpack::q6_k, neon::multiply::<16, false>),
        ]);
        Kernels {
            quantize: neon::quantize,
            add_rows_f16: neon::f16::add_rows,
            narrow_f16: neon::f16::narrow,
            widen_f16: neon::f16::widen,
            ..kernels
        }
    }

    /// Replaces what the dot product instructions do better than plain NEON.
    fn with_dotprod(self) -> Kernels {
        use crate::arch::aarch64::dotprod;
        self.with_dots([
            (Format::Q4_0, dotprod::q4_0 as DotRows),
            (Format::Q4_1, dotprod::q4_1),
            (Format::Q5_0, dotprod::q5_0),
            (Format::Q5_1, dotprod::q5_1),
            (Format::Q8_0, dotprod::q8_0),
            (Format::Q4_K, dotprod::q4_k),
            (Format::Q5_K, dotprod::q5_k),
            (Format::Q6_K, dotprod::q6_k),
        ])
        .with_products([
            (Format::Q4_0, dotprod::unpack::q4_0 as Unpack, dotprod::multiply::<32, false> as Multiply),
            (Format::Q4_1, dotprod::unpack::q4_1, dotprod::multiply::<32, true>),
            (Format::Q5_0, dotprod::unpack::q5_0, dotprod::multiply::<32, false>),
            (Format::Q5_1, dotprod::unpack::q5_1, dotprod::multiply::<32, true>),
            (Format::Q8_0, dotprod::unpack::q8_0, dotprod::multiply::<32, false>),
            (Format::Q4_K, dotprod::unpack::q4_k, dotprod::multiply::<32, true>),
            (Format::Q5_K, dotprod::unpack::q5_k, dotprod::multiply::<32, true>),
            (Format::Q6_K, dotprod::unpack::q6_k, dotprod::multiply::<16, false>),
        ])
    }

    /// Replaces what the int8 matrix multiplication instructions do better: products with many vectors.
    fn with_i8mm(self) -> Kernels {
        use crate::arch::aarch64::i8mm;
        self.with_products([
            (Format::Q4_0, i8mm::unpack::q4_0 as Unpack, i8mm::multiply::<32, false> as Multiply),
            (Format::Q4_1, i8mm::unpack::q4_1, i8mm::multiply::<32, true>),
            (Format::Q5_0, i8mm::unpack::q5_0, i8mm::multiply::<32, false>),
            (Format::Q5_1, i8mm::unpack::q5_1, i8mm::multiply::<32, true>),
            (Format::Q8_0, i8mm::unpack::q8_0, i8mm::multiply::<32, false>),
            (Format::Q4_K, i8mm::unpack::q4_k, i8mm::multiply::<32, true>),
            (Format::Q5_K, i8mm::unpack::q5_k, i8mm::multiply::<32, true>),
            (Format::Q6_K, i8mm::unpack::q6_k, i8mm::multiply::<16, false>),
        ])
    }
}
