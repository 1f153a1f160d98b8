//! The targets: what each takes for an input, and what it promises whatever the input.

mod cache;
mod gguf;
mod metadata;
mod stop;
mod template;
mod tokens;

pub use cache::CACHE;
pub use gguf::GGUF;
pub use metadata::METADATA;
pub use stop::STOP;
pub use template::TEMPLATE;
pub use tokens::{DETOKENIZER, TOKENIZER};

/// Bytes that a case may take where the input does not decide.
const SOME_MEMORY: usize = 64 << 20;

/// Cuts an input in two at the first byte 0xff, which no text has.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = bytes.iter().position(|&byte| byte == 0xff).unwrap_or(bytes.len());
    (&bytes[..at], bytes.get(at + 1..).unwrap_or_default())
}
