//! Activation vectors as the kernels read them: the floats themselves, and int8 groups with scales and sums.
//!
//! A weight row is multiplied with an activation column. Float formats read the floats; block formats read [`ActGroup`]s, so that
//! the products are exact integers. The offsets that block formats carry (the -8 of Q4_0, the minima of Q4_K) multiply a sum of
//! activations, which is the same for every row: it is stored beside the quants once.

/// Elements that share one activation scale.
pub const SCALE_LEN: usize = 32;

/// 256 activations, quantized: `x[i] ~ scale[i / 32] * q[i]`, with `q` in -127..=127.
///
/// The last group of a vector whose length is no multiple of 256 is filled up with zeros.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(32))]
pub struct ActGroup {
    /// Quantized values; never -128, so that products with int8 weights cannot overflow a pairwise i16 sum.
    pub q: [i8; 256],
    /// One scale per 32 values: the largest magnitude among them, divided by 127.
    pub scale: [f32; 8],
    /// `scale` times the sum of `q`, per 32 values.
    pub sum: [f32; 8],
    /// The sum of `q` per 16 values; at most 16 * 127 in magnitude.
    pub sum16: [i16; 16],
    /// -128 times the sum of `q`, per 32 values: what a product with weights raised by 128 has to start from.
    pub bias: [i32; 8],
    /// The same per 16 values.
    pub bias16: [i32; 16],
}

impl ActGroup {
    /// Values in a group.
    pub const LEN: usize = 256;

    /// A group of zeros.
    pub const ZERO: ActGroup = ActGroup {
        q: [0; 256],
        scale: [0.0; 8],
        sum: [0.0; 8],
        sum16: [0; 16],
        bias: [0; 8],
        bias16: [0; 16],
    };

    /// Groups that `cols` values take.
    pub const fn count(cols: usize) -> usize {
        cols.div_ceil(Self::LEN)
    }

    /// Quantizes one run of at most 32 values (fewer only at the end of a vector) into part `part` (0..8) of this group.
    ///
    /// Rounding is to nearest, ties to even, which is what every instruction set offers: all of them give the same bits.
    #[inline(always)]
    pub(crate) fn fill(&mut self, part: usize, x: &[f32]) {
        let peak = x.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let scale = peak / 127.0;
        let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
        let q = &mut self.q[part * SCALE_LEN..][..SCALE_LEN];
        q.fill(0);
        for (q, x) in q.iter_mut().zip(x) {
            *q = (x * inverse).round_ties_even().clamp(-127.0, 127.0) as i8;
        }
        self.finish(part, scale);
    }

    /// Sets the scale and the sums of part `part` (0..8) from its quants.
    #[inline(always)]
    pub(crate) fn finish(&mut self, part: usize, scale: f32) {
        let q = &self.q[part * SCALE_LEN..][..SCALE_LEN];
        let sum = |q: &[i8]| q.iter().map(|&q| i16::from(q)).sum::<i16>();
        let (low, high) = (sum(&q[..16]), sum(&q[16..]));
        self.set_sums(part, scale, low, high);
    }

    /// Sets the scale of part `part` (0..8), and all that follows from the sums of its two halves.
    #[inline(always)]
    pub(crate) fn set_sums(&mut self, part: usize, scale: f32, low: i16, high: i16) {
        self.scale[part] = scale;
        self.sum[part] = scale * f32::from(low + high);
        self.bias[part] = -128 * i32::from(low + high);
        for (i, sum) in [low, high].into_iter().enumerate() {
            self.sum16[part * 2 + i] = sum;
            self.bias16[part * 2 + i] = -128 * i32::from(sum);
        }
    }
}

/// One activation vector of `cols` values, in both forms.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// The values, `cols` of them.
    pub x: &'a [f32],
    /// The same values quantized: [`ActGroup::count`]`(cols)` groups, or none when only float formats will read this column.
    pub groups: &'a [ActGroup],
}

impl<'a> Column<'a> {
    /// A column from its values and their groups (see [`Kernels::quantize`](crate::Kernels::quantize)).
    pub fn new(x: &'a [f32], groups: &'a [ActGroup]) -> Self {
        Column { x, groups }
    }

    /// A column that only float formats can read.
    pub fn floats(x: &'a [f32]) -> Self {
        Column { x, groups: &[] }
    }

    /// The number of values.
    pub fn cols(&self) -> usize {
        self.x.len()
    }
}
