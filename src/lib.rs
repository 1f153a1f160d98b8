//! siskin runs quantized language models from GGUF files on laptops and small boards.
//!
//! The rooms, from the bottom up; imports point downward only:
//!
//! | room | what lives there |
//! |---|---|
//! | [`siskin_simd`] | arithmetic on bytes: block formats, kernels, vector operations |
//! | [`gguf`] | the file: mapped, validated once, then trusted |
//! | [`tokenizer`] | text to token ids and back |

pub mod gguf;
pub mod tokenizer;
