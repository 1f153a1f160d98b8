//! What a gated delta net does with a batch between its projections: a causal convolution, and the recurrence, token after token.

use super::Cpu;
use siskin_simd::Delta;

/// Heads of a gated delta net. Value head `h` shares query and key with all heads of the same `h mod key_heads`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaHeads {
    /// Heads of queries and keys.
    pub key_heads: usize,
    /// Heads of values, each with a state of its own.
    pub value_heads: usize,
    /// Values of a query, of a key and of a value.
    pub head_dim: usize,
}

impl DeltaHeads {
    /// Values of all queries (or keys) of a token.
    pub fn key_values(&self) -> usize {
        self.key_heads * self.head_dim
    }

    /// Values of all values of a token.
    pub fn value_values(&self) -> usize {
        self.value_heads * self.head_dim
    }

    /// Values of queries, keys and values of a token.
    pub fn qkv_values(&self) -> usize {
        2 * self.key_values() + self.value_values()
    }

    /// Values of the states of all heads: each is `head_dim x head_dim`.
    pub fn state_values(&self) -> usize {
        self.value_values() * self.head_dim
    }
}

/// `out[b][i] = sum_t kernel[t][i] * x[b + t][i]`: a convolution of each column by itself. `kernel` is `length x cols`, the oldest row first; `x`
/// has `length - 1` rows more than `out`, those before the batch.
///
/// # Panics
///
/// If the sizes do not fit.
pub fn convolve(cpu: &mut Cpu, x: &[f32], kernel: &[f32], cols: usize, out: &mut [f32]) {
    let length = kernel.len() / cols;
    assert_eq!(x.len() + cols, out.len() + length * cols, "values of a convolution over {length} rows");
    cpu.team.chunks_mut(out, cols, |row, out| {
        out.fill(0.0);
        for (kernel, x) in kernel.chunks_exact(cols).zip(x[row * cols..].chunks_exact(cols)) {
            out.iter_mut().zip(kernel).zip(x).for_each(|((out, kernel), x)| *out += kernel * x);
        }
    });
}

/// What the tokens of a batch bring to all heads.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    /// `batch x` queries, keys, values of all heads.
    pub qkv: &'a [f32],
    /// `batch x value_heads`: what states are multiplied with before a token.
    pub decay: &'a [f32],
    /// `batch x value_heads`: how far what is found at a key moves towards the value.
    pub beta: &'a [f32],
    /// Added to the squared length of query and key.
    pub eps: f32,
}

/// Runs the gated delta rule over a batch, token after token, each head by itself. `states` is `value_heads x head_dim x head_dim` and goes on where it was;
/// `out` is `value_heads x batch x head_dim`.
///
/// # Panics
///
/// If the sizes do not fit.
pub fn delta_net(cpu: &mut Cpu, heads: DeltaHeads, tokens: Tokens<'_>, states: &mut [f32], out: &mut [f32]) {
    let DeltaHeads { key_heads, value_heads, head_dim } = heads;
    let (kernels, batch) = (&cpu.kernels, tokens.decay.len() / value_heads);
    assert_eq!(tokens.qkv.len(), batch * heads.qkv_values(), "queries, keys and values of {batch} tokens");
    assert_eq!(tokens.beta.len(), tokens.decay.len(), "strengths and decays");
    assert_eq!(states.len(), heads.state_values(), "values of {value_heads} states");
    assert_eq!(out.len(), batch * heads.value_values(), "answers of {value_heads} heads");
    let lens = (head_dim * head_dim, batch * head_dim);
    cpu.team.chunk_pairs_mut(states, out, lens, |head, state, out| {
        let rows = tokens.qkv.chunks_exact(heads.qkv_values()).zip(out.chunks_exact_mut(head_dim));
        for (token, (qkv, out)) in rows.enumerate() {
            let part = |head: usize| &qkv[head * head_dim..][..head_dim];
            let delta = Delta {
                query: part(head % key_heads),
                key: part(key_heads + head % key_heads),
                value: part(2 * key_heads + head),
                decay: tokens.decay[token * value_heads + head],
                beta: tokens.beta[token * value_heads + head],
                eps: tokens.eps,
            };
            kernels.delta_rule(state, delta, out);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::Team;
    use proptest::prelude::*;
    use siskin_simd::Kernels;

    fn cpu(threads: usize) -> Cpu {
        Cpu { kernels: Kernels::best(), team: Team::new(threads).unwrap() }
    }

    /// Values in -1..1 that look random.
    fn values(n: usize, seed: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 + seed * 104_729 + 13) % 2003) as f32 / 1001.5 - 1.0).collect()
    }

    /// Queries, keys and values, decays, strengths of some tokens.
    fn inputs(heads: DeltaHeads, batch: usize) -> [Vec<f32>; 3] {
        let share = |seed: usize| -> Vec<f32> {
            values(batch * heads.value_heads, seed).iter().map(|x| 0.55 + 0.45 * x).collect()
        };
        [values(batch * heads.qkv_values(), 1), share(2), share(3)]
    }

    /// Answers as `batch x value_heads x head_dim`, and the states, of a batch run in pieces.
    fn run(heads: DeltaHeads, inputs: &[Vec<f32>; 3], threads: usize, pieces: &[usize]) -> [Vec<f32>; 2] {
        let (mut cpu, mut states, mut answers) = (cpu(threads), vec![0.0; heads.state_values()], Vec::new());
        let mut first = 0;
        for &count in pieces {
            let of = |i: usize, cols: usize| &inputs[i][first * cols..][..count * cols];
            let (decay, beta) = (of(1, heads.value_heads), of(2, heads.value_heads));
            let tokens = Tokens { qkv: of(0, heads.qkv_values()), decay, beta, eps: 1e-6 };
            let mut out = vec![f32::NAN; count * heads.value_values()];
            delta_net(&mut cpu, heads, tokens, &mut states, &mut out);
            for token in 0..count {
                for head in 0..heads.value_heads {
                    answers.extend(&out[(head * count + token) * heads.head_dim..][..heads.head_dim]);
                }
            }
            first += count;
        }
        [answers, states]
    }

    /// The rule of the paper in `f64`: `S = decay S; S += beta (v - S k) k^T; S q`.
    fn naive(heads: DeltaHeads, [qkv, decay, beta]: &[Vec<f32>; 3]) -> [Vec<f64>; 2] {
        let (n, batch) = (heads.head_dim, decay.len() / heads.value_heads);
        let vector = |token: usize, head: usize| -> Vec<f64> {
            qkv[token * heads.qkv_values() + head * n..][..n].iter().map(|&x| f64::from(x)).collect()
        };
        let unit = |x: Vec<f64>| -> Vec<f64> {
            let length = (x.iter().map(|x| x * x).sum::<f64>() + 1e-6).sqrt();
            x.iter().map(|x| x / length).collect()
        };
        let (mut answers, mut states) = (vec![0.0; batch * heads.value_values()], Vec::new());
        for head in 0..heads.value_heads {
            let mut state = vec![vec![0.0; n]; n];
            for token in 0..batch {
                let shared = head % heads.key_heads;
                let (q, k) = (unit(vector(token, shared)), unit(vector(token, heads.key_heads + shared)));
                let v = vector(token, 2 * heads.key_heads + head);
                let at = token * heads.value_heads + head;
                for (j, row) in state.iter_mut().enumerate() {
                    row.iter_mut().for_each(|x| *x *= f64::from(decay[at]));
                    let found: f64 = row.iter().zip(&k).map(|(x, k)| x * k).sum();
                    let change = f64::from(beta[at]) * (v[j] - found);
                    row.iter_mut().zip(&k).for_each(|(x, k)| *x += change * k);
                    let answer: f64 = row.iter().zip(&q).map(|(x, q)| x * q).sum();
                    answers[at * n + j] = answer / (n as f64).sqrt();
                }
            }
            states.extend(state.into_iter().flatten());
        }
        [answers, states]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]
        /// Near the rule as it is written, and the same bits for any pieces and any threads.
        #[test]
        fn pieces_and_threads_change_nothing(
            key_heads in 1usize..4,
            group in 1usize..3,
            head_dim in prop::sample::select(vec![1usize, 5, 8, 16, 33, 64]),
            pieces in prop::collection::vec(1usize..9, 1..6),
            threads in 1usize..4,
        ) {
            let heads = DeltaHeads { key_heads, value_heads: key_heads * group, head_dim };
            let batch = pieces.iter().sum();
            let inputs = inputs(heads, batch);
            let whole = run(heads, &inputs, 1, &[batch]);
            prop_assert_eq!(&run(heads, &inputs, threads, &pieces), &whole);
            prop_assert_eq!(&run(heads, &inputs, threads, &vec![1; batch]), &whole);
            for (got, expected) in whole.iter().zip(naive(heads, &inputs)) {
                prop_assert_eq!(got.len(), expected.len());
                for (got, expected) in got.iter().zip(expected) {
                    prop_assert!((f64::from(*got) - expected).abs() < 1e-5, "{got}, expected {expected}");
                }
            }
        }

        /// Against sums column by column; and row after row, with the rows before it handed in.
        #[test]
        fn a_convolution_sees_the_rows_before(length in 1usize..6, cols in 1usize..40, batch in 1usize..9, threads in 1usize..4) {
            let (x, kernel) = (values((batch + length - 1) * cols, 4), values(length * cols, 5));
            let mut whole = vec![f32::NAN; batch * cols];
            convolve(&mut cpu(threads), &x, &kernel, cols, &mut whole);
            for (row, whole) in whole.chunks_exact(cols).enumerate() {
                let mut alone = vec![f32::NAN; cols];
                convolve(&mut cpu(1), &x[row * cols..][..length * cols], &kernel, cols, &mut alone);
                prop_assert_eq!(whole, &alone[..]);
                for (i, &got) in whole.iter().enumerate() {
                    let terms = (0..length).map(|t| f64::from(kernel[t * cols + i]) * f64::from(x[(row + t) * cols + i]));
                    prop_assert!((f64::from(got) - terms.sum::<f64>()).abs() < 1e-5);
                }
            }
        }
    }
}
