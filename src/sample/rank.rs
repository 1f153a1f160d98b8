//! Tokens with their logits, and the *rank order* that they stand in: the higher logit first; of equal logits, the lower token id. Called by all that
//! compares candidates.

use super::blocks::{BLOCK, Blocks};

/// A token and its logit, before it is divided by the temperature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Entry {
    pub(super) token: u32,
    pub(super) logit: f32,
}

/// Sorts candidates into rank order: the likelier first, and of equally likely ones the lower token id.
///
/// One integer, so that partial selection compares without branches.
pub(super) fn rank(entry: &Entry) -> u64 {
    u64::from(!ascending(entry.logit)) << 32 | u64::from(entry.token)
}

/// A number that is the higher, the higher the logit.
///
/// The bits of an f32 order like a signed magnitude: flipping all of a negative one, or the sign of a positive one, makes them order like an
/// unsigned number. Adding 0.0 makes the two zeros equal.
fn ascending(logit: f32) -> u32 {
    let bits = (logit + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

/// The largest logit, up to +inf, that is not `above` something; all that is higher must be above it too. -inf if there is none.
pub(super) fn largest_not(above: impl Fn(f32) -> bool) -> f32 {
    let logit_of =
        |number: u32| f32::from_bits(if number >> 31 == 1 { number & !(1 << 31) } else { !number });
    let (mut low, mut high) = (ascending(f32::NEG_INFINITY), ascending(f32::INFINITY) + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if above(logit_of(middle)) { high = middle } else { low = middle }
    }
    logit_of(low)
}

/// The token of a rank.
pub(super) fn token_of(rank: u64) -> u32 {
    rank as u32
}

impl Blocks for [Entry] {
    #[inline(always)]
    fn blocks(&self) -> usize {
        self.len().div_ceil(BLOCK)
    }

    #[inline(always)]
    fn block(&self, index: usize) -> [f32; BLOCK] {
        let mut block = [f32::NEG_INFINITY; BLOCK];
        let entries = self.get(index * BLOCK..).unwrap_or_default();
        block.iter_mut().zip(entries).for_each(|(to, entry)| *to = entry.logit);
        block
    }
}
