//! What a person sees while something takes long.

use super::CliError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use siskin::session::{LogitSink, Session};
use siskin::tokenizer::TokenId;
use std::io::IsTerminal;

/// Prompts from this many tokens on get a progress bar.
const LONG_PROMPT: usize = 64;

/// Lets a session run what it does not have of a prompt; if that is long and a person watches, with a bar on stderr.
pub fn prefill(
    session: &mut Session<'_>,
    prompt: &[TokenId],
    sink: Option<&mut LogitSink<'_>>,
) -> Result<(), CliError> {
    let new = prompt.len() - session.timing().kept_tokens;
    let bar = bar(new as u64, new >= LONG_PROMPT, "reading prompt {bar:30} {pos}/{len} tokens, {eta} left");
    let result = session.prefill(prompt, |done| bar.set_position(done as u64), sink);
    bar.finish_and_clear();
    Ok(result?)
}

/// A bar on stderr for continuations of up to so many tokens, if a person watches.
pub fn decode(tokens: usize) -> ProgressBar {
    bar(tokens as u64, true, "following continuations {bar:30} {pos}/{len} tokens")
}

/// A bar on stderr for lines that may take so many tokens, if a person watches; the message is how many lines are written.
pub fn batch(tokens: usize) -> ProgressBar {
    bar(tokens as u64, true, "{msg} lines {bar:30} {eta} left")
}

/// A bar on stderr for windows of a text, if a person watches; the message is what was found so far.
pub fn windows(count: usize) -> ProgressBar {
    bar(count as u64, true, "{bar:40} {pos} of {len} windows, {eta} left, {msg}")
}

/// A bar on stderr for bytes that are written, if a person watches.
#[cfg(feature = "quantize")]
pub fn bytes(count: u64) -> ProgressBar {
    bar(count, true, "{bar:40} {bytes} of {total_bytes}, {eta} left")
}

fn bar(length: u64, shown: bool, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden());
    if shown && std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
