//! The ids of rendered text.

use crate::tokenizer::{Encode, TokenId, Tokenizer};

/// The ids of text that a template rendered: special tokens in it are parsed; BOS is added where the file asks for it and the template
/// did not write it; EOS never, because the answer follows.
///
/// Texts of special tokens that a user typed become these tokens too: whoever lets others write messages must take them out.
pub fn encode(tokenizer: &Tokenizer, rendered: &str) -> Vec<TokenId> {
    let mut ids = tokenizer.encode(rendered, Encode { add_special: false, parse_special: true });
    if tokenizer.adds_bos()
        && let Some(bos) = tokenizer.bos()
        && ids.first() != Some(&bos)
    {
        ids.insert(0, bos);
    }
    ids
}
