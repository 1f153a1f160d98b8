//! Random numbers as a pure function of (seed, position); called by the sampler only.
//!
//! There is no generator state that a draw advances: the number used at a position does not depend on which
//! positions were sampled before, by which thread, or whether they were sampled at all. So the same seed gives
//! the same text after a restart in the middle, and text can be generated again from any position.
//!
//! The function is Philox4x32-10, a counter-based generator: J. K. Salmon, M. A. Moraes, R. O. Dror and
//! D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011. The seed is the key (64 bits), the
//! position the low half of the counter; the high half tells independent [`Stream`]s apart.

/// The multipliers of the two 32-bit lane pairs.
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What is added to the two key words after each round: the golden ratio and `sqrt(3) - 1`, times 2^32.
const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// What a number is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    /// Which candidate is drawn.
    Draw = 0,
    /// Whether XTC excludes.
    Xtc = 1,
}

/// A number in the open interval `(0, 1)`: an odd multiple of `2^-53`, each of the `2^52` equally likely.
pub(super) fn uniform(seed: u64, position: u64, stream: Stream) -> f64 {
    let block = philox([low(position), high(position), stream as u32, 0], [low(seed), high(seed)]);
    let bits = u64::from(block[1]) << 32 | u64::from(block[0]);
    ((bits >> 12 << 1) + 1) as f64 / (1u64 << 53) as f64
}

/// Philox4x32-10: 128 random bits for a 128-bit counter under a 64-bit key, low words first.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        counter = round(counter, key);
        key = [key[0].wrapping_add(KEY_STEPS[0]), key[1].wrapping_add(KEY_STEPS[1])];
    }
    counter
}

fn round(c: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let p0 = u64::from(MULTIPLIERS[0]) * u64::from(c[0]);
    let p1 = u64::from(MULTIPLIERS[1]) * u64::from(c[2]);
    [high(p1) ^ c[1] ^ key[0], low(p1), high(p0) ^ c[3] ^ key[1], low(p0)]
}

fn low(x: u64) -> u32 {
    x as u32
}

fn high(x: u64) -> u32 {
    (x >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::{Stream, philox};

    fn uniform(seed: u64, position: u64) -> f64 {
        super::uniform(seed, position, Stream::Draw)
    }

    /// The known answers for `philox4x32 10` that the authors publish with Random123 (`kat_vectors`).
    #[test]
    fn known_answers() {
        let ones = u32::MAX;
        let pi = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([ones; 4], [ones; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox(pi, [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn every_bit_of_seed_and_position_matters() {
        let base = uniform(0, 0);
        for bit in 0..64 {
            assert_ne!(uniform(1 << bit, 0), base, "seed bit {bit}");
            assert_ne!(uniform(0, 1 << bit), base, "position bit {bit}");
        }
    }

    #[test]
    fn streams_differ() {
        let equal = (0..1000).filter(|&i| super::uniform(3, i, Stream::Xtc) == uniform(3, i)).count();
        assert_eq!(equal, 0);
    }

    #[test]
    fn neither_zero_nor_one() {
        for position in 0..10_000 {
            let u = uniform(7, position);
            assert!(u > 0.0 && u < 1.0, "{u} at {position}");
        }
    }

    /// Chi-square over 64 equal cells, for positions of one seed and for seeds of one position: 63 degrees of
    /// freedom, so the statistic exceeds 113.5 with probability 1e-4 for a perfect generator.
    #[test]
    fn uniform_over_positions_and_over_seeds() {
        let by_position = chi_square(|i| uniform(1, i));
        let by_seed = chi_square(|i| uniform(i, 1));
        assert!(by_position < 113.5 && by_seed < 113.5, "{by_position} {by_seed}");
    }

    fn chi_square(number: impl Fn(u64) -> f64) -> f64 {
        const DRAWS: u64 = 64_000;
        let mut cells = [0.0f64; 64];
        (0..DRAWS).for_each(|i| cells[(number(i) * 64.0) as usize] += 1.0);
        let expected = DRAWS as f64 / 64.0;
        cells.iter().map(|seen| (seen - expected).powi(2) / expected).sum()
    }
}
