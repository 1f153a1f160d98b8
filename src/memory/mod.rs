//! What memory a run takes, planned from the header of a file before anything is allocated, and whether it fits. For programs that ask first, above
//! all `siskin plan` and `siskin generate`.
//!
//! | file | what |
//! |---|---|
//! | `footprint.rs` | what a run takes, class by class |
//! | `groups.rs` | weights and cache by what they are for |
//! | `budget.rs` | what there is, what does not fit, and what would |
//! | `probe.rs` | how fast memory is read |
//! | `size.rs` | bytes for people |
//!
//! *Mapped* weights belong to the file: the system drops and rereads them as it likes, so a model that is larger than the memory is slow and no
//! failure. *Owned* memory is allocated and cannot be dropped: if it does not fit, nothing should begin.
//!
//! ```
//! use siskin::gguf::Gguf;
//! use siskin::machine::Machine;
//! use siskin::memory::{Budget, Footprint};
//! use siskin::model::Model;
//! use siskin::session::{Extent, Options};
//! use siskin::tokenizer;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = Gguf::open_header(concat!(env!("CARGO_MANIFEST_DIR"), "/models/builtin.gguf"))?;
//! let (model, options, threads) = (Model::load(&file)?, Options::default(), 2);
//! let extent = Extent::of_prompt(&model, &options, 100);
//! let plan = extent.plan(&model, 0, threads, &options).ok_or("too large")?;
//! let size = tokenizer::Size::estimate(file.metadata())?;
//! let footprint = Footprint::new(&file, &model, plan, size, threads);
//! println!("{} bytes owned, {} mapped", footprint.owned(), footprint.mapped);
//! Budget::new(&Machine::this(), None).check(&footprint, || None)?;
//! # Ok(())
//! # }
//! ```

mod budget;
mod footprint;
mod groups;
mod probe;

pub use crate::machine::Size;
pub use budget::{Bound, Budget, Error, Streamed};
pub use footprint::{Footprint, PROGRAM_BYTES};
pub use groups::{CacheGroup, WeightGroup, as_format, cache_groups, group_of, weight_groups};
pub use probe::{bandwidth, sum};
