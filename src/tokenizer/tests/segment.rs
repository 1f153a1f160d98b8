//! WordPiece and Unigram beside the obvious way to do the same.

use std::collections::HashMap;

use proptest::prelude::*;

use super::fixtures::*;
use crate::tokenizer::{Kind, TokenId, TokenKind, Tokenizer};

/// The longest token, again and again; all of it unknown where there is none.
fn word_pieces(tokens: &HashMap<&str, TokenId>, word: &str) -> Vec<TokenId> {
    let (mut ids, mut rest) = (Vec::new(), word);
    while !rest.is_empty() {
        let longest = (1..=rest.len()).rev().find_map(|len| Some((len, *tokens.get(rest.get(..len)?)?)));
        let Some((len, id)) = longest else { return vec![0] };
        ids.push(id);
        rest = &rest[len..];
    }
    ids
}

fn wordpiece(words: &[&str]) -> Tokenizer {
    let mut entries = vec![entry("[UNK]", TokenKind::Unknown, 0.0)];
    entries.extend(words.iter().map(|word| entry(word, TokenKind::Normal, 0.0)));
    Recipe { kind: Kind::Wpm, lowercase: Some(false), ..Recipe::spm(entries) }.build().unwrap()
}

/// A Unigram tokenizer with `<unk>` as token 0, then `words` with their scores.
fn unigram(words: &[(String, i8)], spaces: [bool; 2], rules: &[(String, String)]) -> Tokenizer {
    let mut entries = vec![entry("<unk>", TokenKind::Unknown, 0.0)];
    entries.extend(words.iter().map(|(word, score)| entry(word, TokenKind::Normal, f32::from(*score))));
    let mut recipe = Recipe { kind: Kind::Ugm, charsmap: charsmap(rules), ..Recipe::spm(entries) };
    recipe.space_prefix = Some(spaces[0]);
    recipe.merge_spaces = Some(spaces[1]);
    recipe.build().unwrap()
}

/// A character map in the format of SentencePiece, with 256 units for each state: easy, and far too large.
fn charsmap(rules: &[(String, String)]) -> Vec<u8> {
    let (mut states, mut values, mut texts) = (vec![HashMap::new()], HashMap::new(), Vec::new());
    for (key, replacement) in rules {
        let mut at = 0;
        for byte in key.bytes() {
            let free = states.len();
            at = *states[at].entry(byte).or_insert(free);
            if at == free {
                states.push(HashMap::new());
            }
        }
        values.insert(at, texts.len() as u32);
        texts.extend([replacement.as_bytes(), b"\0"].concat());
    }
    // The children of state i are in the units from 256 (i + 1).
    let children_of = |state: usize| 256 * (state as u32 + 1);
    let mut units = vec![0u32; 256 * (states.len() + 1)];
    units[0] = children_of(0) << 10;
    for (state, children) in states.iter().enumerate() {
        for (&byte, &child) in children {
            let index = children_of(state) + u32::from(byte);
            let leaf = u32::from(values.contains_key(&child)) << 8;
            units[index as usize] = (index ^ children_of(child)) << 10 | leaf | u32::from(byte);
        }
        if let Some(value) = values.get(&state) {
            units[children_of(state) as usize] = 1 << 31 | value;
        }
    }
    let array: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    [&(array.len() as u32).to_le_bytes(), array.as_slice(), &texts, b"\0"].concat()
}

/// The longest rule first, then what the flags say of blanks.
fn normalized(text: &str, [prefix, merge]: [bool; 2], rules: &[(String, String)]) -> String {
    let (mut replaced, mut rest) = (String::new(), text);
    while let Some(c) = rest.chars().next() {
        let rule = rules.iter().filter(|rule| rest.starts_with(&rule.0)).max_by_key(|rule| rule.0.len());
        match rule {
            Some((_, replacement)) => replaced.push_str(replacement),
            None => replaced.push(c),
        }
        rest = &rest[rule.map_or(c.len_utf8(), |rule| rule.0.len())..];
    }
    if merge {
        return replaced.split(' ').filter(|word| !word.is_empty()).map(|word| format!("▁{word}")).collect();
    }
    let word = replaced.find(|c| c != ' ').filter(|_| prefix);
    let (blanks, words) = replaced.split_at(word.unwrap_or(0));
    format!("{blanks}{}{words}", if word.is_some() { " " } else { "" }).replace(' ', "▁")
}

/// The best way to every place from every place before it.
fn best_segmentation(text: &str, tokens: &HashMap<&str, (TokenId, f64)>, unknown_score: f64) -> Vec<TokenId> {
    let mut best: Vec<Option<(f64, TokenId, usize)>> = vec![None; text.len() + 1];
    best[0] = Some((0.0, 0, 0));
    let places: Vec<usize> = (0..=text.len()).filter(|&at| text.is_char_boundary(at)).collect();
    for (index, &end) in places.iter().enumerate() {
        for (nearness, &start) in places[..index].iter().enumerate() {
            let is_character = nearness + 1 == index;
            let unknown = is_character.then_some((0, unknown_score));
            let Some((id, score)) = tokens.get(&text[start..end]).copied().or(unknown) else { continue };
            let score = best[start].unwrap().0 + score;
            if best[end].is_none_or(|known| score > known.0) {
                best[end] = Some((score, id, start));
            }
        }
    }
    let (mut ids, mut at) = (Vec::new(), text.len());
    while at > 0 {
        let (_, id, start) = best[at].unwrap();
        ids.push(id);
        at = start;
    }
    ids.reverse();
    ids.dedup_by(|a, b| (*a, *b) == (0, 0));
    ids
}

fn rules() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::hash_map("[ab é\u{3000}]{1,3}", "[ab x]{0,2}", 0..8).prop_map(Vec::from_iter)
}

proptest! {
    #[test]
    fn wordpiece_takes_the_longest_token(
        tokens in prop::collection::hash_set("▁?[abé]{1,4}|▁,|▁中", 1..40),
        text in "[abé ,中\n]{0,60}",
    ) {
        let words: Vec<&str> = tokens.iter().map(String::as_str).collect();
        let ids: HashMap<&str, TokenId> = words.iter().copied().zip(1..).collect();
        let spaced = text.replace(',', " , ").replace('中', " 中 ");
        let expected: Vec<TokenId> =
            spaced.split_whitespace().flat_map(|word| word_pieces(&ids, &format!("▁{word}"))).collect();
        prop_assert_eq!(wordpiece(&words).encode(&text, PLAIN), expected);
    }

    #[test]
    fn unigram_takes_the_best_segmentation(
        words in prop::collection::hash_map("[ab▁éx]{1,4}", -9i8..0, 1..40),
        spaces in any::<[bool; 2]>(),
        rules in rules(),
        text in prop_oneof!["[abé c\u{3000}]{0,50}", "[ab]{0,200}", "[ ]{0,9}"],
    ) {
        let words = Vec::from_iter(words);
        let tokenizer = unigram(&words, spaces, &rules);
        let tokens: HashMap<&str, (TokenId, f64)> =
            words.iter().zip(1..).map(|((word, score), id)| (word.as_str(), (id, f64::from(*score)))).collect();
        let worst = words.iter().map(|word| word.1).min().unwrap();
        let text_now = normalized(&text, spaces, &rules);
        let expected = best_segmentation(&text_now, &tokens, f64::from(worst) - 10.0);
        prop_assert_eq!(tokenizer.encode(&text, PLAIN), expected, "normalized to {:?}", text_now);
    }
}

/// A megabyte of one thing: time and memory stay linear, and nothing is lost.
#[test]
fn long_monotonous_texts() {
    let bytes = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
    let known = ["a", "aa", "aaaaaaa", "▁", "▁▁▁", "\n", "\n\n", "▁a", "▁aa"];
    let words: Vec<(String, i8)> =
        known.iter().zip(1..).map(|(word, score)| (word.to_string(), -score)).collect();
    let rules = [("\u{3000}".to_string(), "a".to_string())];
    let (unigram, wordpiece) = (unigram(&words, [false, false], &rules), wordpiece(&known));
    for unit in ["a", " ", "\n", "a ", " \n", "\u{3000}"] {
        let text = unit.repeat(bytes / unit.len());
        let ids = unigram.encode(&text, PLAIN);
        assert_eq!(unigram.decode(&ids), text.replace('\u{3000}', "a").into_bytes(), "{unit:?}");
        let ids = wordpiece.encode(&text, PLAIN);
        assert_eq!(wordpiece.decode(&ids), text.trim().as_bytes(), "{unit:?}");
    }
    // A run of unknown characters, and a long word that is unknown at its very end.
    assert_eq!(unigram.encode(&"é".repeat(bytes), PLAIN), [0]);
    assert_eq!(wordpiece.encode(&("a".repeat(bytes) + "é"), PLAIN), [0]);
}

#[test]
fn user_defined_tokens_cost_nothing_and_unused_ones_are_found() {
    let mut entries =
        vec![entry("<unk>", TokenKind::Unknown, 0.0), entry("A", TokenKind::UserDefined, -99.0)];
    entries.extend([("a", -1.0), ("aa", -1.5)].map(|(text, score)| entry(text, TokenKind::Normal, score)));
    entries.push(entry("aaa", TokenKind::Unused, -0.5));
    entries.push(entry("b", TokenKind::Control, -0.1));
    let rules = [("Ａ".to_string(), "A".to_string())];
    let recipe = Recipe { kind: Kind::Ugm, charsmap: charsmap(&rules), ..Recipe::spm(entries) };
    let tokenizer = Recipe { space_prefix: Some(false), ..recipe }.build().unwrap();
    // Cut out of the text, or made by the normalizer: the same token.
    assert_eq!(tokenizer.encode("aAＡaaaaab", PLAIN), [2, 1, 1, 3, 4, 0]);
}

#[test]
fn damaged_charsmaps_have_an_error() {
    let build = |blob: &[u8]| {
        let entries = vec![entry("<unk>", TokenKind::Unknown, 0.0), entry("a", TokenKind::Normal, -1.0)];
        Recipe { kind: Kind::Ugm, charsmap: blob.to_vec(), ..Recipe::spm(entries) }.build()
    };
    for (blob, expected) in [
        (&[1u8, 0][..], "found 2 bytes, expected at least 5"),
        (&[0, 0, 0, 0], "found 4 bytes, expected at least 5"),
        (&[8, 0, 0, 0, 1, 2, 3, 4], "found 8 bytes, expected at least 13"),
        (&[0xff; 40], "found 40 bytes, expected at least 4294967300"),
    ] {
        let message = build(blob).err().unwrap().to_string();
        assert!(
            message.starts_with(&format!("tokenizer.ggml.precompiled_charsmap: {expected}")),
            "{message}"
        );
    }
    assert!(build(&[]).is_ok());
}

/// Units that lead back to where they came from, and a value outside: found only while encoding, and no key.
#[test]
fn a_charsmap_that_runs_in_circles_ends() {
    // The children of unit 0 begin at 0 itself: 'a' is at 97, and its children again at 0.
    let mut units = [0u32; 128];
    units[97] = 97 << 10 | 97;
    let array: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    for leaf in [0, 1] {
        let mut array = array.clone();
        array[97 * 4 + 1] |= leaf;
        array[0] = 200;
        let blob = [&(array.len() as u32).to_le_bytes(), array.as_slice(), b"x\0"].concat();
        let entries = vec![entry("<unk>", TokenKind::Unknown, 0.0), entry("a", TokenKind::Normal, -1.0)];
        let tokenizer = Recipe { kind: Kind::Ugm, charsmap: blob, ..Recipe::spm(entries) }.build().unwrap();
        assert_eq!(tokenizer.encode(&"a".repeat(10_000), PLAIN).len(), 10_000);
    }
}
