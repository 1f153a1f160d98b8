//! The key-value cache: [`ring`] knows which slot holds which position and nothing else; [`cache`] holds the bytes.

pub mod cache;
pub mod ring;

pub use cache::{Cache, KvType};
pub use ring::Ring;
