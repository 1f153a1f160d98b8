//! Tokenizers, there and back.

use super::{SOME_MEMORY, split};
use crate::fuzz::{Target, seeds};
use siskin::gguf::Gguf;
use siskin::tokenizer::{Encode, TextStream, TokenId, Tokenizer};
use std::sync::OnceLock;

/// A text, the byte 0xff, and a file with a vocabulary. No panic, ids that exist, and as many of them as there can be.
pub const TOKENIZER: Target = Target {
    name: "tokenizer",
    run: encode,
    seeds: seeds::texts,
    words: &[
        "tokenizer.ggml.",
        "tokens",
        "scores",
        "merges",
        "\u{2581}",
        "\u{120}",
        "<0x0A>",
        "<s>",
        "  ",
        "\u{301}",
    ],
    memory: |_| SOME_MEMORY,
};

/// One byte for the vocabulary, one for the cuts, and ids of two bytes each. Text that comes in pieces is the text of all bytes.
pub const DETOKENIZER: Target = Target {
    name: "detokenizer",
    run: decode,
    seeds: seeds::ids,
    words: &["\u{0}\u{0}", "\u{1}\u{0}"],
    memory: |_| SOME_MEMORY,
};

fn encode(bytes: Vec<u8>) {
    let (text, file) = split(&bytes);
    let Ok(file) = Gguf::from_vec(file.to_vec()) else { return };
    let Ok(tokenizer) = Tokenizer::from_metadata(file.metadata()) else { return };
    let text = String::from_utf8_lossy(text);
    for parse_special in [false, true] {
        let ids = tokenizer.encode(&text, Encode { add_special: true, parse_special });
        assert!(ids.iter().all(|&id| (id as usize) < tokenizer.len()));
        // unknown bytes are a token each, Unigram's map may make three characters of one, and two are added
        assert!(ids.len() <= 20 * (text.len() + 1) + 2, "{} ids of {} bytes", ids.len(), text.len());
        drop(tokenizer.decode(&ids));
    }
}

/// One tokenizer of each kind.
fn tokenizers() -> &'static [Tokenizer] {
    static ALL: OnceLock<Vec<Tokenizer>> = OnceLock::new();
    ALL.get_or_init(|| {
        let files = seeds::vocabularies().into_iter().map(|file| Gguf::from_vec(file).expect("a sound file"));
        files.map(|file| Tokenizer::from_metadata(file.metadata()).expect("a sound vocabulary")).collect()
    })
}

fn decode(bytes: Vec<u8>) {
    let [which, cut, ids @ ..] = bytes.as_slice() else { return };
    let all = tokenizers();
    let tokenizer = &all[usize::from(*which) % all.len()];
    let (ids, _) = ids.as_chunks::<2>();
    let ids: Vec<TokenId> = ids.iter().map(|id| TokenId::from(u16::from_le_bytes(*id))).collect();
    drop(tokenizer.decode(&ids));
    let mut bytes = Vec::new();
    ids.iter().for_each(|&id| tokenizer.piece(id, &mut bytes));
    streamed(&bytes, usize::from(*cut) % 5 + 1);
    // what no token says, too
    streamed(&ids.iter().map(|&id| id as u8).collect::<Vec<_>>(), usize::from(*cut) % 3 + 1);
}

fn streamed(bytes: &[u8], cut: usize) {
    let (mut stream, mut text) = (TextStream::new(), String::new());
    for part in bytes.chunks(cut) {
        stream.push(part, &mut text);
        assert!(stream.held_bytes() < 4);
    }
    stream.finish(&mut text);
    assert_eq!(text, String::from_utf8_lossy(bytes));
}
