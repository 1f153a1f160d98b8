//! The obvious merge, a loop over all neighbours for each step, against the fast ones on random rules and
//! texts.

use std::collections::HashMap;

use proptest::prelude::*;

use super::fixtures::*;
use crate::tokenizer::merge::{Joins, Merger, Symbol};
use crate::tokenizer::table::Join;

/// Joins the leftmost pair of the lowest rank until there is none.
fn merge_slowly(word: &[u8], symbols: &mut Vec<Symbol>, rules: &impl Joins) {
    let join_at = |symbols: &[Symbol], at: usize| {
        let (left, right) = (symbols[at], symbols[at + 1]);
        rules.join(left.id, right.id, &word[left.start as usize..(right.start + right.len) as usize])
    };
    loop {
        let candidates = (1..symbols.len()).filter_map(|next| Some((join_at(symbols, next - 1)?, next - 1)));
        let Some((join, at)) = candidates.min_by_key(|(join, at)| (join.rank, *at)) else { return };
        symbols[at] =
            Symbol { id: join.id, start: symbols[at].start, len: symbols[at].len + symbols[at + 1].len };
        symbols.remove(at + 1);
    }
}

/// Rules over pairs of ids, as in byte-pair encoding. An id stands for one text, as it must.
struct Pairs(HashMap<(u32, u32), Join>);

impl Joins for Pairs {
    fn join(&self, left: u32, right: u32, _text: &[u8]) -> Option<Join> {
        self.0.get(&(left, right)).copied()
    }
}

/// Rules over texts, as in SentencePiece; ranks may be equal.
struct Texts(HashMap<Vec<u8>, Join>);

impl Joins for Texts {
    fn join(&self, _left: u32, _right: u32, text: &[u8]) -> Option<Join> {
        self.0.get(text).copied()
    }
}

/// Merges of texts over `ab` with ranks as they come: also ranks that fall, which no trained tokenizer has.
fn pairs(texts: &[(String, String)]) -> (Pairs, HashMap<Vec<u8>, u32>) {
    let mut ids: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut id = |text: &str| {
        let next = ids.len() as u32;
        *ids.entry(text.as_bytes().to_vec()).or_insert(next)
    };
    let mut rules = HashMap::new();
    for ((left, right), rank) in texts.iter().zip(0..) {
        let (both, pair) = (id(&format!("{left}{right}")), (id(left), id(right)));
        rules.entry(pair).or_insert(Join { rank, id: both });
    }
    id("a");
    id("b");
    (Pairs(rules), ids)
}

fn symbols_of(word: &[u8], id_of: impl Fn(u8) -> u32) -> Vec<Symbol> {
    word.iter().zip(0..).map(|(&byte, start)| Symbol { id: id_of(byte), start, len: 1 }).collect()
}

fn assert_same(word: &[u8], symbols: Vec<Symbol>, rules: &impl Joins) -> Result<(), TestCaseError> {
    let mut expected = symbols.clone();
    merge_slowly(word, &mut expected, rules);
    let mut merger = Merger::new();
    // Twice, so that what a merger keeps from the word before shows.
    for _ in 0..2 {
        merger.symbols.clone_from(&symbols);
        merger.merge(word, rules);
        prop_assert_eq!(&merger.symbols, &expected);
    }
    Ok(())
}

fn word() -> impl Strategy<Value = String> {
    // On both sides of the border between short and long words.
    prop_oneof!["[ab]{0,40}", "[ab]{60,70}", "[ab]{100,300}", "a{65,300}"]
}

proptest! {
    #[test]
    fn pair_rules_merge_like_the_oracle(
        texts in prop::collection::vec(("[ab]{1,4}", "[ab]{1,4}"), 0..30),
        word in word(),
    ) {
        let (rules, ids) = pairs(&texts);
        let symbols = symbols_of(word.as_bytes(), |byte| ids[[byte].as_slice()]);
        assert_same(word.as_bytes(), symbols, &rules)?;
    }

    #[test]
    fn text_rules_merge_like_the_oracle(
        texts in prop::collection::hash_map("[ab]{2,6}", 0u32..6, 0..30),
        word in word(),
    ) {
        let rules = texts.into_iter().zip(0..);
        let rules = Texts(rules.map(|((text, rank), id)| (text.into_bytes(), Join { rank, id })).collect());
        let symbols = symbols_of(word.as_bytes(), |_| 0);
        assert_same(word.as_bytes(), symbols, &rules)?;
    }

    /// Words, the memory of words and cuts at blanks must not show: one merge over the whole text gives the
    /// same.
    #[test]
    fn spm_equals_one_merge_over_the_whole_text(
        words in prop::collection::hash_set("[ab▁]{2,4}", 0..30),
        text in "[ab ]{0,600}",
    ) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut entries = spm_entries(&["a", "b", "▁"]);
        entries.extend(words.iter().zip(0..).map(|(word, i)| {
            entry(word, crate::tokenizer::TokenKind::Normal, -((i / 2) as f32))
        }));
        let rules = entries.iter().zip(0..).filter(|(entry, _)| entry.1 == crate::tokenizer::TokenKind::Normal);
        let rules = Texts(rules.map(|(entry, id)| (entry.0.clone(), Join { rank: (-entry.2) as u32, id })).collect());
        let mut recipe = Recipe::spm(entries);
        recipe.space_prefix = Some(false);
        let tokenizer = recipe.build().unwrap();

        let escaped = text.replace(' ', "▁");
        let mut expected: Vec<Symbol> = escaped
            .char_indices()
            .map(|(start, c)| {
                let id = rules.0[c.to_string().as_bytes()].id;
                Symbol { id, start: start as u32, len: c.len_utf8() as u32 }
            })
            .collect();
        merge_slowly(escaped.as_bytes(), &mut expected, &rules);
        let expected: Vec<u32> = expected.into_iter().map(|symbol| symbol.id).collect();
        prop_assert_eq!(tokenizer.encode(&text, PLAIN), expected);
    }
}
