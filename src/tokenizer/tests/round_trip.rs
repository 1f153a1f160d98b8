//! Texts come back as they were, whatever they are and whatever the vocabulary is.

use proptest::prelude::*;

use super::fixtures::*;
use crate::tokenizer::{Encode, TokenKind, Tokenizer};
use siskin_tools::emulated;

fn small_bpe(pre: &'static str) -> Tokenizer {
    let merges: Vec<String> = ["h e", "l l", "he ll", "hell o", "Ġ hello", "Ġ Ġ", "Ã ©", "1 2", "Ċ Ċ", "' s"]
        .map(String::from)
        .into();
    Recipe::bpe(bpe_entries(&merges), merges, pre).build().unwrap()
}

fn small_spm(space_prefix: bool) -> Tokenizer {
    let mut entries =
        spm_entries(&["▁", "h", "e", "l", "o", "he", "ll", "hell", "hello", "▁hello", "▁▁", "é"]);
    entries.push(entry("<|user|>", TokenKind::UserDefined, 0.0));
    let mut recipe = Recipe::spm(entries);
    recipe.space_prefix = Some(space_prefix);
    recipe.build().unwrap()
}

const SPECIAL: Encode = Encode { add_special: true, parse_special: true };

/// Arbitrary characters, mixed with what the vocabularies know.
fn text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            " hello",
            "  ",
            "<|user|>",
            "<s>",
            "12345",
            "\n\n",
            "\r\n ",
            "'s",
            "é",
            "\u{3000}",
            "中文。"
        ])
        .prop_map(String::from),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn byte_level_texts_come_back(text in text(), which in 0..crate::tokenizer::split::supported_names().count()) {
        let name = crate::tokenizer::split::supported_names().nth(which).unwrap();
        let tokenizer = small_bpe(name);
        // The small vocabulary spells bytes; the rules that do not would have no token for most characters.
        prop_assume!(crate::tokenizer::split::rule(name).unwrap().byte_level);
        for options in [PLAIN, SPECIAL] {
            let ids = tokenizer.encode(&text, options);
            prop_assert_eq!(tokenizer.decode(&ids), text.as_bytes(), "{}", name);
        }
    }

    #[test]
    fn spm_texts_come_back(text in text(), space_prefix in any::<bool>()) {
        let ids = small_spm(space_prefix).encode(&text, PLAIN);
        // A ▁ in the text is a blank ever after.
        prop_assert_eq!(small_spm(space_prefix).decode(&ids), text.replace('▁', " ").into_bytes());
    }

    #[test]
    fn any_ids_decode_to_the_pieces(ids in prop::collection::vec(prop_oneof![0u32..300, any::<u32>()], 0..50)) {
        for tokenizer in [small_bpe("llama-bpe"), small_spm(false)] {
            let mut pieces = Vec::new();
            ids.iter().for_each(|&id| tokenizer.piece(id, &mut pieces));
            prop_assert_eq!(tokenizer.decode(&ids), pieces);
        }
        small_spm(true).decode(&ids);
    }
}

/// A megabyte of one thing, as one word or as very many: time and memory stay linear, and nothing is lost.
#[test]
fn long_monotonous_texts() {
    let bytes = match (emulated(), cfg!(debug_assertions)) {
        (true, _) => 10_000,
        (_, true) => 50_000,
        _ => 1_000_000,
    };
    for unit in ["a", " ", "\n", "hello", " \n", "'", "\u{3000}", "1", "é"] {
        let text = unit.repeat(bytes / unit.len());
        for pre in [
            "llama-bpe",
            "qwen35",
            "gpt-2",
            "gpt-4o",
            "falcon",
            "deepseek-llm",
            "deepseek-v3",
            "superbpe",
            "jais-2",
        ] {
            let tokenizer = small_bpe(pre);
            assert_eq!(tokenizer.decode(&tokenizer.encode(&text, PLAIN)), text.as_bytes(), "{pre} {unit:?}");
        }
        let tokenizer = small_spm(true);
        assert_eq!(tokenizer.decode(&tokenizer.encode(&text, PLAIN)), text.as_bytes(), "{unit:?}");
    }
}
