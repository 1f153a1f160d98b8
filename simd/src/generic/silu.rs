//! SiLU and its product with a gate: the activation of SwiGLU feed-forward layers (Shazeer 2020, arXiv:2002.05202).

use super::exp::exp;
use pulp::{Simd, WithSimd};

/// `gate[i] = gate[i] / (1 + e^-gate[i]) * up[i]`.
pub(crate) struct SiluMul<'a> {
    pub gate: &'a mut [f32],
    pub up: &'a [f32],
}

impl WithSimd for SiluMul<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (gate, gate_tail) = S::as_mut_simd_f32s(self.gate);
        let (up, up_tail) = S::as_simd_f32s(self.up);
        for (gate, &up) in gate.iter_mut().zip(up) {
            *gate = silu_mul(simd, *gate, up);
        }
        let tail = silu_mul(simd, simd.partial_load_f32s(gate_tail), simd.partial_load_f32s(up_tail));
        simd.partial_store_f32s(gate_tail, tail);
    }
}

#[inline(always)]
fn silu_mul<S: Simd>(simd: S, gate: S::f32s, up: S::f32s) -> S::f32s {
    let divisor = simd.add_f32s(simd.splat_f32s(1.0), exp(simd, simd.neg_f32s(gate)));
    simd.mul_f32s(simd.div_f32s(gate, divisor), up)
}
