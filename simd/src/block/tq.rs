//! TQ1_0 and TQ2_0: ternary weights, `w = d * (q - 1)`.

use super::{Block, Format, QuantBlock, Unpacked, f16_to_f32};

/// TQ1_0: 256 weights in 54 bytes, five of them to a byte.
///
/// A byte is a fraction of 256 whose first five digits to base three are quants: multiplied with `3^n` modulo 256, its first digit is quant
/// `n`, which is what a multiplication with 3 carries out of the byte.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockTQ1 {
    /// 240 quants: digit `n` of byte `i < 32` is weight `32 n + i`, that of byte `32 + i` weight `160 + 16 n + i`.
    pub qs: [u8; 48],
    /// The last 16: digit `n` of byte `i` is weight `240 + 4 n + i`.
    pub qh: [u8; 4],
    /// Scale, f16.
    pub d: [u8; 2],
}

// SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockTQ1 {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockTQ1 {}

/// TQ2_0: 256 weights in 66 bytes, four of them to a byte.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockTQ2 {
    /// Quants 0..3, in the order of Q2_K.
    pub qs: [u8; 64],
    /// Scale, f16.
    pub d: [u8; 2],
}

// SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockTQ2 {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockTQ2 {}

/// Digits of some bytes, less 1: digit `n` of byte `i` at `n * bytes.len() + i`.
#[inline(always)]
fn digits<const N: usize>(bytes: &[u8; N], out: &mut [i8]) {
    let mut rest = *bytes;
    for out in out.chunks_exact_mut(N) {
        for (byte, out) in rest.iter_mut().zip(out) {
            let times3 = u16::from(*byte) * 3;
            *out = (times3 >> 8) as i8 - 1;
            *byte = times3 as u8;
        }
    }
}

impl BlockTQ1 {
    #[inline(always)]
    fn quants(&self, out: &mut [i8; 256]) {
        let (many, few) = self.qs.split_at(32);
        digits::<32>(many.try_into().unwrap_or(&[0; 32]), &mut out[..160]);
        digits::<16>(few.try_into().unwrap_or(&[0; 16]), &mut out[160..240]);
        digits(&self.qh, &mut out[240..]);
    }
}

/// Writes `d * q`.
fn scale(d: [u8; 2], q: &[i8; 256], out: &mut [f32]) {
    let d = f16_to_f32(d);
    out.iter_mut().zip(q).for_each(|(out, &q)| *out = d * f32::from(q));
}

impl Block for BlockTQ1 {
    const FORMAT: Format = Format::TQ1_0;
    const LEN: usize = 256;

    fn decode(&self, out: &mut [f32]) {
        let mut q = [0; 256];
        self.quants(&mut q);
        scale(self.d, &q, out);
    }
}

impl QuantBlock for BlockTQ1 {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        self.quants(&mut out.q);
        out.scale = [f16_to_f32(self.d); 16];
        out.offset = [0.0; 16];
    }
}

impl BlockTQ2 {
    #[inline(always)]
    fn quants(&self, out: &mut [i8; 256]) {
        for (half, out) in self.qs.chunks_exact(32).zip(out.chunks_exact_mut(128)) {
            for (pair, out) in out.chunks_exact_mut(32).enumerate() {
                for (byte, out) in half.iter().zip(out) {
                    *out = (byte >> (2 * pair) & 3) as i8 - 1;
                }
            }
        }
    }
}

impl Block for BlockTQ2 {
    const FORMAT: Format = Format::TQ2_0;
    const LEN: usize = 256;

    fn decode(&self, out: &mut [f32]) {
        let mut q = [0; 256];
        self.quants(&mut q);
        scale(self.d, &q, out);
    }
}

impl QuantBlock for BlockTQ2 {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        self.quants(&mut out.q);
        out.scale = [f16_to_f32(self.d); 16];
        out.offset = [0.0; 16];
    }
}
