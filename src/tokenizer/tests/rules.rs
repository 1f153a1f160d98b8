//! Where each pre-tokenizer cuts.

use proptest::prelude::*;

use crate::tokenizer::split::{rule, split, supported_names};

fn words<'a>(name: &str, text: &'a str) -> Vec<&'a str> {
    let mut words = Vec::new();
    split(rule(name).unwrap(), text, &mut |word| words.push(&text[word]));
    words
}

#[test]
fn llama3_words() {
    let text = "I'LL go  to 12345 km!!\n\n  ok 'x ½\u{301}a\r\n \n end  ";
    let expected = [
        "I", "'LL", " go", " ", " to", " ", "123", "45", " km", "!!\n\n", " ", " ok", " '", "x", " ", "½",
        "\u{301}a", "\r\n \n", " end", "  ",
    ];
    assert_eq!(words("llama-bpe", text), expected);
}

#[test]
fn qwen_words_differ_in_numbers_and_marks() {
    assert_eq!(words("qwen2", "a12 e\u{301}e"), ["a", "1", "2", " e", "\u{301}e"]);
    assert_eq!(words("qwen35", "a12 e\u{301}e"), ["a", "1", "2", " e\u{301}e"]);
    assert_eq!(words("qwen2", "!\u{301} "), ["!\u{301}", " "]);
    assert_eq!(words("qwen35", "?!\u{301} "), ["?!", "\u{301}", " "]);
}

#[test]
fn gpt2_words() {
    let text = "don't DON'T x1  2\n\ny !?\n z";
    let expected = ["don", "'t", " DON", "'", "T", " x", "1", " ", " 2", "\n", "\n", "y", " !?", "\n", " z"];
    assert_eq!(words("gpt-2", text), expected);
    assert_eq!(words("starcoder", " 12"), [" ", "1", "2"]);
    assert_eq!(words("falcon", " 12345 a!"), [" ", "123", "45", " a", "!"]);
}

#[test]
fn cased_words() {
    assert_eq!(
        words("gpt-4o", "HelloWorld ABCdef XYZ aB'S"),
        ["Hello", "World", " ABCdef", " XYZ", " a", "B'S"]
    );
    assert_eq!(words("tekken", "aB'S 12"), ["a", "B", "'S", " ", "1", "2"]);
    // A letter without ASCII case ends a run of capitals.
    assert_eq!(words("gpt-4o", "ÀÀBC é"), ["ÀÀ", "BC", " é"]);
    assert_eq!(words("gpt-4o", "a /\n/b"), ["a", " /\n/", "b"]);
}

#[test]
fn deepseek_words() {
    assert_eq!(
        words("deepseek-llm", "ab 中文 12\n\n !x  "),
        ["ab", " ", "中文", " ", "12", "\n", "\n", " !", "x", "  "]
    );
    assert_eq!(
        words("deepseek-v3", "a.b 中文 1234 !\n x"),
        ["a", ".b", " ", "中文", " ", "123", "4", " !\n", " x"]
    );
    assert_eq!(words("deepseek-coder", "x = 12"), ["x", " = ", "1", "2"]);
}

#[test]
fn digits_from_the_right_and_spaces_in_powers() {
    assert_eq!(words("superbpe", "a1234567 12"), ["a", "1", "234", "567", " ", "12"]);
    assert_eq!(words("superbpe", "123456"), ["123", "456"]);
    let spaces = words("jais-2", "x       y").iter().map(|word| word.len()).collect::<Vec<_>>();
    assert_eq!(spaces, [1, 4, 2, 2]);
}

#[test]
fn lines_of_gemma() {
    assert_eq!(words("gemma4", "a▁b\n\nc\n"), ["a▁b", "\n\n", "c", "\n"]);
}

#[test]
fn words_of_kimi() {
    let text = "a  中 x'LL中't (中)\n 12345";
    let expected = ["a", " ", " ", "中", " x'LL", "中", "'t", " (", "中", ")\n", " ", "123", "45"];
    assert_eq!(words("kimi-k2", text), expected);
}

#[test]
fn names_and_indents_of_chameleon() {
    let text = "a<sentinel:12>IMGIMGAZ\t     b1!?";
    let expected = ["a", "<", "sentinel", ":", "1", "2", ">", "IMGIMGAZ", "\t", "    ", " b", "1", "!", "?"];
    assert_eq!(words("chameleon", text), expected);
}

#[test]
fn numbers_in_threes_from_the_right() {
    // The range for Thai begins at a vowel.
    assert_eq!(words("afmoe", "x1234567 ไทย"), ["x", "1", "234", "567", " ", "ไ", "ทย"]);
    assert_eq!(words("tiny_aya", "1234 AbC's"), ["1", "234", " AbC's"]);
}

/// `settings` in `tests/tokenizer_rules.txt`: whether BOS is added by default, and whether a word that is a token
/// is never merged.
#[test]
fn settings_are_those_of_llama_cpp() {
    let mut names = 0;
    for line in include_str!("../../../tests/tokenizer_rules.txt").lines() {
        let Some(settings) = line.strip_prefix("settings ") else { continue };
        let [name, add_bos, whole] = settings.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let rule = rule(name).expect(name);
        assert_eq!(rule.add_bos || rule.force_bos, add_bos == "1", "{name}: BOS");
        assert_eq!(rule.ignore_merges, whole == "1", "{name}: whole words");
        names += 1;
    }
    assert_eq!(names, supported_names().count());
}

#[test]
fn phrases_of_exaone() {
    assert_eq!(words("exaone-moe", "ab cd  e. f!\n\n"), ["ab cd", " ", " e", ".", " f", "!\n", "\n"]);
}

proptest! {
    /// Nothing is lost, doubled or empty, and cuts are between characters.
    #[test]
    fn words_make_up_the_text(text in prop_oneof![any::<String>(), "[aA1 \n\r'.é中\u{301}/]{0,60}"]) {
        for name in supported_names() {
            let words = words(name, &text);
            prop_assert!(words.iter().all(|word| !word.is_empty()), "{}", name);
            prop_assert_eq!(words.concat(), text.as_str(), "{}", name);
        }
    }
}

#[test]
fn names_are_unique() {
    let names: Vec<_> = supported_names().collect();
    let unique: std::collections::HashSet<_> = names.iter().collect();
    assert_eq!(unique.len(), names.len());
}
