//! Damaged and strange vocabularies: an error with a name, or a tokenizer that works. Never a panic.

use proptest::prelude::*;

use super::fixtures::*;
use crate::tokenizer::special::{ENDS, MOST_ENDS, Special};
use crate::tokenizer::vocab::Vocab;
use crate::tokenizer::{Encode, Error, Kind, TokenKind};

fn vocab(texts: &[&str], kinds: usize, scores: usize) -> Result<Vocab, Error> {
    let texts = texts.iter().map(|text| Ok(text.as_bytes()));
    Vocab::new(texts.clone(), texts.len(), vec![TokenKind::Normal; kinds], vec![0.0; scores])
}

fn message(result: Result<Vocab, Error>) -> String {
    result.err().expect("an error").to_string()
}

#[test]
fn lists_must_match_in_length() {
    assert!(vocab(&["a", "b"], 2, 2).is_ok());
    assert!(vocab(&["a", "b"], 2, 0).is_ok());
    assert!(
        message(vocab(&["a", "b"], 1, 2))
            .starts_with("tokenizer.ggml.token_type: found 1 entries, expected 2")
    );
    assert!(
        message(vocab(&["a", "b"], 2, 3)).starts_with("tokenizer.ggml.scores: found 3 entries, expected 2")
    );
}

#[test]
fn a_text_may_occur_once() {
    assert!(message(vocab(&["a", "b", "a"], 3, 0)).contains("'a' is both token 0 and token 2"));
    assert!(message(vocab(&[], 0, 0)).contains("found no token"));
}

#[test]
fn empty_texts_get_a_name() {
    let vocab = vocab(&["a", "", "b", ""], 4, 0).unwrap();
    assert_eq!(vocab.find_token(b"[EMPTY_1]"), Some(1));
    assert_eq!(vocab.find_token(b"[EMPTY_3]"), Some(3));
    assert_eq!(vocab.find_token(b""), None);
}

#[test]
fn bos_that_is_asked_for_must_exist() {
    let mut recipe = Recipe::bpe(bpe_entries(&[]), Vec::new(), "gpt-2");
    recipe.add_bos = Some(true);
    let error = recipe.build().err().unwrap();
    assert_eq!(
        error.to_string(),
        "tokenizer.ggml.add_bos_token is true, but tokenizer.ggml.bos_token_id is not set: there is no token to add"
    );
    // A default is not an order.
    let tokenizer = Recipe::bpe(bpe_entries(&[]), Vec::new(), "llama-bpe").build().unwrap();
    assert!(!tokenizer.adds_bos());
}

#[test]
fn unknown_pre_tokenizers_are_never_silent() {
    let build = |pre| Recipe::bpe(bpe_entries(&[]), Vec::new(), pre).build().unwrap();
    assert_eq!(build("qwen2").pre_warning(), None);
    let unknown = build("no-such-rule");
    assert!(
        unknown
            .pre_warning()
            .unwrap()
            .starts_with("tokenizer.ggml.pre: 'no-such-rule' is not known, 'default' is used")
    );
    assert_eq!(unknown.pre(), Some("no-such-rule"));
    let refused = Recipe::bpe(bpe_entries(&[]), Vec::new(), "whitespace").build().err().unwrap();
    assert!(refused.to_string().starts_with("tokenizer.ggml.pre: 'whitespace' is not supported"));
    assert!(build("").pre_warning().unwrap().starts_with("tokenizer.ggml.pre is not set"));
}

#[test]
fn without_byte_tokens_text_becomes_unknown() {
    let entries = vec![
        entry("<unk>", TokenKind::Unknown, 0.0),
        entry("▁a", TokenKind::Normal, -1.0),
        entry("▁", TokenKind::Normal, -2.0),
        entry("a", TokenKind::Normal, -3.0),
    ];
    let tokenizer = Recipe::spm(entries).build().unwrap();
    // One unknown token for a run, as SentencePiece makes it.
    assert_eq!(shown(&tokenizer, &tokenizer.encode("a xé中 a", PLAIN)), ["▁a", "▁", "<unk>", "▁a"]);
    // The memory of words survives the fusing.
    let text = "xx yy a ".repeat(60);
    let once = ["▁", "<unk>", "▁", "<unk>", "▁a"];
    let expected = once.repeat(60);
    assert_eq!(shown(&tokenizer, &tokenizer.encode(&text, PLAIN))[..300], expected);
}

#[test]
fn without_bytes_or_unknown_token_byte_level_text_is_dropped_but_nothing_breaks() {
    let entries = vec![entry("a", TokenKind::Normal, 0.0), entry("<x>", TokenKind::Unknown, 0.0)];
    let mut recipe = Recipe::bpe(entries.clone(), vec!["a b".into()], "gpt-2");
    assert_eq!(recipe.build().unwrap().encode("ab a", PLAIN), [0, 0]);
    recipe = Recipe::bpe(entries, vec!["a b".into()], "gpt-2");
    recipe.special.unknown = Some(1);
    assert_eq!(recipe.build().unwrap().encode("ba", PLAIN), [1, 0]);
}

#[test]
fn a_merge_that_yields_no_token_falls_back_to_bytes() {
    let mut merges: Vec<String> = ["a b", "ab c"].map(String::from).into();
    let entries = bpe_entries(&merges[..1]);
    let tokenizer = Recipe::bpe(entries, merges.clone(), "gpt-2").build().unwrap();
    // "abc" is merged but is no token: its three bytes remain. "abd" shows that the first merge is one.
    assert_eq!(shown(&tokenizer, &tokenizer.encode("abc", PLAIN)), ["a", "b", "c"]);
    assert_eq!(shown(&tokenizer, &tokenizer.encode("abd", PLAIN)), ["ab", "d"]);
    // Lines that are no merge are passed over.
    merges.extend(["", " ", "x", " y", "\u{0} "].map(String::from));
    Recipe::bpe(bpe_entries(&[]), merges, "gpt-2").build().unwrap();
}

#[test]
fn control_tokens_come_from_text_only_when_parsed() {
    // `</` and `s>` are tokens, so that merging would reach `</s>`.
    let tokenizer = Recipe::spm(spm_entries(&["▁", "<", "/", "s", ">", "</", "s>"])).build().unwrap();
    assert_eq!(shown(&tokenizer, &tokenizer.encode("</s>", PLAIN)), ["▁", "</", "s>"]);
    let parsed = Encode { add_special: false, parse_special: true };
    assert_eq!(shown(&tokenizer, &tokenizer.encode("</s>s", parsed)), ["</s>", "▁", "s"]);
    assert!(tokenizer.is_eog(2));
}

#[test]
fn phi3_strips_blanks_after_special_tokens() {
    let mut recipe = Recipe::spm(spm_entries(&["▁", "a", "▁a"]));
    recipe.model_name = "phi-3 mini";
    recipe.space_prefix = Some(false);
    let tokenizer = recipe.build().unwrap();
    let parsed = Encode { add_special: false, parse_special: true };
    assert_eq!(
        shown(&tokenizer, &tokenizer.encode("a</s> \na<s> a", parsed)),
        ["a", "</s>", "a", "<s>", "▁a"]
    );
}

/// As many as there can be: all that are known by text, and others that the file names.
#[test]
fn a_vocabulary_has_only_so_many_ends() {
    let mut entries = bpe_entries(&[]);
    let first = entries.len() as u32;
    // two of the texts end nothing beside others
    entries.extend(ENDS.iter().map(|name| entry(name, TokenKind::Control, 0.0)));
    entries.extend((0..6).map(|i| entry(&format!("<named {i}>"), TokenKind::Normal, 0.0)));
    let named = |i: u32| Some(first + ENDS.len() as u32 + i);
    let mut recipe = Recipe::bpe(entries, Vec::new(), "gpt-4o");
    (recipe.special.eos, recipe.special.eot, recipe.special.eom) = (named(0), named(1), named(2));
    (recipe.special.fim_pad, recipe.special.fim_repo, recipe.special.fim_separator) =
        (named(3), named(4), named(5));
    assert_eq!(recipe.build().unwrap().eog().len(), MOST_ENDS - 2);
    assert_eq!(MOST_ENDS, 28);
}

/// gpt-oss ends parts of its answers with `<|end|>` and shows its channels; both differ from what the texts
/// usually mean.
#[test]
fn parts_of_an_answer_do_not_end_it() {
    let names = ["<|return|>", "<|call|>", "<|end|>", "<|channel|>", "<|endoftext|>"];
    let mut entries = bpe_entries(&[]);
    entries.extend(names.iter().map(|name| entry(name, TokenKind::Control, 0.0)));
    let tokenizer = Recipe::bpe(entries, Vec::new(), "gpt-4o").build().unwrap();
    let ends: Vec<bool> = (256..261).map(|id| tokenizer.is_eog(id)).collect();
    assert_eq!(ends, [true, true, false, false, true]);
    assert_eq!(tokenizer.token(258).unwrap().kind, TokenKind::UserDefined);
    assert_eq!(tokenizer.token(259).unwrap().kind, TokenKind::UserDefined);
}

fn any_kind() -> impl Strategy<Value = TokenKind> {
    use TokenKind::*;
    prop::sample::select(vec![Normal, Unknown, Control, UserDefined, Unused, Byte])
}

proptest! {
    #[test]
    fn no_vocabulary_and_no_text_panics(
        texts in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..5),
            "[ab▁ <>\n]{0,4}".prop_map(String::into_bytes),
        ], 0..40),
        kinds in prop::collection::vec(any_kind(), 40),
        scores in prop::collection::vec(any::<f32>(), 40),
        merges in prop::collection::vec("[ab▁ Ġ\n]{0,6}", 0..30),
        pre in prop::sample::select(vec!["llama-bpe", "gemma4", "tekken", "deepseek-v3", "viking", "?"]),
        kind in prop::sample::select(vec![Kind::Bpe, Kind::Spm, Kind::Wpm, Kind::Ugm]),
        charsmap in prop::collection::vec(prop_oneof![Just(0u8), Just(97u8), any::<u8>()], 0..600),
        spaces in any::<[bool; 2]>(),
        text in prop_oneof![any::<String>(), "[ab▁ <>\n]{0,300}"],
        ids in prop::collection::vec(prop_oneof![0u32..50, any::<u32>()], 0..20),
    ) {
        let entries = texts.into_iter().zip(kinds).zip(scores).map(|((text, kind), score)| (text, kind, score)).collect();
        let mut recipe = Recipe::bpe(entries, merges, pre);
        recipe.kind = kind;
        let array = charsmap.len() as u32 * 3 / 4;
        recipe.charsmap = [&array.to_le_bytes(), charsmap.as_slice()].concat();
        [recipe.space_prefix, recipe.merge_spaces] = spaces.map(Some);
        recipe.special = Special::default();
        let Ok(tokenizer) = recipe.build() else { return Ok(()) };
        for (add_special, parse_special) in [(false, false), (true, true)] {
            let encoded = tokenizer.encode(&text, Encode { add_special, parse_special });
            prop_assert!(encoded.iter().all(|&id| tokenizer.token(id).is_some()));
            tokenizer.decode(&encoded);
        }
        tokenizer.decode(&ids);
    }
}
