//! What options come to with a model, and what is refused. For sessions and batches, before they take memory.

use super::{Error, Options};
use crate::kv::KvType;
use crate::model::Model;
use crate::stop::{self, Judge};
use crate::tokenizer::{TokenId, Tokenizer};

/// Positions of the model that are to be used.
pub(crate) fn context(model: &Model, options: &Options) -> usize {
    options.context.map_or(model.config().context, |n| n.min(model.config().context))
}

/// The stop conditions of one generation, before its first token.
///
/// # Errors
///
/// If they make no sense.
pub(crate) fn judge(options: &Options, context: usize, prompt_tokens: usize) -> Result<Judge, stop::Error> {
    Judge::new(&stop::Options {
        ignore_eos: options.ignore_eos,
        max_tokens: Some(options.max_tokens),
        texts: options.stop_texts.clone(),
        context: options.window.is_none().then_some(context),
        prompt_tokens,
        cancelled: options.cancelled.clone(),
        rules: options.stop.clone(),
    })
}

/// Threads for prefill and for decode, of a team of `all`.
pub(super) fn threads(options: &Options, all: usize) -> (usize, usize) {
    let within = |threads: Option<usize>| threads.unwrap_or(all).clamp(1, all);
    (within(options.prefill_threads), within(options.decode_threads))
}

/// Refuses a tokenizer of another model, and keys and values that heads do not fill; returns the vocabulary.
pub(crate) fn check_model(model: &Model, tokenizer: &Tokenizer, kv_type: KvType) -> Result<usize, Error> {
    let vocabulary = model.weights().vocabulary();
    if tokenizer.len() > vocabulary {
        return Err(Error::Vocabulary { tokens: tokenizer.len(), vocabulary });
    }
    model.config().check_kv(kv_type)?;
    Ok(vocabulary)
}

/// Refuses a prompt that no generation can begin with.
pub(crate) fn check_prompt(
    prompt: &[TokenId],
    vocabulary: usize,
    context: usize,
    options: &Options,
) -> Result<(), Error> {
    if let Some(&token) = prompt.iter().find(|&&token| token as usize >= vocabulary) {
        return Err(Error::TokenRange { token, vocabulary });
    }
    check_length(prompt.len(), context, options)
}

/// The same, of a prompt of which only the length is known.
pub(super) fn check_length(tokens: usize, context: usize, options: &Options) -> Result<(), Error> {
    if tokens == 0 {
        return Err(Error::EmptyPrompt);
    }
    if tokens > context && options.window.is_none() {
        let hint = if options.context.is_some() { " or a larger context" } else { "" };
        return Err(Error::PromptTooLong { tokens, context, hint });
    }
    Ok(())
}
