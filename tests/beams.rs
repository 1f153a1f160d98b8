//! Beam search with the built-in model, beside what Hugging Face transformers finds with the same weights, recorded by `tools/goldens/beams.py`;
//! and what the continuations of a session are, beside those of sessions that generate one.

#[path = "util/mod.rs"]
mod util;

use serde::Deserialize;
use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::model::Model;
use siskin::sample::{self, Mirostat, MirostatVersion};
use siskin::search::{self, Beams, EarlyStopping};
use siskin::session::{Options, Session};
use siskin::tokenizer::{Encode, Tokenizer};
use siskin_simd::Format;

#[derive(Deserialize)]
struct Goldens {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    prompt: Vec<u32>,
    beams: usize,
    length_penalty: f32,
    early_stop: String,
    max_tokens: usize,
    found: Vec<Sequence>,
}

#[derive(Deserialize)]
struct Sequence {
    tokens: Vec<u32>,
    /// None for one beam, which transformers takes for greedy search.
    score: Option<f64>,
}

/// The built-in model with F32 weights: the same metadata, and every tensor decoded.
fn floats() -> Gguf {
    let bytes = std::fs::read(util::model()).expect("the built-in model");
    let model = Gguf::open(util::model()).expect("it opens");
    let first = model.tensors().iter().next().expect("a tensor").name().to_owned();
    let name = [&(first.len() as u64).to_le_bytes(), first.as_bytes()].concat();
    let metadata = bytes.windows(name.len()).position(|window| window == name).expect("its description");
    let mut out = bytes[..metadata].to_vec();
    let mut data = Vec::new();
    for tensor in model.tensors().iter() {
        out.extend_from_slice(&(tensor.name().len() as u64).to_le_bytes());
        out.extend_from_slice(tensor.name().as_bytes());
        out.extend_from_slice(&(tensor.dims().len() as u32).to_le_bytes());
        tensor.dims().iter().for_each(|dim| out.extend_from_slice(&dim.to_le_bytes()));
        out.extend_from_slice(&0u32.to_le_bytes());
        out.extend_from_slice(&(data.len() as u64).to_le_bytes());
        let count = tensor.dims().iter().map(|&dim| dim as usize).product();
        let mut values = vec![0.0f32; count];
        let format: Format = tensor.ty().format().expect("a known format");
        format.decode(&model.bytes(tensor), &mut values);
        values.iter().for_each(|value| data.extend_from_slice(&value.to_le_bytes()));
        data.resize(data.len().next_multiple_of(32), 0);
    }
    out.resize(out.len().next_multiple_of(32), 0);
    out.extend_from_slice(&data);
    Gguf::from_vec(out).expect("the file opens")
}

#[test]
fn beams_find_what_transformers_finds() {
    let goldens: Goldens =
        serde_json::from_str(include_str!("data/beams.json")).expect("the file is JSON of this shape");
    let file = floats();
    let (model, tokenizer) = (
        Model::load(&file).expect("a model"),
        Tokenizer::from_metadata(file.metadata()).expect("a tokenizer"),
    );
    assert!(goldens.cases.len() >= 60);
    // an emulated machine is slow: one with each number of beams and each way to stop
    for case in siskin_tools::some(&goldens.cases, 16) {
        let options = Options {
            max_tokens: case.max_tokens,
            branches: case.beams,
            kv_type: KvType::F32,
            ..Options::default()
        };
        let mut session =
            Session::new(&model, &tokenizer, util::cpu(2), &case.prompt, &options).expect("a session");
        session.prefill(&case.prompt, |_| {}, None).expect("the prompt runs");
        let mut beams = Beams::new(case.beams);
        beams.length_penalty = case.length_penalty;
        beams.early_stopping = match case.early_stop.as_str() {
            "full" => EarlyStopping::Full,
            "likely" => EarlyStopping::Likely,
            _ => EarlyStopping::Never,
        };
        let found = search::beams(&mut session, &beams, |_| {}).expect("it searches").continuations;
        let name = format!("{:?} {beams:?}", case.prompt);
        let tokens = |i: usize| &found[i].tokens;
        assert_eq!(found.len(), case.found.len(), "{name}");
        for (i, expected) in case.found.iter().enumerate() {
            assert_eq!(tokens(i), &expected.tokens, "{name}: number {i}");
            let score = expected.score.unwrap_or(found[i].score);
            assert!((found[i].score - score).abs() < 1e-4, "{name}: {} and {score}", found[i].score);
        }
    }
}

/// The command prints the best continuations, the best first, and counts the tails of all in its memory.
#[test]
fn the_command_prints_the_best() {
    let siskin = util::Siskin::new();
    let prompt = "The little dog wanted to";
    let run = |flags: &[&str]| {
        siskin.run([&["generate", "-n", "20", "--length-penalty", "0", prompt], flags].concat())
    };
    let text = run(&["--beams", "4", "--num-return", "3"]).ok();
    assert_eq!(text.matches("\n---\n").count(), 2, "{text}");
    let json = run(&["--beams", "4", "--num-return", "3", "--json"]).json();
    let continuations = json["continuations"].as_array().expect("a list");
    let texts: Vec<_> = continuations.iter().map(|one| one["text"].as_str().expect("a text")).collect();
    assert_eq!(texts.join("\n---\n") + "\n", text);
    assert_eq!((&json["text"], &json["tokens"]), (&continuations[0]["text"], &continuations[0]["tokens"]));
    let scores = continuations.iter().map(|one| one["score"].as_f64().expect("a number"));
    assert!(scores.is_sorted_by(|a, b| a >= b));
    let kv = |json: &serde_json::Value| json["memory"]["kv"].as_u64().expect("a number");
    let wider = run(&["--beams", "8", "--json"]).json();
    let prompt = json["prompt_tokens"].as_array().expect("a list").len() as u64;
    assert_eq!(
        kv(&wider) * (prompt + 4 * 20),
        kv(&json) * (prompt + 8 * 20),
        "tails are counted, the prompt once"
    );

    let stopped = siskin.run(["generate", "--beams", "2", "--stop", "dog", "--json", "The cat saw a"]).json();
    assert!(!stopped["text"].as_str().expect("a text").contains("dog"), "{stopped}");
    for (flags, word) in [
        (&["--beams", "2", "--temp", "1"][..], "cannot be used with"),
        (&["--beams", "0"], "not in 1..=1024"),
        (&["--num-return", "2"], "--num-return 2"),
        (&["--best-of", "2", "--num-return", "3"], "--num-return 3"),
        (&["--beams", "2", "--length-penalty", "inf"], "found inf, expected a number from -20 to 20"),
        (&["--beams", "2", "--length-penalty=-21"], "found -21, expected"),
    ] {
        let run = siskin.run([&["generate", "Once"], flags].concat());
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        assert!(run.stderr.contains(word), "{}", run.stderr);
    }
}

/// Each continuation is judged by itself, by what it has seen, and by how sure the model was of it.
#[test]
fn stop_conditions_judge_each_continuation() {
    let siskin = util::Siskin::new();
    let run =
        |flags: &[&str]| siskin.run([&["generate", "--json", "Once upon a time"], flags].concat()).json();
    let all = |json: &serde_json::Value, field: &str| -> Vec<String> {
        let continuations = json["continuations"].as_array().expect("a list");
        continuations.iter().map(|one| one[field].to_string()).collect()
    };
    for search in
        [&["--beams", "3", "--num-return", "3"][..], &["--best-of", "3", "--num-return", "3", "--seed", "2"]]
    {
        let sentences = run(&[search, &["--stop-sentences", "1"]].concat());
        for (text, stop) in all(&sentences, "text").iter().zip(all(&sentences, "stop")) {
            assert!(text.trim_end_matches('"').ends_with('.'), "{text} {stop}");
            assert!(stop.contains("sentences"), "{stop}");
        }
        let entropy = run(&[search, &["--stop-entropy", "0.01"]].concat());
        assert!(all(&entropy, "stop").iter().any(|stop| stop.contains("entropy")), "{entropy}");
        let short = run(&[search, &["-n", "60", "--min-tokens", "40", "--stop", "."]].concat());
        for tokens in short["continuations"].as_array().expect("a list") {
            assert!(tokens["tokens"].as_array().expect("a list").len() >= 40, "{tokens}");
        }
    }
}

/// Sample `i` of several is what a session generates with the seed + `i`, and the session can be used again after a search; also where choices depend on
/// the tokens before, and on a limit that moves.
#[test]
fn samples_are_those_of_single_sessions() {
    let (mut edits, mut moving) = (sample::Options::default(), sample::Options::default());
    (edits.penalties.presence, edits.dry.multiplier, edits.xtc.probability) = (0.5, 1.0, 0.5);
    moving.mirostat = Some(Mirostat { version: MirostatVersion::V2, tau: 3.0, eta: 0.5 });
    for sampling in [sample::Options::default(), edits, moving] {
        samples_with(sampling);
    }
}

fn samples_with(sampling: sample::Options) {
    let file = Gguf::open(util::model()).expect("the built-in model opens");
    let (model, tokenizer) = (
        Model::load(&file).expect("a model"),
        Tokenizer::from_metadata(file.metadata()).expect("a tokenizer"),
    );
    let prompt = tokenizer.encode("Once upon a time", Encode { add_special: true, parse_special: false });
    // up to 3 at once, so that all projections are dot products, as those of a single token are
    let mut options = Options { max_tokens: 20, branches: 3, ..Options::default() };
    options.sampling = sampling;
    options.sampling.temperature = 1.0;
    options.sampling.seed = 11;
    let mut session = Session::new(&model, &tokenizer, util::cpu(2), &prompt, &options).expect("a session");
    session.prefill(&prompt, |_| {}, None).expect("the prompt runs");
    let found = search::samples(&mut session, 3, |_| {}).expect("it samples").continuations;
    assert!(found.is_sorted_by(|a, b| a.score >= b.score));
    assert_eq!(session.tokens(), prompt);
    assert_eq!(search::samples(&mut session, 3, |_| {}).expect("it samples again").continuations, found);

    let mut alone = Vec::new();
    for seed in 11..14 {
        options.sampling.seed = seed;
        let options = Options { branches: 0, ..options.clone() };
        let mut session =
            Session::new(&model, &tokenizer, util::cpu(2), &prompt, &options).expect("a session");
        session.prefill(&prompt, |_| {}, None).expect("the prompt runs");
        let mut text = String::new();
        loop {
            let step = session.step(None).expect("a step");
            text.push_str(step.text);
            if step.stop.is_some() {
                break;
            }
        }
        alone.push(text);
    }
    let mut together: Vec<_> = found.iter().map(|continuation| continuation.text.clone()).collect();
    alone.sort();
    together.sort();
    assert_eq!(together, alone);
}

#[test]
fn a_search_needs_room() {
    let file = Gguf::open(util::model()).expect("the built-in model opens");
    let (model, tokenizer) = (
        Model::load(&file).expect("a model"),
        Tokenizer::from_metadata(file.metadata()).expect("a tokenizer"),
    );
    for (branches, count) in [(0, 1), (2, 3), (2, 0)] {
        let options = Options { max_tokens: 4, branches, ..Options::default() };
        let mut session =
            Session::new(&model, &tokenizer, util::cpu(2), &[1, 5], &options).expect("a session");
        session.prefill(&[1, 5], |_| {}, None).expect("the prompt runs");
        let error = search::beams(&mut session, &Beams::new(count), |_| {}).expect_err("no room");
        assert!(error.to_string().contains(&format!("found {count} continuations")), "{error}");
    }
    // more than a batch of a prompt has
    let options = Options { max_tokens: 2, branches: 300, ..Options::default() };
    let mut session = Session::new(&model, &tokenizer, util::cpu(2), &[1, 5], &options).expect("a session");
    session.prefill(&[1, 5], |_| {}, None).expect("the prompt runs");
    let found = search::samples(&mut session, 300, |_| {}).expect("room for all");
    assert_eq!(found.continuations.len(), 300);
    // no token may be generated at all
    let options = Options { max_tokens: 0, branches: 2, ..Options::default() };
    let mut session = Session::new(&model, &tokenizer, util::cpu(2), &[1, 5], &options).expect("a session");
    session.prefill(&[1, 5], |_| {}, None).expect("the prompt runs");
    let found = search::beams(&mut session, &Beams::new(2), |_| {}).expect("nothing to do");
    assert!(found.continuations[0].tokens.is_empty());
}
