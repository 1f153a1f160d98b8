//! The built-in model: a small story-teller made by this project (`tools/train`), so that there is something to run on a machine
//! without a network. Feature `builtin`.

use crate::gguf::{Error, Gguf};

/// The model's file, as it lies in the repository and in the program.
pub static FILE: &[u8] = include_bytes!("../models/builtin.gguf");

/// Opens the model, in place in the program's own pages.
///
/// # Errors
///
/// If the file was damaged when the program was built.
pub fn open() -> Result<Gguf, Error> {
    Gguf::from_static(FILE)
}
