//! Seeded inputs for the suite: random floats, and random bytes made into valid rows of a format.

use crate::Format;
use crate::block::f32_to_f16;

/// SplitMix64 (Steele, Lea and Flood 2014): enough randomness for test data.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In -1..1.
    pub fn float(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    }

    pub fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.float()).collect()
    }

    /// Rows of random blocks. Quants take every value; float fields are finite and of ordinary size.
    pub fn rows(&mut self, format: Format, weights: usize) -> Vec<u8> {
        let bytes = format.row_bytes(weights).expect("whole blocks");
        let mut out: Vec<u8> = (0..bytes).map(|_| self.bits() as u8).collect();
        for block in out.chunks_exact_mut(format.block_bytes()) {
            self.mend_floats(format, block);
        }
        out
    }

    fn mend_floats(&mut self, format: Format, block: &mut [u8]) {
        let halves: &[usize] = match format {
            Format::F32 => return block.copy_from_slice(&self.float().to_le_bytes()),
            Format::BF16 => return block.copy_from_slice(&self.float().to_le_bytes()[2..]),
            Format::F16 | Format::Q4_0 | Format::Q5_0 | Format::Q8_0 => &[0],
            Format::Q4_1 | Format::Q5_1 | Format::Q4_K | Format::Q5_K => &[0, 2],
            Format::Q2_K => &[80, 82],
            Format::Q3_K => &[108],
            Format::Q6_K => &[208],
            Format::TQ1_0 => &[52],
            Format::TQ2_0 => &[64],
            Format::MXFP4 => {
                block[0] = 120 + block[0] % 8;
                return;
            }
            Format::IQ1_M => return self.mend_quarters(block),
            Format::IQ1_S | Format::IQ2_XXS | Format::IQ2_XS | Format::IQ2_S => &[0],
            Format::IQ3_XXS | Format::IQ3_S | Format::IQ4_NL | Format::IQ4_XS => &[0],
        };
        for &at in halves {
            block[at..at + 2].copy_from_slice(&f32_to_f16(self.float()));
        }
    }

    /// IQ1_M keeps its scale in the upper nibbles of four numbers.
    fn mend_quarters(&mut self, block: &mut [u8]) {
        let bits = u16::from_le_bytes(f32_to_f16(self.float()));
        for i in 0..4 {
            let byte = &mut block[49 + 2 * i];
            *byte = (*byte & 15) | ((bits >> (4 * i)) as u8 & 15) << 4;
        }
    }
}
