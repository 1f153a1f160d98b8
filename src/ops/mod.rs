//! What a layer is made of, over plain slices: projections, attention, normalization, rotary embedding, feed-forward.
//!
//! Matrices of activations are `batch x width`, row by row, a row a token. Operations know no model and no cache; [`Cpu`] is
//! all they need. Each result row is computed by one thread in one fixed order, so it depends neither on threads nor on the batch.

pub mod attention;
pub mod delta;
mod floats;
pub mod matmul;
pub mod rope;
pub mod rows;

pub use attention::{Heads, Scoring, Span, attend};
pub use delta::DeltaHeads;
pub use matmul::{Activations, Projection, project};
pub use rope::RopeTable;

use crate::threads::Team;

/// Tokens from which on a batch rounds as every longer one does, whatever formats the weights have.
pub const STEADY_BATCH: usize = floats::BATCH;
use siskin_simd::Kernels;

/// What computes: the kernels of one instruction set and a team of threads.
pub struct Cpu {
    /// Arithmetic.
    pub kernels: Kernels,
    /// Threads.
    pub team: Team,
}
