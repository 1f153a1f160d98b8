//! Pre-tokenizers: cutting text into the words inside which byte-pair merges happen.
//!
//! The formats state these rules as lists of regular expressions with lookahead. Here each expression is a
//! hand-written linear [`Stage`]; a rule is a list of stages, each of which cuts the pieces that the one
//! before it left. As with the expressions, what a stage does not match stays together as a piece of its own,
//! so no text is ever lost.
//!
//! | file | what |
//! |---|---|
//! | `rules.rs`, `sets.rs` | the name in `tokenizer.ggml.pre` -> stages and flags; sets of characters |
//! | `words.rs` | the family of Llama 3, Qwen and GPT-4o |
//! | `runs.rs` | stages that isolate runs of one kind of character; GPT-2 |
//! | `deepseek.rs` | character sets and rules of the DeepSeek models |
//! | `kimi.rs`, `chameleon.rs` | words of Kimi K2 and of Chameleon |
//! | `class.rs`, `class_table.rs` | Unicode classes |
//!
//! Used by `bpe.rs`; the classes by `wpm` too.

mod chameleon;
mod class;
mod class_table;
mod deepseek;
mod kimi;
mod rules;
mod runs;
mod sets;
mod words;

use std::ops::Range;

pub(super) use class::{Class, class};
pub(super) use rules::{DEFAULT, REFUSED, Rule, rule, supported_names};

/// One expression of a pre-tokenizer.
#[derive(Clone, Copy)]
enum Stage {
    /// A word of the Llama 3 family.
    Words(&'static words::WordShape),
    /// A word of GPT-2.
    Gpt2,
    /// What a function finds: the end of the match at a byte, if there is one.
    Found(fn(&str, usize) -> Option<usize>),
    /// A word of DeepSeek V3.
    DeepSeek3(deepseek::SignTail),
    /// `[of]{min,max}`
    Runs { of: fn(char) -> bool, min: usize, max: usize },
    /// `[lead]?[of]+`, where `lead` and `of` have no character in common.
    LedRuns { lead: fn(char) -> bool, of: fn(char) -> bool },
    /// `\s+$`
    FinalSpaces,
    /// Runs of ASCII digits in groups of three from the right: `(?=(\d{3})+(?!\d))`.
    Thousands,
    /// Runs of numbers in groups of three from the right, of AFMoE.
    NumberGroups,
    /// Runs of spaces in powers of two.
    Powers,
}

/// Calls `emit` with the byte range of each word of `text`, in order. The ranges are not empty, lie on
/// character boundaries and cover the text without gap or overlap. Linear in the text.
pub(super) fn split(rule: &Rule, text: &str, emit: &mut dyn FnMut(Range<usize>)) {
    apply(rule.stages, text, 0..text.len(), emit);
}

fn apply(stages: &[Stage], text: &str, range: Range<usize>, emit: &mut dyn FnMut(Range<usize>)) {
    if range.is_empty() {
        return;
    }
    match stages {
        [] => emit(range),
        [last] => last.cut(text, range, emit),
        [stage, rest @ ..] => stage.cut(text, range, &mut |piece| apply(rest, text, piece, emit)),
    }
}

impl Stage {
    /// Cuts `text[range]` into this stage's matches and the gaps between them.
    fn cut(&self, text: &str, range: Range<usize>, emit: &mut dyn FnMut(Range<usize>)) {
        let base = range.start;
        let segment = &text[range];
        let mut emit = |piece: Range<usize>| {
            if !piece.is_empty() {
                emit(base + piece.start..base + piece.end);
            }
        };
        match *self {
            Stage::Words(words) => cut_by(segment, |at| words.word(segment, at), &mut emit),
            Stage::Gpt2 => cut_by(segment, |at| runs::gpt2_word(segment, at), &mut emit),
            Stage::Found(word) => cut_by(segment, |at| word(segment, at), &mut emit),
            Stage::DeepSeek3(tail) => cut_by(segment, |at| deepseek::word(segment, at, tail), &mut emit),
            Stage::Runs { of, min, max } => {
                cut_by(segment, |at| runs::bounded(segment, at, of, min, max), &mut emit)
            }
            Stage::LedRuns { lead, of } => cut_by(segment, |at| runs::led(segment, at, lead, of), &mut emit),
            Stage::FinalSpaces => runs::cut_final_spaces(segment, &mut emit),
            Stage::Thousands => runs::cut_thousands(segment, &mut emit),
            Stage::NumberGroups => runs::cut_number_groups(segment, &mut emit),
            Stage::Powers => runs::cut_powers(segment, &mut emit),
        }
    }
}

/// Cuts `segment` where `word` matches: `word(at)` is the end of the match that starts at byte `at`, if there
/// is one. It must look only a bounded way beyond the match it reports, or else the whole is no longer
/// linear.
#[inline]
fn cut_by(segment: &str, word: impl Fn(usize) -> Option<usize>, emit: &mut impl FnMut(Range<usize>)) {
    let (mut at, mut gap) = (0, 0);
    while let Some(c) = char_at(segment, at) {
        match word(at) {
            Some(end) => {
                emit(gap..at);
                emit(at..end);
                (at, gap) = (end, end);
            }
            None => at += c.len_utf8(),
        }
    }
    emit(gap..at);
}

/// The character that starts at byte `at`, which must be a character boundary; `None` at the end.
#[inline]
fn char_at(text: &str, at: usize) -> Option<char> {
    match text.as_bytes().get(at) {
        Some(&byte) if byte < 0x80 => Some(byte as char),
        Some(_) => text[at..].chars().next(),
        None => None,
    }
}

/// The character after `c`, which stands at byte `at`.
#[inline]
fn char_after(text: &str, at: usize, c: char) -> Option<char> {
    char_at(text, at + c.len_utf8())
}

/// End of the longest run of `of` from byte `at`; `at` itself if there is none.
#[inline]
fn run_end(text: &str, mut at: usize, of: impl Fn(char) -> bool) -> usize {
    while let Some(c) = char_at(text, at).filter(|&c| of(c)) {
        at += c.len_utf8();
    }
    at
}

/// End of the longest run of `of` from byte `at` that has no more than `max` characters.
#[inline]
fn run_end_max(text: &str, mut at: usize, of: impl Fn(char) -> bool, max: usize) -> usize {
    for _ in 0..max {
        match char_at(text, at).filter(|&c| of(c)) {
            Some(c) => at += c.len_utf8(),
            None => break,
        }
    }
    at
}
