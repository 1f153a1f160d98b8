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
use crate::topology::Topology;
use siskin_simd::Kernels;
use std::io;

/// Tokens from which on a batch rounds as every longer one does, whatever formats the weights have.
pub const STEADY_BATCH: usize = floats::BATCH;

/// What computes: the kernels of one instruction set and a team of threads.
#[derive(Debug)]
pub struct Cpu {
    /// Arithmetic.
    pub kernels: Kernels,
    /// Threads.
    pub team: Team,
}

impl Cpu {
    /// The best kernels that this CPU can run, and a team of `threads`, the caller included; they are bound to no core.
    ///
    /// # Errors
    ///
    /// If `threads` is 0 or above [`MAX_THREADS`](crate::threads::MAX_THREADS), or the operating system refuses to start one.
    pub fn new(threads: usize) -> io::Result<Cpu> {
        Ok(Cpu { kernels: Kernels::best(), team: Team::new(threads)? })
    }

    /// As [`Cpu::new`], with a thread for each performance core ([`Topology::default_threads`]).
    ///
    /// # Errors
    ///
    /// If the operating system refuses to start a thread.
    pub fn of_this_machine() -> io::Result<Cpu> {
        Cpu::new(Topology::this_machine().default_threads())
    }
}
