//! What a model makes of the keys and tensors in its file: configuration, weights, plan of memory, and some tokens. An input is the header
//! of a file; its weights are zeros.

use super::SOME_MEMORY;
use crate::fuzz::{Target, seeds};
use siskin::gguf::Gguf;
use siskin::model::Model;
use siskin::ops::Cpu;
use siskin::session::{Options, Session};
use siskin::threads::Team;
use siskin::tokenizer::Tokenizer;
use siskin_simd::Kernels;
use std::path::Path;

/// Headers: no panic in loading, planning and running, and no more memory than so small a file can want.
pub const METADATA: Target = Target {
    name: "metadata",
    run,
    seeds: seeds::headers,
    words: &[
        "general.architecture",
        "llama.context_length",
        "llama.embedding_length",
        "llama.block_count",
        "llama.attention.head_count",
        "llama.rope.dimension_count",
        "llama.attention.key_length",
        "llama.expert_count",
        "llama.vocab_size",
        "llama.rope.scaling.type",
        "blk.0.attn_q.weight",
        "output_norm.weight",
    ],
    memory: |_| SOME_MEMORY,
};

/// Bytes of weights: more than any seed has.
const DATA: u64 = 32 << 20;

/// Memory that a run may take; a plan that wants more is not carried out.
const OWNED: usize = 16 << 20;

fn run(header: Vec<u8>) {
    let bytes = header.len() as u64 + DATA;
    let Ok(Some(file)) = Gguf::from_prefix(Path::new("header"), &header, bytes) else { return };
    super::gguf::visit(&file);
    let tokenizer = Tokenizer::from_metadata(file.metadata());
    let (Ok(model), Ok(tokenizer)) = (Model::load(&file), tokenizer) else { return };
    generate(&model, &tokenizer);
}

/// A few tokens, if they do not take too much memory.
fn generate(model: &Model, tokenizer: &Tokenizer) {
    let mut options = Options::default();
    (options.max_tokens, options.sampling.seed) = (2, 1);
    let cpu = Cpu { kernels: Kernels::best(), team: Team::new(1).expect("this thread") };
    let prompt = [0, 1];
    let vocabulary = model.weights().vocabulary();
    let job = siskin::model::Job {
        positions: prompt.len() + options.max_tokens,
        kv_type: options.kv_type,
        threads: 1,
        ..Default::default()
    };
    let small = siskin::model::Plan::new(model, job).is_some_and(|plan| plan.owned() <= OWNED);
    if !small || vocabulary > OWNED / 64 {
        return;
    }
    let Ok(mut session) = Session::new(model, tokenizer, cpu, &prompt, &options) else { return };
    if session.prefill(&prompt, |_| {}, None).is_ok() {
        while session.step(None).is_ok_and(|step| step.stop.is_none()) {}
    }
}
