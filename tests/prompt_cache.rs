//! Prompts that are kept in a file: with and without it, the same numbers, in every family; and the real command with files that are missing, damaged, foreign,
//! and on disks that are full.

mod util;

use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::model::config::Mixer;
use siskin::model::{Decoder, Job, Model, Plan};
use siskin::ops::STEADY_BATCH;
use siskin::session::{CacheError, Options, Session};
use siskin::tokenizer::Tokenizer;
use siskin_tools::synth::{self, Mix, Shape};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use util::{Run, Siskin};

fn bits(logits: &[f32]) -> Vec<u32> {
    logits.iter().map(|x| x.to_bits()).collect()
}

/// Prompts that begin alike.
fn prompt(length: usize, last: u32) -> Vec<u32> {
    (0..length as u32).map(|i| 300 + i * 7 % 200).chain([last]).collect()
}

/// The model with its tokenizer, and sessions of it.
struct Loaded {
    model: Model,
    tokenizer: Tokenizer,
}

impl Loaded {
    fn new() -> Loaded {
        let file = Gguf::open(util::model()).expect("a model");
        let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("a tokenizer");
        Loaded { model: Model::load(&file).expect("a model"), tokenizer }
    }

    fn session(&self, prompt: &[u32], max_tokens: usize) -> Session<'_> {
        let options = Options { max_tokens, ignore_eos: true, ..Options::default() };
        Session::new(&self.model, &self.tokenizer, util::cpu(2), prompt, &options).expect("a session")
    }

    /// The logits after the prompt and the tokens that follow, without a file and with it, and how many tokens came from there.
    fn check(&self, path: &Path, prompt: &[u32], kept: usize) {
        let mut plain = self.session(prompt, 9);
        let mut cached = self.session(prompt, 30);
        assert_eq!(cached.restore(path, prompt).expect("a sound file"), kept, "{} tokens", prompt.len());
        for session in [&mut plain, &mut cached] {
            session.prefill(prompt, |_| {}, None).expect("prefill");
        }
        assert_eq!(bits(plain.logits()), bits(cached.logits()), "{} tokens", prompt.len());
        assert_eq!(cached.timing().prefill_tokens, prompt.len() - kept);
        for _ in 0..8 {
            let [one, other] =
                [&mut plain, &mut cached].map(|session| session.step(None).expect("a step").choice);
            assert_eq!(one, other);
        }
        assert_eq!(bits(plain.logits()), bits(cached.logits()));
    }
}

#[test]
fn a_session_that_begins_with_a_file_computes_the_same_bits() {
    let (loaded, folder) = (Loaded::new(), tempfile::tempdir().expect("a folder"));
    let path = folder.path().join("prompt.cache");
    let first = prompt(90, 7);
    loaded.check(&path, &first, 0);
    let mut session = loaded.session(&first, 20);
    session.prefill(&first, |_| {}, None).expect("prefill");
    session.save(&path).expect("room");
    // the whole; a longer one; one that parts in the middle; a shorter one; one that is too short; another one
    loaded.check(&path, &first, first.len());
    loaded.check(&path, &[&first[..], &prompt(40, 8)].concat(), first.len());
    loaded.check(&path, &[&first[..], &[5]].concat(), first.len() + 1 - STEADY_BATCH);
    loaded.check(&path, &prompt(60, 9), 60 + 1 - STEADY_BATCH);
    loaded.check(&path, &first[..50], 50 - STEADY_BATCH);
    loaded.check(&path, &first[..5], 0);
    loaded.check(&path, &[9, 9, 9, 9], 0);
    // what was generated, token by token, is run again as a prompt
    (0..20).for_each(|_| {
        session.step(None).expect("a step");
    });
    session.save(&path).expect("room");
    let answered = session.tokens().to_vec();
    assert_eq!(answered.len(), first.len() + 19);
    loaded.check(&path, &[&answered[..], &prompt(30, 1)].concat(), first.len());
}

#[test]
fn a_conversation_goes_on_as_if_it_was_never_left() {
    let (loaded, folder) = (Loaded::new(), tempfile::tempdir().expect("a folder"));
    let (path, options) = (folder.path().join("talk.cache"), Options { max_tokens: 9, ..Options::default() });
    let session = |positions| {
        Session::with_positions(&loaded.model, &loaded.tokenizer, util::cpu(2), positions, &options)
            .expect("a session")
    };
    let (mut first, mut second) = (session(200), session(150));
    let answer = |session: &mut Session<'_>, prompt: &[u32]| {
        session.resume(prompt).expect("room");
        session.prefill(prompt, |_| {}, None).expect("prefill");
        (0..9).for_each(|_| {
            session.step(None).expect("a step");
        });
        (session.timing().kept_tokens, bits(session.logits()))
    };
    answer(&mut first, &prompt(20, 3));
    first.save(&path).expect("room");
    assert_eq!(second.recall(&path).expect("a sound file"), first.tokens().len());
    let next = [first.tokens(), &[4, 5, 6]].concat();
    let (kept, expected) = answer(&mut first, &next);
    assert_eq!(answer(&mut second, &next), (kept, expected));
    assert_eq!(kept, next.len() - 3);
    // a session that is too small for it begins anew
    let mut small = session(10);
    assert_eq!((small.recall(&path).expect("a sound file"), small.tokens().len()), (0, 0));
}

#[test]
fn a_file_that_is_of_no_use_changes_nothing() {
    let (loaded, folder) = (Loaded::new(), tempfile::tempdir().expect("a folder"));
    let (path, prompt) = (folder.path().join("prompt.cache"), prompt(40, 7));
    let mut session = loaded.session(&prompt, 9);
    session.prefill(&prompt, |_| {}, None).expect("prefill");
    session.save(&path).expect("room");
    let sound = std::fs::read(&path).expect("a file");
    let mut damaged = sound.clone();
    let last = damaged.len() - 9;
    damaged[last] ^= 1;
    for bytes in [&sound[..8], &sound[..sound.len() / 2], &damaged] {
        std::fs::write(&path, bytes).expect("room");
        let mut other = loaded.session(&prompt, 9);
        let error = other.restore(&path, &prompt).expect_err("no use");
        assert!(matches!(error, CacheError::Unusable { .. }), "{error}");
        assert!(error.to_string().contains("prompt.cache: not used: it"), "{error}");
        other.prefill(&prompt, |_| {}, None).expect("prefill");
        assert_eq!(bits(other.logits()), bits(session.logits()));
    }
    let mut other = loaded.session(&prompt, 9);
    assert!(matches!(other.restore(folder.path(), &prompt), Err(CacheError::NotAFile { .. })));
    assert!(matches!(other.save(folder.path()), Err(CacheError::NotAFile { .. })));
    assert!(matches!(other.save(folder.path().join("no/such")), Err(CacheError::Write { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "something is left over");
    // an empty file is as good as none
    std::fs::write(&path, "").expect("room");
    assert_eq!(other.restore(&path, &prompt).expect("nothing is wrong"), 0);
    session.save(&path).expect("room");
    assert_eq!(other.restore(&path, &prompt).expect("a sound file"), prompt.len());
}

#[test]
fn a_file_of_somebody_elses_is_neither_used_nor_replaced() {
    let (loaded, folder) = (Loaded::new(), tempfile::tempdir().expect("a folder"));
    let (path, prompt) = (folder.path().join("notes"), prompt(40, 7));
    let mut session = loaded.session(&prompt, 9);
    session.prefill(&prompt, |_| {}, None).expect("prefill");
    for bytes in [&b"s"[..], b"siskin", b"siskinKv and more", b"{}", b"GGUF\x03\0\0\0"] {
        std::fs::write(&path, bytes).expect("room");
        for error in [session.save(&path).expect_err("not replaced"), {
            session.restore(&path, &prompt).expect_err("not used")
        }] {
            assert!(matches!(error, CacheError::Foreign { .. }), "{error}");
            assert!(error.to_string().contains("no prompt cache and stays as it is. Try"), "{error}");
        }
        assert_eq!(session.tokens(), prompt, "what the session held");
        assert_eq!(std::fs::read(&path).expect("the file"), bytes);
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "something is left over");
}

/// Every family: a decoder that took up what another one held goes on to the same bits.
#[test]
fn families() {
    let folder = tempfile::tempdir().expect("a folder");
    let names: Vec<&str> =
        synth::SHAPES.iter().map(|shape| shape.name).filter(|name| name.starts_with("tiny")).collect();
    assert!(names.len() > 10, "{names:?}");
    let names = if siskin_tools::emulated() { &names[..4] } else { &names[..] };
    for name in names {
        let path = folder.path().join(name);
        let shape = Shape::named(name).expect("a shape");
        synth::Model::new(shape, Mix::named("Q8_0").expect("a mix"), 1).save(&path).expect("room");
        let model = Model::load(&Gguf::open(&path).expect("a model")).expect("a model");
        family(name, &model);
    }
}

fn family(name: &str, model: &Model) {
    let tokens: Vec<u32> = (0..60).map(|i| (i * 11 + 3) % model.weights().vocabulary() as u32).collect();
    let decoder = |positions| {
        let job = Job { positions, kv_type: KvType::F16, threads: 2, ..Job::default() };
        Decoder::new(model, &Plan::new(model, job).expect("it fits"), util::cpu(2))
    };
    let mut first = decoder(60);
    first.forward(&tokens[..40]);
    first.logits(39);
    let mut file = Vec::new();
    first.write(&tokens[..40], 40, &mut file).expect("memory takes all");
    let mut second = decoder(80);
    let stored = second.stored(Arc::new(file)).expect("a sound file");
    let go_on = |decoder: &mut Decoder<'_>, from: usize| {
        decoder.forward(&tokens[from..from + STEADY_BATCH]);
        decoder.logits(STEADY_BATCH - 1).to_vec()
    };
    // all of it
    assert_eq!(second.usable(&stored, 40), Ok(40), "{name}");
    assert_eq!(second.restore(&stored, 40), Ok(true), "{name}");
    assert_eq!(bits(second.last_logits()), bits(first.last_logits()), "{name}");
    assert_eq!(bits(&go_on(&mut second, 40)), bits(&go_on(&mut first, 40)), "{name}");
    // a beginning, as far as the family can go back
    let mut third = decoder(60);
    third.forward(&tokens[..30]);
    let expected = go_on(&mut third, 30);
    let usable = second.usable(&stored, 30).expect("a sound header");
    let has_state = model.config().layers.iter().any(|layer| matches!(layer.mixer, Mixer::DeltaNet(_)));
    assert_eq!(usable, if has_state { 0 } else { 30 }, "{name}");
    second.restore(&stored, usable).expect("a sound file");
    if usable == 0 {
        return;
    }
    let found = go_on(&mut second, 30);
    // with experts, batches of other lengths round differently
    let is_exact = model.config().experts.is_none();
    assert!(!is_exact || bits(&found) == bits(&expected), "{name}");
    let largest = expected.iter().fold(0f32, |most, x| most.max(x.abs()));
    assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 0.1 * largest), "{name}");
}

const PROMPT: &str = "Once upon a time there was a little bird who sat in a tree and sang all day long";

fn generate(siskin: &Siskin, rest: &[&str]) -> Run {
    let model = util::model_name();
    let args = ["generate", "-m", &model, "--seed", "3", "-n", "12"];
    siskin.run([&args[..], rest].concat())
}

/// The text and how many tokens came from the file.
fn told(run: Run) -> (String, u64) {
    let json = run.json();
    (
        json["text"].as_str().expect("a text").to_owned(),
        json["timing"]["kept_tokens"].as_u64().expect("a number"),
    )
}

#[test]
fn the_command_writes_the_same_with_and_without() {
    let siskin = Siskin::new();
    let plain = generate(&siskin, &["--json", PROMPT]).json();
    let (text, tokens) =
        (plain["text"].as_str().expect("a text"), plain["prompt_tokens"].as_array().expect("ids").len());
    let cached = |rest: &[&str]| generate(&siskin, &[&["--json", "--cache", "p.cache"], rest].concat());
    assert_eq!(told(cached(&[PROMPT])), (text.to_owned(), 0));
    assert_eq!(told(cached(&[PROMPT, "-t", "2"])), (text.to_owned(), tokens as u64));
    assert_eq!(told(cached(&[PROMPT, "--context", "60", "-t", "1"])), (text.to_owned(), tokens as u64));
    // searches, too
    let beams = ["--beams", "3", "--json", PROMPT];
    let args = ["generate", "-m", &util::model().display().to_string(), "-n", "5"].map(str::to_owned);
    let search = |more: &[&str]| {
        siskin.run(args.iter().map(String::as_str).chain(beams).chain(more.iter().copied())).json()
    };
    assert_eq!(search(&[])["continuations"], search(&["--cache", "p.cache"])["continuations"]);
    // another type of keys and values: told, and rewritten
    let other = cached(&["--kv-type", "f32", PROMPT]);
    assert!(
        other.stderr.contains("p.cache: not used: its keys and values are f16, expected f32"),
        "{}",
        other.stderr
    );
    assert_eq!(other.stderr.lines().count(), 1, "{}", other.stderr);
    assert_eq!(told(cached(&["--kv-type", "f32", PROMPT])).1, tokens as u64);
    // damaged: told, and rewritten
    let path = siskin.dir.path().join("p.cache");
    let bytes = std::fs::read(&path).expect("a cache");
    std::fs::write(&path, &bytes[..bytes.len() - 3]).expect("room");
    let other = cached(&["--kv-type", "f32", PROMPT]);
    assert!(other.stderr.contains("p.cache: not used: it has"), "{}", other.stderr);
    assert_eq!(std::fs::read(&path).expect("a cache"), bytes);
    let stats = generate(&siskin, &["--cache", "p.cache", "--kv-type", "f32", "--stats", PROMPT]).stderr;
    assert!(stats.contains(&format!("kept {tokens} tokens")), "{stats}");
    cached(&["--logits", "x.npy", PROMPT]).fails(2, &["--cache", "--logits"]);
    assert_eq!(std::fs::read_dir(siskin.dir.path()).expect("a folder").count(), 1, "something is left over");
}

/// The rows of a prefix are read where they lie in the file: the memory that was planned for them stays untouched, and the file counts as mapped.
#[test]
fn a_restored_prefix_takes_no_memory_of_its_own() {
    if !cfg!(target_os = "linux") || siskin_tools::emulated() {
        eprintln!("skipped: what an emulator takes counts as the command's own");
        return;
    }
    let (siskin, model) = (Siskin::new(), util::model().display().to_string());
    let run = |tokens: u32, rest: &[&str]| {
        let ids: Vec<String> = (0..tokens).map(|i| (300 + i * 7 % 200).to_string()).collect();
        let args =
            ["generate", "-m", &model, "-t", "1", "--seed", "3", "-n", "4", "--kv-type", "f32", "--json"];
        siskin.run([&args[..], &["--tokens", &ids.join(",")], rest].concat()).json()
    };
    let number = |run: &serde_json::Value, name: &str| run["memory"][name].as_u64().expect("a number");
    let short = run(12, &[]);
    let first = run(480, &["--cache", "p.cache"]);
    let again = run(480, &["--cache", "p.cache"]);
    assert_eq!((&first["text"], &again["timing"]["kept_tokens"]), (&again["text"], &480.into()));
    let rows = number(&first, "kv") * 480 / 484;
    let [short, without, with] = [&short, &first, &again].map(|run| number(run, "anon"));
    assert!(rows > 1_500_000 && without > with + rows * 4 / 5, "{rows} bytes of rows: {without}, {with}");
    // beside what any prompt takes, and buffers that grow with it, less than a copy would
    assert!(with < short + rows * 3 / 5, "{rows} bytes of rows: {short}, {with}");
    let file = std::fs::metadata(siskin.dir.path().join("p.cache")).expect("a cache").len();
    assert_eq!(number(&again, "mapped"), number(&first, "mapped") + file);
    assert_eq!(number(&again, "owned"), number(&first, "owned"), "the plan is the same");
}

#[test]
fn the_command_leaves_other_files_alone() {
    let siskin = Siskin::new();
    let text = generate(&siskin, &[PROMPT]).ok();
    let bytes = std::fs::read(util::model()).expect("a model");
    siskin.file("m.gguf", &bytes);
    let run = generate(&siskin, &["--cache", "m.gguf", PROMPT]);
    assert_eq!(
        run.stderr.matches("m.gguf: found a file that is no prompt cache and stays as it is").count(),
        1
    );
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert_eq!(run.ok(), text);
    assert!(std::fs::read(siskin.dir.path().join("m.gguf")).expect("the file") == bytes);
    let run = generate(&siskin, &["--cache", ".", PROMPT]);
    assert!(run.stderr.contains("is no regular file, expected a prompt cache"), "{}", run.stderr);
    assert!(run.stderr.lines().count() == 1 && !run.stderr.contains(".gguf"), "{}", run.stderr);
    assert_eq!(run.ok(), text);
    assert_eq!(std::fs::read_dir(siskin.dir.path()).expect("a folder").count(), 1, "something is left over");
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_is_full_is_a_warning() {
    let siskin = Siskin::new();
    let text = generate(&siskin, &[PROMPT]).ok();
    let device = generate(&siskin, &["--cache", "/dev/full", PROMPT]);
    assert!(
        device.stderr.contains("/dev/full: found something that is no regular file"),
        "{}",
        device.stderr
    );
    assert_eq!(device.ok(), text);
    let paths: [PathBuf; 2] = ["/proc/x.cache".into(), "no/such/folder".into()];
    for path in paths {
        let run = generate(&siskin, &["--cache", path.to_str().expect("a path"), PROMPT]);
        assert!(
            run.stderr.contains("warning: ") && run.stderr.contains("cannot be written"),
            "{}",
            run.stderr
        );
        assert_eq!(run.ok(), text);
    }
    // a real limit, where the command itself runs
    if !siskin_tools::emulated() {
        let model = util::model().display().to_string();
        let direct =
            siskin.command(["generate", "-m", &model, "--seed", "3", "-n", "12", "--cache", "p", PROMPT]);
        let mut command = std::process::Command::new("sh");
        command
            .args(["-c", "ulimit -f 8 && exec \"$0\" \"$@\""])
            .arg(direct.get_program())
            .args(direct.get_args());
        let mut refused = |files: usize| {
            let run = Run::from(command.current_dir(siskin.dir.path()).output().expect("a shell"));
            assert!(run.stderr.contains("warning: p: the prompt cache cannot be written"), "{}", run.stderr);
            assert_eq!(run.ok(), text);
            let left = std::fs::read_dir(siskin.dir.path()).expect("a folder").count();
            assert_eq!(left, files, "something is left over");
        };
        refused(0);
        // the cache of another prompt is still there afterwards, as it was
        generate(&siskin, &["--cache", "p", "Another prompt that has little in common with it"]).ok();
        let path = siskin.dir.path().join("p");
        let before = std::fs::read(&path).expect("a cache");
        refused(1);
        assert!(std::fs::read(&path).expect("the cache") == before);
    }
    assert!(std::fs::metadata("/dev/full").is_ok_and(|found| !found.is_file()));
}

#[test]
#[cfg(feature = "chat")]
fn a_saved_conversation_is_not_read_again() {
    let siskin = Siskin::new();
    let model = util::model_name();
    let chat = |rest: &[&str], lines: &str| {
        let args = ["chat", "-m", &model, "--temp", "0", "--stats"];
        siskin.run_with_stdin([&args[..], rest].concat(), lines.as_bytes())
    };
    let kept = |stderr: &str| -> usize {
        let last = stderr.lines().rfind(|line| line.contains("last answer: kept ")).expect("an answer");
        last.split("kept ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).expect("a number")
    };
    let whole = chat(&[], "My name is Anna.\nHow are you?\n");
    let first = chat(&["--save", "talk.json"], "My name is Anna.\n").ok();
    let second = chat(&["--load", "talk.json"], "How are you?\n");
    assert_eq!(kept(&second.stderr), kept(&whole.stderr));
    assert!(kept(&second.stderr) > 10, "{}", second.stderr);
    assert_eq!(first + &second.stdout, whole.stdout);
    // without the cache, or with one that is of no use, it is read
    let text = second.ok();
    std::fs::write(siskin.dir.path().join("talk.json.cache"), "no").expect("room");
    let read = chat(&["--load", "talk.json"], "How are you?\n");
    assert!(read.stderr.contains("talk.json.cache: found a file that is no prompt cache"), "{}", read.stderr);
    assert_eq!(kept(&read.stderr), 0);
    std::fs::remove_file(siskin.dir.path().join("talk.json.cache")).expect("it was there");
    assert_eq!(chat(&[], "/load talk.json\nHow are you?\n").ok().lines().count(), text.lines().count());
    chat(&["--load", "nowhere.json"], "").fails(1, &["nowhere.json"]);
}

/// Neither the file that is to have the conversation nor the one beside it takes the place of something else.
#[test]
#[cfg(feature = "chat")]
fn a_conversation_replaces_no_other_file() {
    let siskin = Siskin::new();
    let model = util::model_name();
    let chat = |rest: &[&str], lines: &str| {
        let args = ["chat", "-m", &model, "--temp", "0", "-n", "5"];
        siskin.run_with_stdin([&args[..], rest].concat(), lines.as_bytes())
    };
    let read = |name: &str| std::fs::read(siskin.dir.path().join(name)).expect("a file");
    for text in ["GGUF", "{\"name\": \"a package\"}", "[1, 2]"] {
        siskin.file("notes", text.as_bytes());
        chat(&["--save", "notes"], "Hello\n").fails(1, &["notes: found a file that is no conversation"]);
        let run = chat(&[], "Hello\n/save notes\n");
        assert!(
            run.code == Some(1) && run.stderr.contains("stays as it is. Try another name"),
            "{}",
            run.stderr
        );
        assert_eq!(read("notes"), text.as_bytes());
    }
    siskin.file("talk.json", b"");
    siskin.file("talk.json.cache", b"no cache");
    let run = chat(&["--save", "talk.json"], "Hello\n");
    assert!(
        run.stderr.contains("warning: talk.json.cache: found a file that is no prompt cache"),
        "{}",
        run.stderr
    );
    run.ok();
    assert_eq!(read("talk.json.cache"), b"no cache");
    // a conversation is replaced by a longer one
    let before = read("talk.json");
    chat(&["--load", "talk.json", "--save", "talk.json"], "And then?\n").ok();
    assert!(read("talk.json").len() > before.len());
}
