//! Making a smaller model file out of one with F32, F16 or BF16 weights.
//!
//! [`Plan::new`] decides, from the header alone, which format each tensor gets and how large the new file will be; [`Plan::save`] writes it, some rows of one
//! tensor at a time, each thread encoding rows of its own: memory does not grow with the model. A weight's bytes depend on the weights of its block
//! alone, so the file is the same for any number of threads.
//!
//! | file | what lives there |
//! |---|---|
//! | `recipe.rs` | which tensor gets which format |
//! | `plan.rs` | the tensors of a model with their formats, and the header of the new file |
//! | `write.rs` | the new file |
//! | `encode/`, `fit.rs` | weights to blocks; the least squares behind it |

pub mod encode;
mod error;
mod fit;
mod plan;
mod recipe;
mod write;

pub use error::Error;
pub use plan::{Plan, Planned};
pub use recipe::{RECIPES, Recipe, names};
