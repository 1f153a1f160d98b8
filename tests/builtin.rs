//! The built-in model against what llama.cpp computed with the same file (`tools/goldens/builtin.py`).
#![cfg(feature = "builtin")]

mod util;

use serde::Deserialize;
use siskin::builtin;
use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::model::Model;
use siskin::ops::Cpu;
use siskin::session::{Options, Session};
use siskin::threads::Team;
use siskin::tokenizer::{Encode, Tokenizer};
use siskin_simd::{Isa, Kernels};

/// Both programs round activations to int8, ours by 32 and llama.cpp's by 256: logits differ by this much at most.
const TOLERANCE: f32 = 0.3;

#[derive(Deserialize)]
struct Golden {
    tokens: Vec<Tokens>,
    logits: Vec<Logits>,
    greedy: Vec<Greedy>,
}

#[derive(Deserialize)]
struct Tokens {
    text: String,
    special: bool,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Logits {
    text: String,
    ids: Vec<u32>,
    last: Vec<f32>,
}

#[derive(Deserialize)]
struct Greedy {
    text: String,
    prompt: Vec<u32>,
    ids: Vec<u32>,
    margin: Vec<f32>,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("data/builtin.json")).expect("recorded data")
}

fn load(file: &Gguf) -> (Model, Tokenizer) {
    (Model::load(file).expect("a model"), Tokenizer::from_metadata(file.metadata()).expect("a tokenizer"))
}

fn session<'m>(
    isa: Isa,
    model: &'m Model,
    tokenizer: &'m Tokenizer,
    prompt: &[u32],
    max_tokens: usize,
) -> Session<'m> {
    let cpu = Cpu { kernels: Kernels::new(isa).expect("available"), team: Team::new(1).expect("a thread") };
    let options = Options { max_tokens, kv_type: KvType::F32, ignore_eos: true, ..Options::default() };
    let mut session = Session::new(model, tokenizer, cpu, prompt, &options).expect("a session");
    session.prefill(prompt, |_| {}, None).expect("prefill");
    session
}

#[test]
fn token_ids_are_the_same() {
    let file = builtin::open().expect("the built-in model");
    let (_, tokenizer) = load(&file);
    for Tokens { text, special, ids } in golden().tokens {
        let found = tokenizer.encode(&text, Encode { add_special: true, parse_special: special });
        assert_eq!(found, ids, "{text:?}");
    }
}

#[test]
fn logits_are_close() {
    let file = builtin::open().expect("the built-in model");
    let (model, tokenizer) = load(&file);
    for isa in Isa::available() {
        for Logits { text, ids, last } in golden().logits {
            let session = session(isa, &model, &tokenizer, &ids, 0);
            let differences = session.logits().iter().zip(&last).map(|(a, b)| (a - b).abs());
            let largest = differences.fold(0.0, f32::max);
            println!("{isa}: {text:?} within {largest}");
            assert!(
                session.logits().len() == last.len() && largest <= TOLERANCE,
                "{isa}: {text:?} differs by {largest}"
            );
        }
    }
}

/// Up to the first step at which two tokens are so close that rounding may choose.
#[test]
fn greedy_text_is_the_same() {
    let file = builtin::open().expect("the built-in model");
    let (model, tokenizer) = load(&file);
    for isa in Isa::available() {
        let mut compared = 0;
        for Greedy { text, prompt, ids, margin } in golden().greedy {
            let certain = margin.iter().position(|&margin| margin < TOLERANCE).unwrap_or(ids.len());
            let mut session = session(isa, &model, &tokenizer, &prompt, certain);
            let mut found = Vec::new();
            for _ in 0..certain {
                found.extend(session.step(None).expect("a step").choice.map(|choice| choice.token));
            }
            assert_eq!(found, ids[..certain], "{isa}: {text:?}");
            compared += certain;
        }
        assert!(compared >= 20, "{compared} ids compared");
    }
}

/// The bytes in the program and the file in the repository give the same logits, so mapped and embedded models share their code.
#[test]
fn embedded_and_mapped_are_one() {
    let (embedded, mapped) = (builtin::open().expect("embedded"), Gguf::open(util::model()).expect("mapped"));
    let prompt = &golden().logits[0].ids;
    let run = |file: &Gguf| {
        let (model, tokenizer) = load(file);
        session(Isa::best(), &model, &tokenizer, prompt, 0).logits().to_vec()
    };
    assert_eq!(run(&embedded), run(&mapped));
}
