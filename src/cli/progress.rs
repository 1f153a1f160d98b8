//! What a person sees while something takes long.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;

/// Prompts from this many tokens on get a progress bar.
const LONG_PROMPT: usize = 64;

/// A bar on stderr for a long prompt, if a person watches.
pub fn prefill(tokens: usize) -> ProgressBar {
    bar(tokens, tokens >= LONG_PROMPT, "reading prompt {bar:30} {pos}/{len} tokens, {eta} left")
}

/// A bar on stderr for continuations of up to so many tokens, if a person watches.
pub fn decode(tokens: usize) -> ProgressBar {
    bar(tokens, true, "following continuations {bar:30} {pos}/{len} tokens")
}

/// A bar on stderr for lines that may take so many tokens, if a person watches; the message is how many lines are written.
pub fn batch(tokens: usize) -> ProgressBar {
    bar(tokens, true, "{msg} lines {bar:30} {eta} left")
}

fn bar(tokens: usize, shown: bool, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(tokens as u64), ProgressDrawTarget::hidden());
    if shown && std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
