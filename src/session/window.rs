//! Endless text in constant memory: what is asked for, and which models can.

use super::{Options, context};
use crate::model::Model;

/// Text without an end, in the memory of so many positions: once they are used up, each further token takes the place of the oldest one that is no
/// sink (Xiao et al. 2023, arXiv:2309.17453). The model sees what is held as if nothing had ever been between the sinks and the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Positions held, at most those that the model was trained for.
    pub positions: usize,
    /// How many of the first tokens stay: models put weight there that has nowhere else to go. Less than `positions`.
    pub sinks: usize,
}

/// Why text cannot go on in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowError {
    /// The model would see distances that it was not trained for.
    #[error(
        "window: found {found} positions, expected at most {context}: the model was not trained for longer distances. Try a window of {context}"
    )]
    TooLong {
        /// Positions of the window.
        found: usize,
        /// Positions that the model was trained for.
        context: usize,
    },
    /// Nothing could move.
    #[error(
        "window: found {positions} positions, expected at least {}: one more than the {sinks} sinks, which stay. Try a longer window, or fewer sinks",
        sinks.saturating_add(1)
    )]
    Sinks {
        /// Positions that stay.
        sinks: usize,
        /// Positions of the window.
        positions: usize,
    },
    /// A position is part of what the model computes of a token.
    #[error(
        "window: the model has a learnt vector for each of its {context} positions, so that what it has seen cannot move. Try without a window, or a model with rotary embedding"
    )]
    LearntPositions {
        /// Positions that there are.
        context: usize,
    },
    /// Where a token stands changes what it sees, not only how far away that is.
    #[error(
        "window: the model weighs queries and keys after rotary embedding, so that what it has seen cannot move. Try without a window, or another model"
    )]
    WeighedTurned,
    /// A window holds one sequence.
    #[error(
        "window: found {branches} continuations at once, expected one. Try without a window, or without beams or samples"
    )]
    Branches {
        /// Continuations.
        branches: usize,
    },
}

impl Window {
    /// Whether a model can go on in the window that the options ask for, if they do.
    ///
    /// # Errors
    ///
    /// [`WindowError`] says why not.
    pub fn check(options: &Options, model: &Model) -> Result<(), WindowError> {
        let Some(Window { positions, sinks }) = options.window else { return Ok(()) };
        let (context, branches) = (context(model, options), options.branches);
        if model.config().position_embedding {
            return Err(WindowError::LearntPositions { context: model.config().context });
        }
        if model.config().norms.heads_turned {
            return Err(WindowError::WeighedTurned);
        }
        if positions > context {
            return Err(WindowError::TooLong { found: positions, context });
        }
        if sinks >= positions {
            return Err(WindowError::Sinks { sinks, positions });
        }
        if branches > 0 {
            return Err(WindowError::Branches { branches });
        }
        Ok(())
    }
}
