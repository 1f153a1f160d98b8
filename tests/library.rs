//! What a program that embeds the library relies on: who may be sent and shared, calls in any order, bad arguments, plans and errors.

mod util;

use siskin::gguf::{self, Gguf};
use siskin::kv::KvType;
use siskin::ops::Cpu;
use siskin::perplexity::{self, Predictor};
use siskin::sample::{self, Choice, Choose, Context};
use siskin::score::{self, Scorer, Texts};
use siskin::search::{self, Beams};
use siskin::session::{CacheError, Options, Session, Window};
use siskin::stop::{Reason, Stops};
use siskin::tokenizer::Tokenizer;
use siskin::{ErrorKind, Model, batch, memory, model, session, stop};
use std::fmt::Debug;
use std::thread;

fn model() -> Model {
    Model::open(util::model()).expect("a model").with_threads(1)
}

fn short() -> Options {
    Options { max_tokens: 4, ..Options::default() }
}

/// Sessions move between threads, models are shared by them; errors go anywhere.
#[test]
fn what_may_be_sent_and_shared() {
    fn sent<T: Send + Debug>() {}
    fn shared<T: Send + Sync + Debug>() {}
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    shared::<Model>();
    shared::<model::Model>();
    shared::<Tokenizer>();
    shared::<Gguf>();
    shared::<gguf::Bytes>();
    shared::<Options>();
    shared::<memory::Footprint>();
    shared::<Stops>();
    sent::<Session<'static>>();
    sent::<session::Steps<'static, 'static>>();
    sent::<batch::Batch<'static>>();
    sent::<Scorer<'static>>();
    sent::<Predictor<'static>>();
    sent::<Cpu>();
    error::<siskin::Error>();
    error::<session::Error>();
    error::<CacheError>();
    error::<stop::Error>();
    error::<sample::Error>();
}

/// Several sessions at once, each in a thread of its own, and one that is moved into another: each text is what it is alone.
#[test]
fn a_model_is_shared_by_threads() {
    let model = model();
    let prompts = ["Once upon a time", "The cat sat on the", "One day, a dog"];
    let alone = |prompt: &str| model.session(prompt, &short()).expect("a session").generate().expect("text");
    let expected = prompts.map(alone);
    let mut moved = model.session(prompts[0], &short()).expect("a session");
    thread::scope(|scope| {
        let together = prompts.map(|prompt| scope.spawn(move || alone(prompt)));
        let moved = scope.spawn(move || moved.generate().expect("text"));
        assert_eq!(together.map(|text| text.join().expect("no panic")), expected);
        assert_eq!(moved.join().expect("no panic"), expected[0]);
    });
}

/// Calls in another order than the one that makes sense are errors, and the session can be used after them.
#[test]
fn calls_in_the_wrong_order_are_errors() {
    let model = model();
    let prompt = model.encode("Once upon a time");
    let expected = model.session_of(&prompt, &short()).expect("a session").generate().expect("text");

    let mut session = model.prepare(&prompt, &short()).expect("a session");
    assert!(matches!(session.step(None), Err(session::Error::NotPrefilled)));
    assert!(matches!(session.prefill(&[], |_| {}, None), Err(session::Error::EmptyPrompt)));
    let longer = prompt.repeat(3);
    assert!(matches!(
        session.prefill(&longer, |_| {}, None),
        Err(session::Error::PromptTooLong { tokens, .. }) if tokens == longer.len()
    ));
    assert!(matches!(session.prefill(&[u32::MAX], |_| {}, None), Err(session::Error::TokenRange { .. })));
    session.prefill(&prompt, |_| {}, None).expect("its own prompt");
    let other = [&prompt[..2], &[7]].concat();
    let refused = session.prefill(&other, |_| {}, None);
    assert!(
        matches!(refused, Err(session::Error::OtherPrompt { tokens: 3, run, .. }) if run == prompt.len())
    );
    session.prefill(&prompt, |_| {}, None).expect("nothing is left to run");
    assert_eq!(session.generate().expect("text"), expected);
    assert_eq!(session.generate().expect("it has ended"), "");
    assert!(session.step(None).expect("it has ended").choice.is_none());
    assert!(matches!(session.prefill(&prompt, |_| {}, None), Err(session::Error::OtherPrompt { .. })));
    // kept, but for its last token, of which there are no logits yet
    session.resume(&prompt).expect("it fits");
    assert!(matches!(session.step(None), Err(session::Error::NotPrefilled)));
    session.read(&prompt).expect("it fits");
    assert_eq!(session.generate().expect("text"), expected);

    // one that fits, but leaves no room for what was asked for
    let mut session = model.prepare(&prompt, &short()).expect("a session");
    let refused = session.prefill(&[&prompt[..], &[5]].concat(), |_| {}, None);
    assert!(matches!(refused, Err(session::Error::OtherPrompt { expected, .. }) if expected == prompt.len()));
    let mut session = model.conversation(20, &short()).expect("a session");
    assert!(matches!(
        session.prefill(&prompt, |_| {}, None),
        Err(session::Error::OtherPrompt { expected: 0, .. })
    ));

    let searched = Options { branches: 2, beams: true, ..short() };
    let mut session = model.prepare(&prompt, &searched).expect("a session");
    let refused = search::beams(&mut session, &Beams::new(2), |_| {});
    assert!(matches!(refused, Err(session::Error::NotPrefilled)));
    let refused = search::samples(&mut session, 2, |_| {});
    assert!(matches!(refused, Err(session::Error::NotPrefilled)));
    session.prefill(&prompt, |_| {}, None).expect("its own prompt");
    assert!(matches!(session.step(None), Err(session::Error::OnlySearches { branches: 2 })));
    for count in [0, 3, usize::MAX] {
        let refused = search::beams(&mut session, &Beams::new(count), |_| {});
        assert!(matches!(refused, Err(session::Error::Branches { found, room: 2 }) if found == count));
    }
    for length_penalty in [f32::NAN, f32::INFINITY] {
        let refused = search::beams(&mut session, &Beams { length_penalty, ..Beams::new(2) }, |_| {});
        assert!(matches!(refused, Err(session::Error::LengthPenalty { .. })));
    }
    let found = search::beams(&mut session, &Beams::new(2), |_| {}).expect("continuations");
    assert_eq!(search::beams(&mut session, &Beams::new(2), |_| {}).expect("the same again"), found);
}

/// Whatever the options, there is an error or a text.
#[test]
fn no_option_is_a_panic() {
    let model = model();
    let sampling = |set: fn(&mut sample::Options)| {
        let mut options = short();
        set(&mut options.sampling);
        options
    };
    let rules = |set: fn(&mut stop::Rules)| {
        let mut options = short();
        set(&mut options.stop);
        options
    };
    let window = |positions, sinks| Options { window: Some(Window { positions, sinks }), ..short() };
    let all = [
        Options { max_tokens: 0, ..short() },
        Options { max_tokens: usize::MAX, context: Some(8), ..short() },
        Options { context: Some(0), ..short() },
        Options { context: Some(1), ..short() },
        window(0, 0),
        window(1, 0),
        window(2, 1),
        window(8, usize::MAX),
        window(usize::MAX, 0),
        Options { branches: usize::MAX, ..short() },
        Options { branches: usize::MAX, beams: true, ..short() },
        Options { branches: usize::MAX / 2 + 1, beams: true, ..short() },
        Options { prefill_threads: Some(0), decode_threads: Some(usize::MAX), ..short() },
        Options { stop_texts: vec![String::new()], ..short() },
        sampling(|o| o.temperature = f32::NAN),
        sampling(|o| o.temperature = 1e-40),
        sampling(|o| (o.temperature, o.dynamic.range) = (f32::MAX, f32::MAX)),
        sampling(|o| (o.temperature, o.top_k) = (1.0, u32::MAX)),
        sampling(|o| o.top_p = f32::NAN),
        sampling(|o| o.logit_bias = vec![(u32::MAX, 1.0)]),
        sampling(|o| o.logit_bias = vec![(1, f32::NAN)]),
        sampling(|o| (o.penalties.last_n, o.penalties.repeat) = (u32::MAX, 0.0)),
        sampling(|o| (o.dry.multiplier, o.dry.base, o.dry.allowed_length) = (f32::MAX, f32::MAX, 0)),
        sampling(|o| (o.dry.multiplier, o.dry.breakers) = (1.0, vec![u32::MAX])),
        rules(|o| o.below = Some(f32::NAN)),
        rules(|o| o.below_mean = Some((0.5, usize::MAX))),
        rules(|o| o.entropy = Some(f32::NAN)),
        rules(|o| o.sentences = Some(0)),
        rules(|o| o.repeats = Some(usize::MAX)),
        rules(|o| o.min_tokens = usize::MAX),
        rules(|o| (o.bytes, o.all) = (Some(usize::MAX), true)),
    ];
    for options in all {
        let text = model.session("Once upon", &options).and_then(|mut session| Ok(session.generate()?));
        let planned = model.plan(3, &options);
        if let Err(error) = text {
            assert_ne!(error.kind(), ErrorKind::BadModel, "{error} {options:?}");
            assert!(
                planned.is_ok() || planned.is_err_and(|planned| planned.kind() == error.kind()),
                "{error}"
            );
        }
    }
    let empty = model.session_of(&[], &short());
    assert_eq!(empty.expect_err("nothing to go on with").kind(), ErrorKind::Usage);
    let model = model.with_threads(0);
    let threads = model.session("a", &short());
    assert_eq!(threads.expect_err("no thread").kind(), ErrorKind::Usage);
}

/// A sampler of one's own may choose what is no token.
#[test]
fn a_chosen_token_is_looked_at() {
    struct Beyond;
    impl Choose for Beyond {
        fn choose(&mut self, _: &[f32], _: &Context<'_>) -> Result<Choice, sample::Error> {
            Ok(Choice { token: u32::MAX, probability: f32::NAN, logprob: None })
        }
    }
    let model = model();
    let mut session = model.session("Once upon", &short()).expect("a session");
    session.choose_with(Box::new(Beyond));
    assert!(matches!(session.generate(), Err(session::Error::TokenRange { token: u32::MAX, .. })));
}

/// What is planned without a session, from the model or from the header of its file, is what the session takes.
#[test]
fn plans_are_those_of_sessions() {
    let model = model();
    let prompt = model.encode("Once upon a time");
    let mut sampled = Options { max_tokens: 20, ..Options::default() };
    (sampled.sampling.temperature, sampled.stop.sentences) = (0.8, Some(2));
    for options in [sampled.clone(), Options { branches: 3, beams: true, ..sampled.clone() }] {
        let session = model.session_of(&prompt, &options).expect("a session");
        assert_eq!(model.plan(prompt.len(), &options).expect("a plan"), *session.plan());
    }
    let threads = siskin::topology::Topology::this_machine().default_threads();
    let model = model.with_threads(threads);
    let header = Gguf::open_header(util::model()).expect("a header");
    let footprint = Model::footprint(&header, prompt.len(), &sampled).expect("a footprint");
    let plan = model.plan(prompt.len(), &sampled).expect("a plan");
    assert_eq!((footprint.plan.kv, footprint.plan.tables), (plan.kv, plan.tables));
    assert!(footprint.plan.owned().abs_diff(plan.owned()) < 4096, "{footprint:?} {plan:?}");
    assert!(matches!(
        Model::footprint(&header, usize::MAX, &sampled).map_err(|error| error.kind()),
        Err(ErrorKind::DoesNotFit)
    ));
}

/// A conversation that outgrows its room says so, goes on after its beginning was dropped, and reads only what is new.
#[test]
fn a_conversation_drops_what_does_not_fit() {
    let model = model();
    let mut session = model.conversation(40, &short()).expect("a session");
    let mut turns: Vec<String> = Vec::new();
    let mut dropped = 0;
    for turn in 0..12 {
        turns.push(format!("One day, there were {turn} dogs."));
        let kept = loop {
            match session.read(&model.encode(&turns.concat())) {
                Ok(kept) => break kept,
                Err(session::Error::PromptTooLong { context, .. }) => {
                    assert_eq!(context, 40);
                    turns.remove(0);
                    dropped += 1;
                }
                Err(error) => panic!("{error}"),
            }
        };
        assert!(turn == 0 || dropped > 0 || kept > 4, "{kept} kept");
        let answer = session.generate().expect("text");
        assert!(session.ended().is_some());
        turns.push(answer);
    }
    assert!(dropped > 0);
}

/// Texts that a scorer was not made for, and windows that a predictor was not.
#[test]
fn scores_refuse_what_there_is_no_room_for() {
    let model = model();
    let texts =
        |rest: &[&[u32]]| Texts { prompt: vec![1, 5], rest: rest.iter().map(|text| text.to_vec()).collect() };
    let scorer = |rest: &[&[u32]]| {
        let cpu = Cpu::new(1).expect("a thread");
        Scorer::new(model.network(), cpu, &texts(rest), KvType::F16).expect("a scorer")
    };
    let mut one = scorer(&[&[6, 7]]);
    assert_eq!(one.text(&[]), Err(score::Error::Empty));
    assert_eq!(one.text(&[6; 3]), Err(score::Error::Room { found: 3, expected: 2 }));
    assert!(matches!(one.text(&[u32::MAX]), Err(score::Error::TokenRange { .. })));
    assert_eq!(one.texts(&[vec![6], vec![7]]), Err(score::Error::Room { found: 1, expected: 0 }));
    let alone = one.text(&[6, 7]).expect("a score");
    assert_eq!(one.text(&[6]), Err(score::Error::Room { found: 1, expected: 0 }));
    let mut two = scorer(&[&[6, 7], &[8]]);
    assert_eq!(two.text(&[6]), Err(score::Error::Room { found: 1, expected: 0 }));
    assert_eq!(two.texts(&[vec![8], vec![6; 3]]), Err(score::Error::Room { found: 3, expected: 2 }));
    // more than side by side, one after the other
    for score in two.texts(&[vec![6, 7], vec![8], vec![6, 7]]).expect("scores").iter().step_by(2) {
        let (found, expected) = (score.logprob(), alone.logprob());
        assert!((found - expected).abs() < 0.2 + 0.05 * expected.abs(), "{found} {expected}");
    }
    assert_eq!(two.texts(&[vec![6, 7]]).expect("scores").len(), 1);

    let cpu = Cpu::new(1).expect("a thread");
    let mut predictor = Predictor::new(model.network(), cpu, 8, KvType::F16).expect("a predictor");
    let mut found = perplexity::Score::default();
    for (tokens, scored) in [(9, 1..9), (8, 0..8), (3, 1..9), (0, 0..0)] {
        let window = perplexity::Window { tokens: vec![5; tokens], scored };
        let refused = perplexity::score(&mut predictor, None, &window, &mut found);
        assert!(matches!(refused, Err(perplexity::Error::Window { .. })), "{window:?}");
    }
    let window = perplexity::Window { tokens: vec![u32::MAX; 4], scored: 1..4 };
    let refused = perplexity::score(&mut predictor, None, &window, &mut found);
    assert!(matches!(refused, Err(perplexity::Error::TokenRange { .. })));
    let window = perplexity::Window { tokens: vec![5; 8], scored: 4..8 };
    perplexity::score(&mut predictor, None, &window, &mut found).expect("a score");
    assert_eq!(found.loss.count, 4);
}

/// One error type for a whole program, and what kind each is.
#[test]
fn every_error_has_a_kind() {
    fn fails(model: &Model, which: usize) -> Result<(), siskin::Error> {
        match which {
            0 => stop::Sentences::new(0).map(|_| ())?,
            1 => drop(sample::Sampler::new(sample::Options::default(), 0)?),
            2 => model.session("a", &short())?.save("/no/such/folder/file")?,
            3 => drop(perplexity::windows(&[1], None, 9, None)?),
            4 => drop(Gguf::open("/no/such/file")?),
            5 => drop(Gguf::from_vec(b"GGUF".to_vec())?),
            _ => drop(model.score::<&str>("a", &[])?),
        }
        Ok(())
    }
    let model = model();
    let kinds = (0..7).map(|which| fails(&model, which).expect_err("a mistake").kind());
    use ErrorKind::{BadModel, Failed, Usage};
    assert!(kinds.eq([Usage, Failed, Failed, Usage, Failed, BadModel, Usage]));
    assert_eq!("Q8_0".parse(), Ok(KvType::Q8_0));
    assert_eq!(KvType::ALL.map(|kv_type| kv_type.to_string().parse()), KvType::ALL.map(Ok));
    assert!("q9".parse::<KvType>().is_err_and(|error| error.to_string().contains("q9")));
}

/// Whoever stops while the prompt is read has a session that has ended.
#[test]
fn a_session_that_was_cancelled_has_ended() {
    let model = model();
    let cancelled = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let options = Options { cancelled: Some(cancelled), ..short() };
    let mut session = model.session("Once upon a time", &options).expect("a session");
    assert_eq!(session.ended(), Some(&Reason::Cancelled));
    assert_eq!(session.generate().expect("no text"), "");
}
