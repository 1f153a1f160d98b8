//! DRY ("don't repeat yourself"): a penalty for the tokens that would go on with a repetition. Called by the chain.
//!
//! If the last `n` tokens were there before, and the token `t` came after them, then `t` now loses
//! `multiplier * base^(n - allowed_length)`, for the largest such `n`, if that is at least `allowed_length`. No repetition extends over a
//! breaker, and breakers have no penalty.
//!
//! Source: P. E. Weidmann, the pull request "DRY: a modern repetition penalty that reliably prevents looping" to
//! oobabooga/text-generation-webui (5677), 2024. The lengths of all repetitions come from the Z function (D. Gusfield, "Algorithms on
//! strings, trees, and sequences", 1997, section 1.3) of the window read backwards, in time linear in the window.

use super::edits::Touched;
use super::options::Dry;

impl Dry {
    /// Collects the tokens that go on with a repetition, each with the length of its longest one.
    pub(super) fn repetitions(&self, touched: &mut Touched, window: &[u32]) {
        let Touched { list, matches } = touched;
        list.clear();
        let limit = window.iter().rev().take_while(|token| !self.is_breaker(**token)).count();
        if limit < self.allowed_length as usize {
            return;
        }
        z_function_backwards(window, matches);
        let lengths = matches.iter().map(|&length| length.min(limit as u32));
        // The match at `distance` ends that many tokens before the end of the window; the token after it would go on.
        for (distance, length) in lengths.enumerate().skip(1) {
            let token = window[window.len() - distance];
            if length >= self.allowed_length && !self.is_breaker(token) {
                list.push((token, length as f32));
            }
        }
        touched.settle(|kept, later| *kept = kept.max(later));
    }

    /// The logit of a token that would go on with a repetition of `length` tokens, of logits that are to be divided by `temperature`.
    pub(super) fn apply(&self, logit: f32, length: f32, temperature: f64) -> f32 {
        let excess = length as i32 - self.allowed_length as i32;
        let penalty = f64::from(self.multiplier) * f64::from(self.base).powi(excess);
        // Both factors may overflow to infinity, but neither is 0: the result is no NaN, and is clamped by the caller.
        (f64::from(logit) - penalty * temperature) as f32
    }

    /// The list is sorted by the sampler.
    fn is_breaker(&self, token: u32) -> bool {
        self.breakers.binary_search(&token).is_ok()
    }
}

/// For each distance from the end, how many tokens before it are the same as at the end of `tokens`; 0 for distance 0.
fn z_function_backwards(tokens: &[u32], lengths: &mut Vec<u32>) {
    let n = tokens.len();
    let at = |index: usize| tokens[n - 1 - index];
    lengths.clear();
    lengths.resize(n, 0);
    // The match that extends furthest: it begins at `start` and ends before `end`.
    let (mut start, mut end) = (0, 0);
    for i in 1..n {
        let mut length = if i < end { (lengths[i - start] as usize).min(end - i) } else { 0 };
        while i + length < n && at(length) == at(i + length) {
            length += 1;
        }
        if i + length > end {
            (start, end) = (i, i + length);
        }
        lengths[i] = length as u32;
    }
}
