//! The library's session: batches, cancellation and sinks.

mod util;

use siskin::gguf::{Bytes, Gguf};
use siskin::model::{Ahead, Model};
use siskin::ops::Cpu;
use siskin::session::{LogitSink, Options, Session, Window};
use siskin::stop::Reason;
use siskin::threads::Team;
use siskin::tokenizer::{Encode, Tokenizer};
use siskin_simd::{Isa, Kernels};
use siskin_tools::{emulated, instruction_sets};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

struct Loaded {
    model: Model,
    tokenizer: Tokenizer,
}

impl Loaded {
    fn new() -> Loaded {
        let file = Gguf::open(util::model()).expect("the model opens");
        let model = Model::load(&file).expect("it is a model");
        Loaded { model, tokenizer: Tokenizer::from_metadata(file.metadata()).expect("it has a tokenizer") }
    }

    fn encode(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode(text, Encode { add_special: true, parse_special: false })
    }

    fn session(&self, isa: Isa, threads: usize, prompt: &[u32], max_tokens: usize) -> Session<'_> {
        let options = Options { max_tokens, ignore_eos: true, ..Options::default() };
        self.session_with(isa, threads, prompt, &options)
    }

    fn session_with(&self, isa: Isa, threads: usize, prompt: &[u32], options: &Options) -> Session<'_> {
        let cpu = Cpu {
            kernels: Kernels::new(isa).expect("available"),
            team: Team::new(threads).expect("threads"),
        };
        Session::new(&self.model, &self.tokenizer, cpu, prompt, options).expect("a session")
    }
}

/// The logits after every token of a prompt.
fn prompt_logits(session: &mut Session<'_>, prompt: &[u32]) -> Vec<Vec<f32>> {
    let mut rows = Vec::new();
    let mut keep = |logits: &[f32]| {
        rows.push(logits.to_vec());
        Ok(())
    };
    session.prefill(prompt, |_| {}, Some(&mut keep as &mut LogitSink<'_>)).expect("prefill");
    rows
}

/// Rows that differ by no more than what sums taken in another order do: rounding, which the quantization of activations magnifies now and
/// then. The bound is 2 % of the spread of the logits.
#[track_caller]
fn assert_close(got: &[Vec<f32>], expected: &[Vec<f32>], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (row, (got, expected)) in got.iter().zip(expected).enumerate() {
        let mean = expected.iter().sum::<f32>() / expected.len() as f32;
        let spread: f32 = expected.iter().map(|x| (x - mean).powi(2)).sum();
        let error: f32 = got.iter().zip(expected).map(|(a, b)| (a - b).powi(2)).sum();
        let ratio = (error / spread).sqrt();
        assert!(ratio < 2e-2, "{what}, row {row}: off by {ratio} of the spread");
    }
}

/// Text longer than one batch: the logits are the same bits for any number of threads, and for any batch that a token is part of. Batches
/// of a few tokens are computed in another order, to the same results but for rounding.
#[test]
fn threads_and_batches_change_no_bit() {
    let loaded = Loaded::new();
    let prompt = loaded.encode(&"One day a little bird sat in a tree and sang. ".repeat(30));
    assert!(prompt.len() > 260, "{} tokens", prompt.len());
    for isa in instruction_sets() {
        // the portable code is slow, and an emulated core
        let prompt = if isa == Isa::Scalar || emulated() { &prompt[..70] } else { &prompt };
        let whole = prompt_logits(&mut loaded.session(isa, 1, prompt, 0), prompt);
        assert_eq!(whole.len(), prompt.len());
        assert!(prompt_logits(&mut loaded.session(isa, 3, prompt, 0), prompt) == whole, "{isa}: 3 threads");
        for len in [1, 2, 3, 4, 7, 63, 64, 65] {
            let part = prompt_logits(&mut loaded.session(isa, 2, &prompt[..len], 0), &prompt[..len]);
            match len {
                1..4 => assert_close(&part, &whole[..len], &format!("{isa}: a prompt of {len}")),
                _ => assert!(part == whole[..len], "{isa}: a prompt of {len}"),
            }
        }
    }
}

/// Decoding a token gives what prefilling it gives, and the same bits for any number of threads.
#[test]
fn decode_equals_prefill() {
    let loaded = Loaded::new();
    let prompt = loaded.encode("Once upon a time");
    for isa in instruction_sets() {
        let decode = |threads| {
            let mut session = loaded.session(isa, threads, &prompt, 20);
            session.prefill(&prompt, |_| {}, None).expect("prefill");
            let (mut tokens, mut rows) = (prompt.clone(), Vec::new());
            for _ in 0..20 {
                let mut keep = |logits: &[f32]| {
                    rows.push(logits.to_vec());
                    Ok(())
                };
                let step = session.step(Some(&mut keep as &mut LogitSink<'_>)).expect("a step");
                tokens.extend(step.choice.map(|choice| choice.token));
            }
            (tokens, rows)
        };
        let (tokens, rows) = decode(2);
        assert!(decode(1) == (tokens.clone(), rows.clone()), "{isa}: 1 thread");
        let prefilled = prompt_logits(&mut loaded.session(isa, 1, &tokens, 0), &tokens);
        assert_close(&rows, &prefilled[prompt.len()..], isa.name());
    }
}

/// Some of the team for the prompt, others for the rest: the same bits as one thread.
#[test]
fn prefill_and_decode_may_use_different_numbers_of_threads() {
    let loaded = Loaded::new();
    let prompt = loaded.encode("Once upon a time there was a bird");
    let run = |threads, prefill_threads, decode_threads| {
        let options = Options {
            max_tokens: 12,
            ignore_eos: true,
            prefill_threads,
            decode_threads,
            ..Options::default()
        };
        let mut session = loaded.session_with(Isa::best(), threads, &prompt, &options);
        let used = (session.prefill_threads(), session.decode_threads());
        let mut rows = prompt_logits(&mut session, &prompt);
        for _ in 0..12 {
            session.step(None).expect("a step");
            rows.push(session.logits().to_vec());
        }
        (used, rows)
    };
    let (used, alone) = run(1, None, None);
    assert_eq!(used, (1, 1));
    for (prefill, decode, expected) in [
        (Some(1), Some(3), (1, 3)),
        (Some(3), Some(1), (3, 1)),
        (None, Some(2), (3, 2)),
        (Some(9), Some(0), (3, 1)),
    ] {
        let (used, rows) = run(3, prefill, decode);
        assert_eq!(used, expected);
        assert!(rows == alone, "{expected:?}");
    }
}

/// Prefaulting goes through every weight that a token multiplies, once, and stops when told to.
#[test]
fn prefaulting_covers_the_weights() {
    let loaded = Loaded::new();
    let expected: usize = loaded.model.weights().in_order_of_use().iter().map(|bytes| bytes.len()).sum();
    assert!(expected > 1 << 20, "{expected}");
    for threads in [1, 2, 9] {
        assert_eq!(loaded.model.prefault(threads, || Ahead::All), expected, "{threads} threads");
        assert_eq!(loaded.model.prefault(threads, || Ahead::Nothing), 0, "{threads} threads");
        // now all of it is in memory
        assert_eq!(loaded.model.prefault(threads, || Ahead::OnDisk), 0, "{threads} threads");
    }
}

/// Weights that are not in memory are read from disk, and only those.
#[cfg(target_os = "linux")]
#[test]
fn what_is_on_disk_is_mapped_ahead() {
    use rustix::fs::{Advice, fadvise};
    if emulated() {
        return eprintln!("skipped: qemu does not pass on what is advised about memory");
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let path = folder.path().join("model.gguf");
    std::fs::copy(util::model(), &path).expect("a copy");
    let copy = std::fs::File::open(&path).expect("a file");
    copy.sync_all().expect("it is on disk");
    let model = Model::load(&Gguf::open(&path).expect("the model opens")).expect("it is a model");
    // not before: the system may read all of a file when its header is asked for
    fadvise(&copy, 0, None, Advice::DontNeed).expect("an advice");
    let weights = model.weights().in_order_of_use();
    let in_memory = |bytes: &&&Bytes| bytes.is_in_memory(bytes.len() - 1);
    if weights.iter().filter(in_memory).count() == weights.len() {
        return eprintln!("skipped: the system keeps files in memory whatever it is advised");
    }
    assert!(model.prefault(2, || Ahead::OnDisk) > 0);
    assert_eq!(weights.iter().filter(in_memory).count(), weights.len());
    assert_eq!(model.prefault(2, || Ahead::OnDisk), 0);
}

#[test]
fn cancelling_keeps_the_text_so_far() {
    let loaded = Loaded::new();
    let prompt = loaded.encode("Once upon a time");
    let flag = Arc::new(AtomicBool::new(false));
    let options = Options {
        max_tokens: 50,
        ignore_eos: true,
        cancelled: Some(Arc::clone(&flag)),
        ..Options::default()
    };
    let mut session = loaded.session_with(Isa::best(), 1, &prompt, &options);
    session.prefill(&prompt, |_| {}, None).expect("prefill");
    for _ in 0..3 {
        assert!(session.step(None).expect("a step").stop.is_none());
    }
    flag.store(true, Ordering::Relaxed);
    let step = session.step(None).expect("the last step");
    assert!(step.choice.is_none() && matches!(step.stop, Some(Reason::Cancelled)));
    assert_eq!(session.timing().decode_tokens, 3);
}

#[test]
fn a_failing_sink_ends_the_run() {
    let loaded = Loaded::new();
    let prompt = loaded.encode("Once");
    let mut session = loaded.session(Isa::best(), 1, &prompt, 5);
    let mut full = |_: &[f32]| Err(std::io::Error::other("disk full"));
    let error = session.prefill(&prompt, |_| {}, Some(&mut full as &mut LogitSink<'_>)).expect_err("no room");
    assert!(error.to_string().contains("disk full"));
}

/// A conversation that has lost its beginning goes on as long as it is what was said; else it is read again, and nothing of the other stays.
#[test]
fn a_conversation_in_a_window_goes_on_or_begins_anew() {
    let loaded = Loaded::new();
    let window = Some(Window { positions: 40, sinks: 4 });
    let (turns, max_tokens) = if emulated() { (2, 40) } else { (3, 60) };
    let options = Options { max_tokens, ignore_eos: true, window, ..Options::default() };
    let cpu = || Cpu { kernels: Kernels::best(), team: Team::new(1).expect("a thread") };
    let conversation =
        || Session::with_positions(&loaded.model, &loaded.tokenizer, cpu(), 1, &options).expect("a session");
    let mut session = conversation();
    let mut said = loaded.encode("Once upon a time");
    for turn in 0..turns {
        let kept = session.resume(&said).expect("a prompt");
        assert_eq!(kept, if turn == 0 { 0 } else { said.len() - 3 });
        session.prefill(&said, |_| {}, None).expect("prefill");
        let answer: Vec<_> = session.steps().map(|step| step.expect("a step")).collect();
        // the last token was chosen, but not run
        said.extend(answer.iter().filter_map(|step| step.choice).map(|choice| choice.token));
        said.extend([300, 301]);
        assert!(matches!(
            answer.last().and_then(|step| step.stop.clone()),
            Some(Reason::MaxTokens { n }) if n == max_tokens
        ));
        assert_eq!(session.tokens().len(), 40);
    }
    said[2] += 1;
    assert_eq!(session.resume(&said).expect("a prompt"), 0);
    session.prefill(&said, |_| {}, None).expect("prefill");
    let mut anew = conversation();
    anew.resume(&said).expect("a prompt");
    anew.prefill(&said, |_| {}, None).expect("prefill");
    assert_eq!(session.logits(), anew.logits());
}
