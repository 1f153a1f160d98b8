//! The words of the Llama 3, Qwen and GPT-4o families: one scanner with a few switches.
//!
//! The common shape of their expressions is `contraction | lead? letters | numbers | ' '? signs tail | spaces
//! newline | spaces`, where `lead` is any one character but a line end, a letter or a number. Alternatives
//! are tried in that order, as the expressions do.

use super::class::{is_letter, is_mark, is_newline, is_number, is_sign, is_space};
use super::runs::contraction;
use super::{char_after, char_at, run_end, run_end_max};

/// The switches.
pub(super) struct WordShape {
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)` is a word by itself.
    pub contraction: bool,
    /// What makes up a run of letters.
    pub letters: Letters,
    /// Most numbers in one word.
    pub numbers: usize,
    /// What may follow a run of signs (all that is neither space, letter nor number) in the same word, and
    /// how many.
    pub tail: (fn(char) -> bool, usize),
}

/// What makes up a run of letters.
pub(super) enum Letters {
    /// `\p{L}+`
    Plain,
    /// `[\p{L}\p{M}]+`; marks are not signs then.
    Marked,
    /// `[\p{L}\p{M}]+` with a contraction at its end; a mark elsewhere is a sign.
    MarkedSuffix,
    /// Capitals then small letters; only `A-Z` and `a-z` have a case, any other letter counts as both.
    Cased { marks: bool, suffix: bool },
    /// Letters with their marks, words joined by single blanks: `(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+`.
    Phrase,
}

impl WordShape {
    /// End of the word at byte `at`.
    #[inline]
    pub(super) fn word(&self, text: &str, at: usize) -> Option<usize> {
        let c = char_at(text, at)?;
        if self.contraction
            && c == '\''
            && let Some(end) = folded_contraction(text, at)
        {
            return Some(end);
        }
        if let Some(end) = self.letters(text, at, c) {
            return Some(end);
        }
        if is_number(c) {
            return Some(run_end_max(text, at, is_number, self.numbers));
        }
        self.signs(text, at, c).or_else(|| SpaceRun::scan(text, at).word_end(text))
    }

    /// `[^\r\n\p{L}\p{N}]?` and a run of letters.
    #[inline]
    fn letters(&self, text: &str, at: usize, c: char) -> Option<usize> {
        if self.is_letter(c) {
            return Some(self.letters_end(text, at));
        }
        let leads = !is_newline(c) && !is_number(c) && !is_letter(c);
        let start = at + c.len_utf8();
        (leads && char_at(text, start).is_some_and(|next| self.is_letter(next)))
            .then(|| self.letters_end(text, start))
    }

    #[inline]
    fn is_letter(&self, c: char) -> bool {
        match self.letters {
            Letters::Plain | Letters::Phrase | Letters::Cased { marks: false, .. } => is_letter(c),
            Letters::Marked | Letters::MarkedSuffix | Letters::Cased { marks: true, .. } => {
                is_letter(c) || is_mark(c)
            }
        }
    }

    /// End of the run of letters at byte `at`, where there is at least one.
    #[inline]
    fn letters_end(&self, text: &str, at: usize) -> usize {
        let suffix = match self.letters {
            Letters::Plain => return run_end(text, at, is_letter),
            Letters::Marked => return run_end(text, at, |c| self.is_letter(c)),
            Letters::Phrase => return phrase_end(text, at),
            Letters::MarkedSuffix => true,
            Letters::Cased { suffix, .. } => suffix,
        };
        let end = match self.letters {
            Letters::Cased { .. } => self.cased_end(text, at),
            _ => run_end(text, at, |c| self.is_letter(c)),
        };
        let apostrophe = suffix && char_at(text, end) == Some('\'');
        apostrophe.then(|| folded_contraction(text, end)).flatten().unwrap_or(end)
    }

    /// `U*V+` or else `U+V*`, where `U` is a letter but `a-z` and `V` a letter but `A-Z`.
    ///
    /// `U*` takes all it can. If no `V` follows, it gives letters back up to the last one that is a `V` as
    /// well; what was given back beyond that is `A-Z`, so `V+` ends right after it. If there is none, the
    /// second form takes the run.
    fn cased_end(&self, text: &str, at: usize) -> usize {
        let (mut end, mut both) = (at, None);
        while let Some(c) = char_at(text, end).filter(|&c| self.is_letter(c) && !c.is_ascii_lowercase()) {
            end += c.len_utf8();
            if !c.is_ascii_uppercase() {
                both = Some(end);
            }
        }
        let small = run_end(text, end, |c| self.is_letter(c) && !c.is_ascii_uppercase());
        if small > end { small } else { both.unwrap_or(end) }
    }

    /// ` ?[^\s\p{L}\p{N}]+` and its tail.
    #[inline]
    fn signs(&self, text: &str, at: usize, c: char) -> Option<usize> {
        let start = if c == ' ' { at + 1 } else { at };
        let marks_are_letters = matches!(self.letters, Letters::Marked);
        let end = run_end(text, start, |c| is_sign(c) && !(marks_are_letters && is_mark(c)));
        let (tail, most) = self.tail;
        (end > start).then(|| run_end_max(text, end, tail, most))
    }
}

/// A run of spaces and what the expressions ask of it, found in one pass.
pub(super) struct SpaceRun {
    start: usize,
    /// Start of the last space.
    last: usize,
    end: usize,
    /// End of the last line end in the run.
    newline_end: Option<usize>,
}

impl SpaceRun {
    #[inline]
    pub(super) fn scan(text: &str, start: usize) -> SpaceRun {
        let mut run = SpaceRun { start, last: start, end: start, newline_end: None };
        while let Some(c) = char_at(text, run.end).filter(|&c| is_space(c)) {
            run.last = run.end;
            run.end += c.len_utf8();
            if is_newline(c) {
                run.newline_end = Some(run.end);
            }
        }
        run
    }

    /// `\s*[\r\n]+|\s+(?!\S)|\s+`; `None` where there is no space.
    #[inline]
    pub(super) fn word_end(&self, text: &str) -> Option<usize> {
        (self.end > self.start).then(|| self.newline_end.unwrap_or_else(|| self.greedy_end(text)))
    }

    /// `\s+(?!\S)|\s+`: all but the last space, which belongs to the word that follows, if any.
    #[inline]
    fn greedy_end(&self, text: &str) -> usize {
        if self.end == text.len() || self.last == self.start { self.end } else { self.last }
    }
}

#[inline]
pub(super) fn folded_contraction(text: &str, at: usize) -> Option<usize> {
    contraction(text, at, |byte| byte.to_ascii_lowercase())
}

/// End of the phrase at byte `at`, where a letter stands.
fn phrase_end(text: &str, mut at: usize) -> usize {
    loop {
        let word_end = run_end(text, at, |c| is_letter(c) || is_mark(c));
        let joined =
            char_at(text, word_end) == Some(' ') && char_after(text, word_end, ' ').is_some_and(is_letter);
        if !joined {
            return word_end;
        }
        at = word_end + 1;
    }
}
