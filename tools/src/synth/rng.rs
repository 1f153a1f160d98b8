//! The random numbers: SplitMix64 (Steele, Lea and Flood, 2014), whose state is a counter. Integer arithmetic only, so that
//! every platform draws the same.

/// A stream of random numbers.
pub struct Rng(u64);

impl Rng {
    /// The stream of one tensor of one model: `name` keeps the streams of a seed apart.
    pub fn new(seed: u64, name: &str) -> Rng {
        Rng(super::fnv1a(name.as_bytes()) ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// 64 random bits.
    #[inline]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }

    /// Uniform in `low..high`, in steps of `(high - low) / 65536`.
    #[inline]
    pub fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.next() >> 48) as f32 / 65536.0)
    }

    /// Nearly normal, with mean zero and standard deviation one: the scaled sum of four uniform 16-bit numbers. Bounded by 3.5.
    #[inline]
    pub fn normal(&mut self) -> f32 {
        const MEAN: i32 = 4 * 65535 / 2;
        const DEVIATION: f32 = 37837.227; // sqrt(4 * (65536^2 - 1) / 12)
        let bits = self.next();
        let sum: i32 = (0..4).map(|i| (bits >> (16 * i)) as u16 as i32).sum();
        (sum - MEAN) as f32 / DEVIATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published test vector of SplitMix64 for the state 1234567.
    #[test]
    fn known_sequence() {
        let mut rng = Rng(1_234_567);
        assert_eq!([rng.next(), rng.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn normal_has_unit_deviation() {
        let mut rng = Rng::new(1, "test");
        let (mut sum, mut squares, n) = (0.0f64, 0.0f64, 100_000);
        for _ in 0..n {
            let x = f64::from(rng.normal());
            sum += x;
            squares += x * x;
        }
        assert!((sum / f64::from(n)).abs() < 0.02);
        assert!((squares / f64::from(n) - 1.0).abs() < 0.02);
    }
}
