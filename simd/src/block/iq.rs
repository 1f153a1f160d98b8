//! IQ1, IQ2 and IQ3: weights are points of a lattice, chosen by index, with a sign for each coordinate and a scale for a few points.
//!
//! Every format has 256 weights to a block, in eight parts of 32. A point is eight weights, or two points of four coordinates are.

use super::lattice::*;
use super::{Block, Format, QuantBlock, Unpacked, f16_to_f32};

/// Declares the block of a format, and decoding in terms of unpacking: with one scale to a weight and no offset, both are the same numbers.
macro_rules! lattice_block {
    ($(#[$about:meta])* $name:ident, $format:ident { $($(#[$doc:meta])* $field:ident: $len:expr,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy)]
        #[repr(C)]
        pub struct $name {
            $($(#[$doc])* pub $field: [u8; $len],)*
        }

        // SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
        unsafe impl bytemuck::Zeroable for $name {}
        // SAFETY: as above.
        unsafe impl bytemuck::Pod for $name {}

        impl Block for $name {
            const FORMAT: Format = Format::$format;
            const LEN: usize = 256;

            fn decode(&self, out: &mut [f32]) {
                let mut unpacked = Unpacked::ZERO;
                self.unpack(&mut unpacked);
                for (i, (out, q)) in out.iter_mut().zip(unpacked.q).enumerate() {
                    *out = unpacked.scale[i / 16] * f32::from(q);
                }
            }
        }
    };
}

lattice_block! {
    /// IQ2_XXS: 66 bytes, `w = d * (0.5 + scale) / 4 * sign * point`.
    BlockIQ2XXS, IQ2_XXS {
        /// Scale of the scales, f16.
        d: 2,
        /// For each part four indices of a byte, then four signs of 7 bits (from the lowest up) and a scale of 4.
        qs: 64,
    }
}

lattice_block! {
    /// IQ2_XS: 74 bytes, with a scale per 16 weights.
    BlockIQ2XS, IQ2_XS {
        /// Scale of the scales, f16.
        d: 2,
        /// For each point an index of 9 bits and signs of 7, as one little-endian number.
        qs: 64,
        /// Scales of 4 bits, the first of a part in the low nibble.
        scales: 8,
    }
}

lattice_block! {
    /// IQ2_S: 82 bytes, with a scale per 16 weights.
    BlockIQ2S, IQ2_S {
        /// Scale of the scales, f16.
        d: 2,
        /// Low bytes of the indices.
        qs: 32,
        /// Signs, a byte for each point.
        signs: 32,
        /// Upper bit pairs of the indices, a byte for each part.
        qh: 8,
        /// Scales of 4 bits, the first of a part in the low nibble.
        scales: 8,
    }
}

lattice_block! {
    /// IQ3_XXS: 98 bytes, `w = d * (0.5 + scale) / 2 * sign * point`.
    BlockIQ3XXS, IQ3_XXS {
        /// Scale of the scales, f16.
        d: 2,
        /// Indices: eight for each part, two for eight weights.
        qs: 64,
        /// For each part four signs of 7 bits (from the lowest up) and a scale of 4.
        signs: 32,
    }
}

lattice_block! {
    /// IQ3_S: 110 bytes, `w = d * (1 + 2 scale) * sign * point`.
    BlockIQ3S, IQ3_S {
        /// Scale of the scales, f16.
        d: 2,
        /// Low bytes of the indices: eight for each part, two for eight weights.
        qs: 64,
        /// Upper bits of the indices, a byte for each part.
        qh: 8,
        /// Signs, a byte for eight weights.
        signs: 32,
        /// Scales of 4 bits, the first of two parts in the low nibble.
        scales: 4,
    }
}

lattice_block! {
    /// IQ1_S: 50 bytes, `w = d * (1 + 2 scale) * (point ± 1/8)`.
    BlockIQ1S, IQ1_S {
        /// Scale of the scales, f16.
        d: 2,
        /// Low bytes of the indices.
        qs: 32,
        /// For each part, as a little-endian number: four upper index parts of 3 bits, a scale of 3, and the sign of the eighth.
        qh: 16,
    }
}

lattice_block! {
    /// IQ1_M: 56 bytes, as IQ1_S with a scale per 16 weights and the sign of the eighth per point.
    BlockIQ1M, IQ1_M {
        /// Low bytes of the indices.
        qs: 32,
        /// For each point 3 upper bits of the index and the sign of the eighth; the first of two in the low nibble.
        qh: 16,
        /// Four little-endian numbers: each has four scales of 3 bits, and in its upper nibble a quarter of `d`, f16.
        scales: 8,
    }
}

/// Signs of eight weights from seven bits: the eighth makes the number of minus signs even.
#[inline(always)]
fn even_signs(bits: u32) -> u8 {
    let bits = (bits & 127) as u8;
    bits | ((bits.count_ones() as u8 & 1) << 7)
}

/// Points, their coordinates written out as bytes when the crate is compiled: to look one up is one load.
const fn written_out<const N: usize, const POINTS: usize>(
    packed: &[u16; POINTS],
    bits: usize,
    values: &[i8],
) -> [[u8; N]; POINTS] {
    let mut points = [[0; N]; POINTS];
    let mut at = 0;
    while at < POINTS * N {
        let place = packed[at / N] >> (bits * (at % N)) & ((1 << bits) - 1);
        points[at / N][at % N] = values[place as usize] as u8;
        at += 1;
    }
    points
}

static IQ1_S_POINTS: [[u8; 8]; 2048] = written_out(&IQ1_S, 2, &IQ1_S_VALUES);
static IQ2_XXS_POINTS: [[u8; 8]; 256] = written_out(&IQ2_XXS, 2, &IQ2_XXS_VALUES);
static IQ2_XS_POINTS: [[u8; 8]; 512] = written_out(&IQ2_XS, 2, &IQ2_XS_VALUES);
static IQ2_S_POINTS: [[u8; 8]; 1024] = written_out(&IQ2_S, 2, &IQ2_S_VALUES);
static IQ3_XXS_POINTS: [[u8; 4]; 256] = written_out(&IQ3_XXS, 3, &IQ3_XXS_VALUES);
static IQ3_S_POINTS: [[u8; 4]; 512] = written_out(&IQ3_S, 3, &IQ3_S_VALUES);

/// For each byte of signs, eight bytes: all ones where the bit is set.
static MINUS: [[u8; 8]; 256] = {
    let mut minus = [[0; 8]; 256];
    let mut at = 0;
    while at < 256 * 8 {
        minus[at / 8][at % 8] = if (at / 8) >> (at % 8) & 1 == 1 { 0xff } else { 0 };
        at += 1;
    }
    minus
};

/// One in each of eight bytes.
const ONES: u64 = 0x0101_0101_0101_0101;
const _: () = assert!(no_zero(&IQ2_XXS_VALUES) && no_zero(&IQ2_XS_VALUES) && no_zero(&IQ2_S_VALUES));
const _: () = assert!(no_zero(&IQ3_XXS_VALUES) && no_zero(&IQ3_S_VALUES));

const fn no_zero(values: &[i8]) -> bool {
    let mut i = 0;
    while i < values.len() && values[i] != 0 {
        i += 1;
    }
    i == values.len()
}

/// Writes a point, its coordinates negated where the bit of `signs` is set: all eight at once, in a number of 64 bits. In two's complement the
/// negation of a byte is its complement and one more, which does not carry into the next byte, since no coordinate is zero.
#[inline(always)]
fn point(point: [u8; 8], signs: u8, out: &mut [i8]) {
    let minus = u64::from_ne_bytes(MINUS[usize::from(signs)]);
    let signed = (u64::from_ne_bytes(point) ^ minus) + (minus & ONES);
    write(signed, out);
}

/// Two points of four coordinates.
#[inline(always)]
fn two_points(points: [[u8; 4]; 2], signs: u8, out: &mut [i8]) {
    point(bytemuck::cast(points), signs, out);
}

/// Eight weights of IQ1, in eighths: the point, and an eighth more or less. Bytes are added without carries between them.
#[inline(always)]
fn point_in_eighths(index: usize, minus: bool, out: &mut [i8]) {
    const SIGNS: u64 = 0x80 * ONES;
    // coordinates are -1, 0 and 1: shifted by three, all that leaves a byte is its own sign
    let point = (u64::from_ne_bytes(IQ1_S_POINTS[index]) << 3) & (0xf8 * ONES);
    let eighth = if minus { 0xff * ONES } else { ONES };
    write(((point & !SIGNS) + (eighth & !SIGNS)) ^ ((point ^ eighth) & SIGNS), out);
}

#[inline(always)]
fn write(bytes: u64, out: &mut [i8]) {
    out.copy_from_slice(bytemuck::cast_slice(&bytes.to_ne_bytes()));
}

/// Little-endian number `i` of some bytes.
#[inline(always)]
fn number16(bytes: &[u8], i: usize) -> u16 {
    u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]])
}

#[inline(always)]
fn number32(bytes: &[u8], i: usize) -> u32 {
    u32::from(number16(bytes, 2 * i)) | u32::from(number16(bytes, 2 * i + 1)) << 16
}

/// The nibble `i` of some bytes, low ones first.
#[inline(always)]
fn nibble(bytes: &[u8], i: usize) -> f32 {
    f32::from(bytes[i / 2] >> (4 * (i % 2)) & 15)
}

impl QuantBlock for BlockIQ2XXS {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        let d = f16_to_f32(self.d);
        for part in 0..8 {
            let signs = number32(&self.qs, 2 * part + 1);
            for i in 0..4 {
                let index = usize::from(self.qs[part * 8 + i]);
                let to = &mut out.q[part * 32 + i * 8..][..8];
                point(IQ2_XXS_POINTS[index], even_signs(signs >> (7 * i)), to);
            }
            out.set32(part, d * (0.5 + (signs >> 28) as f32) * 0.25, 0.0);
        }
    }
}

impl QuantBlock for BlockIQ2XS {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        let d = f16_to_f32(self.d);
        for (i, out) in out.q.chunks_exact_mut(8).enumerate() {
            let packed = number16(&self.qs, i);
            let signs = even_signs(u32::from(packed >> 9));
            point(IQ2_XS_POINTS[usize::from(packed & 511)], signs, out);
        }
        for (i, scale) in out.scale.iter_mut().enumerate() {
            *scale = d * (0.5 + nibble(&self.scales, i)) * 0.25;
        }
        out.offset = [0.0; 16];
    }
}

impl QuantBlock for BlockIQ2S {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        let d = f16_to_f32(self.d);
        for (i, out) in out.q.chunks_exact_mut(8).enumerate() {
            let high = usize::from(self.qh[i / 4] >> (2 * (i % 4)) & 3);
            let index = usize::from(self.qs[i]) | high << 8;
            point(IQ2_S_POINTS[index], self.signs[i], out);
        }
        for (i, scale) in out.scale.iter_mut().enumerate() {
            *scale = d * (0.5 + nibble(&self.scales, i)) * 0.25;
        }
        out.offset = [0.0; 16];
    }
}

impl QuantBlock for BlockIQ3XXS {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        let d = f16_to_f32(self.d);
        for part in 0..8 {
            let signs = number32(&self.signs, part);
            for i in 0..4 {
                let at = part * 8 + i * 2;
                let points = [0, 1].map(|j| IQ3_XXS_POINTS[usize::from(self.qs[at + j])]);
                let to = &mut out.q[part * 32 + i * 8..][..8];
                two_points(points, even_signs(signs >> (7 * i)), to);
            }
            out.set32(part, d * (0.5 + (signs >> 28) as f32) * 0.5, 0.0);
        }
    }
}

impl QuantBlock for BlockIQ3S {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        let d = f16_to_f32(self.d);
        for (i, to) in out.q.chunks_exact_mut(8).enumerate() {
            let high = usize::from(self.qh[i / 4]) << 8 >> (2 * (i % 4));
            let points = [0, 1].map(|j| {
                let index = usize::from(self.qs[i * 2 + j]) | (high >> j & 0x100);
                IQ3_S_POINTS[index]
            });
            two_points(points, self.signs[i], to);
        }
        for part in 0..8 {
            out.set32(part, d * (1.0 + 2.0 * nibble(&self.scales, part)), 0.0);
        }
    }
}

impl QuantBlock for BlockIQ1S {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        let d = f16_to_f32(self.d);
        for part in 0..8 {
            let high = number16(&self.qh, part);
            for i in 0..4 {
                let index = usize::from(self.qs[part * 4 + i]) | usize::from(high >> (3 * i) & 7) << 8;
                point_in_eighths(index, high >> 15 == 1, &mut out.q[part * 32 + i * 8..][..8]);
            }
            out.set32(part, d * (2.0 * f32::from(high >> 12 & 7) + 1.0) * 0.125, 0.0);
        }
    }
}

impl QuantBlock for BlockIQ1M {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        let quarter = |i: usize| (number16(&self.scales, i) >> 12) << (4 * i);
        let d = f16_to_f32((quarter(0) | quarter(1) | quarter(2) | quarter(3)).to_le_bytes());
        for (i, to) in out.q.chunks_exact_mut(8).enumerate() {
            let high = usize::from(self.qh[i / 2] >> (4 * (i % 2)) & 15);
            point_in_eighths(usize::from(self.qs[i]) | (high & 7) << 8, high >> 3 == 1, to);
        }
        for (i, scale) in out.scale.iter_mut().enumerate() {
            let bits = number16(&self.scales, i / 4) >> (3 * (i % 4)) & 7;
            *scale = d * (2.0 * f32::from(bits) + 1.0) * 0.125;
        }
        out.offset = [0.0; 16];
    }
}
