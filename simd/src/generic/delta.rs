//! The gated delta rule (Yang et al. 2024, arXiv:2412.06464): how a head of a gated delta net takes in a token, and what it answers.

use pulp::{Simd, WithSimd};

/// What a token brings to a head, and how much of what the head knows it leaves.
#[derive(Clone, Copy, Debug)]
pub struct Delta<'a> {
    /// `keys`: what is asked for; normalized to length `1 / sqrt(keys)` on the way.
    pub query: &'a [f32],
    /// `keys`: where the value goes; normalized to length 1 on the way.
    pub key: &'a [f32],
    /// `values`: what is to be found there from now on.
    pub value: &'a [f32],
    /// What the state is multiplied with first, 0 to 1.
    pub decay: f32,
    /// How far what is found moves towards the value, 0 to 1.
    pub beta: f32,
    /// Added to the squared length of query and key.
    pub eps: f32,
}

/// `state = decay state + beta (value - decay state key) key^T`, then `out = state query`: `state` is `values x keys`.
///
/// A row is read once and written once. The answer needs no second pass over the new row, as that is the old one and a multiple of the key.
pub(crate) struct DeltaRule<'a> {
    pub state: &'a mut [f32],
    pub delta: Delta<'a>,
    pub out: &'a mut [f32],
}

impl WithSimd for DeltaRule<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Delta { query, key, value, decay, beta, eps } = self.delta;
        let [of_query, of_key] = [query, key].map(|x| dots(simd, x, x, x)[0]);
        let scale_q = 1.0 / ((of_query + eps) * query.len() as f32).sqrt();
        let scale_k = 1.0 / (of_key + eps).sqrt();
        let overlap = dots(simd, query, key, key)[0] * scale_q * scale_k;
        for ((row, value), out) in self.state.chunks_exact_mut(key.len()).zip(value).zip(self.out) {
            let [found, answer] = dots(simd, row, key, query);
            let change = beta * (value - decay * scale_k * found);
            *out = decay * scale_q * answer + change * overlap;
            decay_and_add(simd, row, decay, change * scale_k, key);
        }
    }
}

/// `[x . a, x . b]`; four accumulators hide the latency of the addition.
#[inline(always)]
fn dots<S: Simd>(simd: S, x: &[f32], a: &[f32], b: &[f32]) -> [f32; 2] {
    let ((x, x_tail), (a, a_tail), (b, b_tail)) =
        (S::as_simd_f32s(x), S::as_simd_f32s(a), S::as_simd_f32s(b));
    let mut sums = [[simd.splat_f32s(0.0); 2]; 2];
    for (i, ((&x, &a), &b)) in x.iter().zip(a).zip(b).enumerate() {
        let [of_a, of_b] = &mut sums[i % 2];
        *of_a = simd.mul_add_f32s(x, a, *of_a);
        *of_b = simd.mul_add_f32s(x, b, *of_b);
    }
    let x = simd.partial_load_f32s(x_tail);
    let [[first_a, first_b], [second_a, second_b]] = sums;
    let of_a = simd.mul_add_f32s(x, simd.partial_load_f32s(a_tail), first_a);
    let of_b = simd.mul_add_f32s(x, simd.partial_load_f32s(b_tail), first_b);
    [simd.reduce_sum_f32s(simd.add_f32s(of_a, second_a)), simd.reduce_sum_f32s(simd.add_f32s(of_b, second_b))]
}

/// `row = decay row + weight x`.
#[inline(always)]
fn decay_and_add<S: Simd>(simd: S, row: &mut [f32], decay: f32, weight: f32, x: &[f32]) {
    let ((row, row_tail), (x, x_tail)) = (S::as_mut_simd_f32s(row), S::as_simd_f32s(x));
    let (decay, weight) = (simd.splat_f32s(decay), simd.splat_f32s(weight));
    for (row, &x) in row.iter_mut().zip(x) {
        *row = simd.mul_add_f32s(weight, x, simd.mul_f32s(decay, *row));
    }
    let old = simd.mul_f32s(decay, simd.partial_load_f32s(row_tail));
    let new = simd.mul_add_f32s(weight, simd.partial_load_f32s(x_tail), old);
    simd.partial_store_f32s(row_tail, new);
}
