//! The GGUF reader against hand-made files, real files, random damage, and another reader.

mod real;
