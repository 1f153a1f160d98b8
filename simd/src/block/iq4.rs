//! IQ4_NL and IQ4_XS: nibbles that choose from sixteen values, which lie closer together near zero.

use super::{Block, Format, QuantBlock, Unpacked, f16_to_f32};

/// What a nibble means.
pub(crate) const IQ4_VALUES: [i8; 16] =
    [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// IQ4_NL: 32 weights in 18 bytes, `w = d * value[q]`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockIQ4NL {
    /// Scale, f16.
    pub d: [u8; 2],
    /// Quants 0..16: weight `i` in the low nibble of byte `i`, weight `i + 16` in its high nibble.
    pub qs: [u8; 16],
}

// SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockIQ4NL {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockIQ4NL {}

/// IQ4_XS: 256 weights in 136 bytes, `w = d * (scale[i / 32] - 32) * value[q]`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockIQ4XS {
    /// Scale of the scales, f16.
    pub d: [u8; 2],
    /// Upper bit pairs of the scales, that of scale 0 lowest.
    pub scales_h: [u8; 2],
    /// Low nibbles of the scales: scale `2 i` in the low nibble of byte `i`.
    pub scales_l: [u8; 4],
    /// Quants: 16 bytes for each 32 weights, as in IQ4_NL.
    pub qs: [u8; 128],
}

// SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockIQ4XS {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockIQ4XS {}

impl BlockIQ4XS {
    /// The eight scales, -32..32 each.
    #[inline(always)]
    pub(crate) fn scales(&self) -> [i8; 8] {
        let (low, high) = (u32::from_le_bytes(self.scales_l), u16::from_le_bytes(self.scales_h));
        std::array::from_fn(|i| (low >> (4 * i) & 15) as i8 + ((high >> (2 * i) & 3) as i8 * 16) - 32)
    }
}

/// The values of 16 bytes of nibbles: the low ones, then the high ones.
#[inline(always)]
fn values(qs: &[u8], out: &mut [i8]) {
    let (low, high) = out.split_at_mut(16);
    for ((q, low), high) in qs.iter().zip(low).zip(high) {
        (*low, *high) = (IQ4_VALUES[usize::from(q & 15)], IQ4_VALUES[usize::from(q >> 4)]);
    }
}

/// Writes `scale * value`.
fn decode(scale: f32, qs: &[u8], out: &mut [f32]) {
    let mut q = [0; 32];
    values(qs, &mut q);
    out.iter_mut().zip(q).for_each(|(out, q)| *out = scale * f32::from(q));
}

impl Block for BlockIQ4NL {
    const FORMAT: Format = Format::IQ4_NL;
    const LEN: usize = 32;

    fn decode(&self, out: &mut [f32]) {
        decode(f16_to_f32(self.d), &self.qs, out);
    }
}

impl QuantBlock for BlockIQ4NL {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        values(&self.qs, &mut out.q[..32]);
        out.set32(0, f16_to_f32(self.d), 0.0);
    }
}

impl Block for BlockIQ4XS {
    const FORMAT: Format = Format::IQ4_XS;
    const LEN: usize = 256;

    fn decode(&self, out: &mut [f32]) {
        let (d, parts) = (f16_to_f32(self.d), self.qs.chunks_exact(16));
        for ((scale, qs), out) in self.scales().into_iter().zip(parts).zip(out.chunks_exact_mut(32)) {
            decode(d * f32::from(scale), qs, out);
        }
    }
}

impl QuantBlock for BlockIQ4XS {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        let d = f16_to_f32(self.d);
        for (i, scale) in self.scales().into_iter().enumerate() {
            values(&self.qs[i * 16..][..16], &mut out.q[i * 32..][..32]);
            out.set32(i, d * f32::from(scale), 0.0);
        }
    }
}
