//! The real command in a temporary directory: what it prints, where, and how it exits.

mod util;

use siskin_tools::synth::{self, Mix, Shape};
use std::io::Write;
use std::process::{Command, Stdio};
use util::{Siskin, model_name as model};

/// `generate` with the test model and a fixed seed.
fn generate<'a>(model: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["generate", "-m", model, "--seed", "7"], rest].concat()
}

#[test]
fn text_goes_to_stdout_and_nothing_else_does() {
    let (siskin, model) = (Siskin::new(), model());
    let run = siskin.run(generate(&model, &["-n", "12", "--temp", "0", "Once upon a time"]));
    assert_eq!(run.stderr, "");
    let text = run.ok();
    assert!(text.len() > 12 && text.ends_with('\n'), "{text:?}");
    let echoed =
        siskin.run(generate(&model, &["-n", "12", "--temp", "0", "--echo", "Once upon a time"])).ok();
    assert_eq!(echoed, format!("Once upon a time{text}"));
}

#[test]
fn the_prompt_may_come_from_a_file_or_stdin_or_as_ids() {
    let (siskin, model) = (Siskin::new(), model());
    let direct = siskin.run(generate(&model, &["-n", "8", "Once upon a time"])).ok();
    siskin.file("prompt.txt", b"Once upon a time");
    assert_eq!(siskin.run(generate(&model, &["-n", "8", "-f", "prompt.txt"])).ok(), direct);
    assert_eq!(
        siskin.run_with_stdin(generate(&model, &["-n", "8", "-f", "-"]), b"Once upon a time").ok(),
        direct
    );
    let ids = siskin.run(["tokenize", "-m", &model, "Once upon a time"]).ok().trim().replace(' ', ",");
    assert_eq!(siskin.run(generate(&model, &["-n", "8", "--tokens", &ids])).ok(), direct);
    let from_environment = siskin
        .command(["generate", "-n", "8", "--seed", "7", "Once upon a time"])
        .env("SISKIN_MODEL", &model)
        .output();
    assert_eq!(String::from_utf8_lossy(&from_environment.expect("siskin runs").stdout), direct);
}

#[test]
fn the_json_object_is_the_contract() {
    let (siskin, model) = (Siskin::new(), model());
    let text = siskin.run(generate(&model, &["-n", "10", "Once upon a time"])).ok();
    let json = siskin.run(generate(&model, &["-n", "10", "--json", "-t", "2", "Once upon a time"])).json();
    assert_eq!(json["text"], text.trim_end_matches('\n'));
    assert_eq!(json["tokens"].as_array().map(Vec::len), Some(10));
    assert_eq!(json["stop"], serde_json::json!({"reason": "max_tokens", "detail": json["stop"]["detail"]}));
    assert_eq!(
        (&json["seed"], &json["threads"], &json["prefill_threads"]),
        (&7.into(), &2.into(), &2.into())
    );
    assert_eq!(json["timing"]["prefill_tokens"], json["prompt_tokens"].as_array().map(Vec::len).unwrap());
    assert_eq!(json["timing"]["decode_tokens"], 10);
    let memory = &json["memory"];
    let owned: u64 = ["kv", "scratch", "search", "tables", "tokenizer"]
        .iter()
        .filter_map(|class| memory[*class].as_u64())
        .sum();
    assert_eq!(memory["owned"], owned);
    assert_eq!(memory["mapped"], std::fs::metadata(&model).unwrap().len());
    for key in ["load_ms", "prefill_ms", "decode_ms"] {
        assert!(json["timing"][key].as_f64().is_some_and(|ms| ms > 0.0), "{key}");
    }
    assert!(json["isa"].is_string());
}

#[test]
fn the_same_seed_gives_the_same_text_for_any_number_of_threads() {
    let (siskin, model) = (Siskin::new(), model());
    let run = |seed: &str, threads: &str| {
        siskin
            .run([
                "generate",
                "-m",
                &model,
                "-n",
                "40",
                "--temp",
                "1.2",
                "--seed",
                seed,
                "-t",
                threads,
                "Once upon",
            ])
            .ok()
    };
    let texts = [run("1", "1"), run("1", "2"), run("1", "5")];
    assert!(texts.iter().all(|text| *text == texts[0]), "{texts:?}");
    assert_ne!(run("2", "1"), texts[0]);
}

#[test]
fn prefill_has_threads_of_its_own() {
    let (siskin, model) = (Siskin::new(), model());
    let run = |rest: &[&'static str]| {
        siskin.run(generate(&model, &[&["-n", "10", "--json"], rest, &["Once upon a time"]].concat())).json()
    };
    let threads = |json: &serde_json::Value| (json["threads"].as_u64(), json["prefill_threads"].as_u64());
    let (one, other) =
        (run(&["-t", "1", "--prefill-threads", "3"]), run(&["-t", "2", "--prefill-threads", "1"]));
    assert_eq!((threads(&one), threads(&other)), ((Some(1), Some(3)), (Some(2), Some(1))));
    assert_eq!(one["text"], other["text"]);
    siskin.run(generate(&model, &["--prefill-threads", "0", "x"])).fails(2, &["--prefill-threads"]);
}

#[test]
fn a_stop_text_ends_the_text_and_is_not_printed() {
    let (siskin, model) = (Siskin::new(), model());
    let args = |rest: &[&'static str]| [&["-n", "60", "--temp", "0"], rest, &["Once upon a time"]].concat();
    let whole = siskin.run(generate(&model, &args(&[]))).ok();
    let at = whole.find("a ").expect("a story has articles");
    let json = siskin.run(generate(&model, &args(&["--stop", "a ", "--stop", "never", "--json"]))).json();
    assert_eq!(json["text"], whole[..at]);
    assert_eq!(json["stop"]["reason"], "stop_text");
    assert_eq!(json["stop"]["detail"], "a ");
}

#[test]
fn end_of_text_ends_it_unless_ignored() {
    let (siskin, model) = (Siskin::new(), model());
    let eos = siskin.run(["inspect", "--json", &model]).json()["eos"].to_string();
    let ids = format!("1,{eos}");
    // After the end of one text, another begins: generation goes on past EOS when told to.
    let run = |flags: &[&str]| {
        siskin.run(generate(&model, &[flags, &["--temp", "0.7", "--json", "--tokens", &ids]].concat())).json()
    };
    let ended = run(&["-n", "400"]);
    assert_eq!(ended["stop"]["reason"], "eos", "{ended}");
    let longer = (ended["tokens"].as_array().expect("ids").len() + 9).to_string();
    let ignored = run(&["-n", &longer, "--ignore-eos"]);
    assert_eq!(ignored["stop"]["reason"], "max_tokens");
}

#[test]
fn a_full_context_ends_it() {
    let (siskin, model) = (Siskin::new(), model());
    let json = siskin
        .run(generate(&model, &["--context", "16", "--ignore-eos", "--json", "Once upon a time"]))
        .json();
    let tokens = ["prompt_tokens", "tokens"].map(|key| json[key].as_array().map_or(0, Vec::len));
    assert_eq!((json["stop"]["reason"].as_str(), tokens[0] + tokens[1]), (Some("context"), 16));
    let none = siskin.run(generate(&model, &["-n", "0", "--json", "Once upon a time"])).json();
    assert_eq!((&none["text"], &none["stop"]["reason"]), (&"".into(), &"max_tokens".into()));
}

/// Until the window is full nothing is different; then it goes on. A prompt may be longer than the window.
#[test]
fn a_window_goes_on() {
    let (siskin, model) = (Siskin::new(), model());
    let run = |flags: &[&str]| {
        let common = ["--temp", "0", "--ignore-eos", "--json", "Once upon a time"];
        siskin.run(generate(&model, &[flags, &common].concat())).json()
    };
    let ids = |object: &serde_json::Value| object["tokens"].as_array().expect("ids").clone();
    let (plain, window) = (run(&["-n", "50"]), run(&["-n", "90", "--window", "64"]));
    assert_eq!(ids(&window)[..50], ids(&plain)[..]);
    assert_eq!((ids(&window).len(), &window["stop"]["reason"]), (90, &"max_tokens".into()));
    // a window that is never full takes what a run without one takes
    let (short, same) = (run(&["-n", "20"]), run(&["-n", "20", "--window", "64"]));
    assert_eq!((ids(&short), &short["memory"]["planned"]), (ids(&same), &same["memory"]["planned"]));
    let long = "They went to the park and they saw a dog. ".repeat(12);
    let read = siskin.run(generate(&model, &["-n", "8", "--window", "64", "--json", &long])).json();
    assert!(read["prompt_tokens"].as_array().is_some_and(|tokens| tokens.len() > 100));
    assert_eq!(read["timing"]["decode_tokens"], 8);
}

#[test]
fn logits_have_a_row_for_every_token() {
    let (siskin, model) = (Siskin::new(), model());
    let json = siskin
        .run(generate(&model, &["-n", "5", "--temp", "0", "--json", "--logits", "l.npy", "Once upon"]))
        .json();
    let bytes = std::fs::read(siskin.dir.path().join("l.npy")).unwrap();
    let (prompt, tokens) =
        (json["prompt_tokens"].as_array().unwrap().len(), json["tokens"].as_array().unwrap());
    let rows = prompt + tokens.len();
    let vocabulary =
        siskin.run(["inspect", "--json", &model]).json()["vocabulary"].as_u64().unwrap() as usize;
    let header = String::from_utf8_lossy(&bytes[..128]).into_owned();
    assert!(header.contains(&format!("({rows}, {vocabulary})")), "{header}");
    let floats: Vec<f32> = bytes[128..].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    assert_eq!(floats.len(), rows * vocabulary);
    for (i, token) in tokens.iter().enumerate() {
        let row = &floats[(prompt - 1 + i) * vocabulary..][..vocabulary];
        let best = (0..vocabulary).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        assert_eq!(token, best, "greedy takes the largest logit of the row before");
    }
}

#[test]
fn tokenize_there_and_back() {
    let (siskin, model) = (Siskin::new(), model());
    let text = "Once upon a time, there was a little bird.";
    let json = siskin.run(["tokenize", "-m", &model, "--json", text]).json();
    let ids: Vec<String> = json["tokens"].as_array().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(json["pieces"].as_array().map(Vec::len), Some(ids.len()));
    assert_eq!(siskin.run(["tokenize", "-m", &model, text]).ok(), ids.join(" ") + "\n");
    assert_eq!(siskin.run(["tokenize", "-m", &model, "--no-bos", text]).ok(), ids[1..].join(" ") + "\n");
    for between in [",", " ", ", "] {
        let back = siskin.run(["tokenize", "-m", &model, "--decode", &ids[1..].join(between)]);
        assert_eq!(back.ok(), format!("{text}\n"));
    }
    let lines = siskin
        .run_with_stdin(["tokenize", "-m", &model, "--null"], format!("{text}\0\0{text}\0").as_bytes())
        .ok();
    assert_eq!(lines, format!("{0}\n{1}\n{0}\n", ids.join(" "), ids[0]));
}

#[test]
fn inspect_reads_the_header() {
    let (siskin, model) = (Siskin::new(), model());
    let json = siskin.run(["inspect", "--json", "--all", &model]).json();
    assert_eq!((&json["architecture"], &json["supported"]), (&"llama".into(), &true.into()));
    let groups: u64 =
        json["groups"].as_array().unwrap().iter().filter_map(|group| group["bytes"].as_u64()).sum();
    let tensors: u64 =
        json["tensors"].as_array().unwrap().iter().filter_map(|tensor| tensor["bytes"].as_u64()).sum();
    assert_eq!((&json["tensor_bytes"], groups), (&groups.into(), tensors));
    let text = siskin.run(["inspect", "-m", &model]).ok();
    for word in ["architecture", "llama", "context", "attention", "token embedding"] {
        assert!(text.contains(word), "no {word} in {text}");
    }
}

#[test]
fn a_closed_pipe_is_success() {
    let (siskin, model) = (Siskin::new(), model());
    let mut command = siskin.command(generate(&model, &["-n", "300", "--ignore-eos", "Once upon a time"]));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("siskin starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("siskin ends");
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_it_cleanly() {
    let (siskin, model) = (Siskin::new(), model());
    let mut command = siskin.command(generate(&model, &["--json", "-f", "-"]));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("siskin starts");
    // It waits for the rest of its prompt; the signal is sent once the thread that handles it stands ready.
    child.stdin.as_mut().expect("stdin is piped").write_all(b"Once upon a time").expect("a prompt");
    let has_handler = |pid: u32| {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        tasks.into_iter().any(|task| {
            std::fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "signals")
        })
    };
    while !has_handler(child.id()) {
        assert!(child.try_wait().expect("a child").is_none(), "siskin ended early");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(killed.success());
    // The handler's thread must get to run before the prompt ends.
    std::thread::sleep(std::time::Duration::from_millis(200));
    drop(child.stdin.take());
    let run = util::Run::from(child.wait_with_output().expect("siskin ends"));
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(run.stdout.contains(r#""reason":"cancelled""#), "{}", run.stdout);
}

/// The bytes of a llama model with another name of the same length for its family.
fn with_architecture(bytes: &[u8], name: &[u8; 5]) -> Vec<u8> {
    let key = b"general.architecture";
    let at = bytes.windows(key.len()).position(|window| window == key).expect("the key") + key.len() + 4 + 8;
    assert_eq!(&bytes[at..at + 5], b"llama");
    [&bytes[..at], name, &bytes[at + 5..]].concat()
}

/// Blocks of 32 need heads that they fill; every command says so before it allocates.
#[test]
fn keys_and_values_are_stored_as_asked_for() {
    let (siskin, model) = (Siskin::new(), model());
    let run = |args: &[&str]| siskin.run(args);
    let mut kept = Vec::new();
    for kv_type in ["f32", "f16", "q8_0", "q4_0"] {
        let flags =
            ["-n", "40", "--ignore-eos", "--kv-type", kv_type, "--json", "Once upon a time, there was a"];
        let json = run(&[&["generate", "-m", &model], &flags[..]].concat()).json();
        assert_eq!(json["tokens"].as_array().map(Vec::len), Some(40), "{json}");
        kept.push(json["memory"]["kv"].as_u64().expect("bytes"));
    }
    assert!(kept.windows(2).all(|pair| pair[0] > pair[1]), "{kept:?}");
    assert_eq!((kept[2] * 32, kept[3] * 32), (kept[1] * 17, kept[1] * 9), "34 and 18 bytes instead of 64");
    let plan = run(&["plan", &model, "--no-probe", "--kv-type", "q8_0"]).ok();
    let line = plan.lines().find(|line| line.starts_with("--kv-type")).expect("what each type takes");
    assert!(["f32", "f16", "q4_0"].iter().all(|name| line.contains(name)), "{line}");
    assert!(line.contains("(now)") && line.contains("saves"), "{line}");

    let narrow = Shape { head_dim: 48, rope_dims: 48, ..Shape::named("tiny").expect("a shape") };
    synth::Model::new(narrow, Mix::named("F16").expect("a format"), 1)
        .save(&siskin.file("narrow.gguf", b""))
        .expect("room for a small file");
    siskin.file("text.txt", b"some words, and a few more of them");
    let commands: [&[&str]; 6] = [
        &["generate", "-m", "narrow.gguf", "x"],
        &["trace", "-m", "narrow.gguf", "x"],
        &["bench", "-m", "narrow.gguf", "--prompt", "8", "-n", "8"],
        &["plan", "narrow.gguf"],
        &["perplexity", "-m", "narrow.gguf", "-f", "text.txt", "--context", "2"],
        &["score", "-m", "narrow.gguf", "text.txt"],
    ];
    for command in commands {
        let flags = [command, &["--kv-type", "q8_0"]].concat();
        run(&flags).fails(2, &["--kv-type", "q8_0", "heads of 48 values", "multiple of 32", "f32 or f16"]);
    }
    let plan = run(&["plan", "narrow.gguf", "--no-probe"]).ok();
    let line = plan.lines().find(|line| line.starts_with("--kv-type")).expect("what each type takes");
    assert!(line.contains("f16") && !line.contains("q8_0"), "{line}");
}

/// Values that stand for themselves are looked at when a model is loaded: quantized activations would hide them.
#[test]
fn a_value_that_is_no_number_is_named() {
    let siskin = Siskin::new();
    let tiny = Shape::named("tiny").expect("a shape");
    let path = siskin.file("nan.gguf", b"");
    synth::Model::new(tiny, Mix::named("Q4_0").expect("a format"), 1)
        .save(&path)
        .expect("room for a small file");
    let offset = {
        let file = siskin::gguf::Gguf::open(&path).expect("a model");
        file.tensor("output_norm.weight").expect("a norm").offset() as usize
    };
    let mut bytes = std::fs::read(&path).expect("the file");
    bytes[offset + 20..offset + 24].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, bytes).expect("room for a small file");
    let run = siskin.run(["generate", "-m", "nan.gguf", "x"]);
    run.fails(3, &["nan.gguf", "output_norm.weight", "value 5 is NaN", "Try"]);
}

/// No context is longer than the model's, and none is empty.
#[test]
fn a_context_is_one_of_the_models() {
    let (siskin, model) = (Siskin::new(), model());
    let run = |context: &str| siskin.run(["generate", "-m", &model, "-n", "1", "--context", context, "x"]);
    run("0").fails(2, &["--context", "found 0", "expected 1 to 512"]);
    let long = run("100000");
    assert!(long.stderr.contains("--context 100000: the model's context is 512"), "{}", long.stderr);
    long.ok();
}

#[test]
fn every_bad_input_has_its_message_and_code() {
    let (siskin, model) = (Siskin::new(), model());
    let run = |args: &[&str]| siskin.run(args);
    run(&["generate", "-m", "missing.gguf", "x"]).fails(1, &["missing.gguf"]);
    siskin.file("text.gguf", b"this is no model at all");
    run(&["generate", "-m", "text.gguf", "x"]).fails(3, &["text.gguf", "GGUF"]);
    let bytes = std::fs::read(&model).unwrap();
    siskin.file("short.gguf", &bytes[..bytes.len() / 2]);
    run(&["generate", "-m", "short.gguf", "x"]).fails(3, &["short.gguf"]);
    siskin.file("stub.gguf", &bytes[..20]);
    run(&["generate", "-m", "stub.gguf", "x"]).fails(3, &["stub.gguf"]);
    siskin.file("other.gguf", &with_architecture(&bytes, b"nolma"));
    run(&["generate", "-m", "other.gguf", "x"])
        .fails(3, &["other.gguf: architecture 'nolma'", "Supported: llama"]);
    run(&["generate", "-m", &model, "--context", "4", "a prompt of more than four tokens"])
        .fails(4, &["tokens", "context of 4"]);
    run(&["generate", "-m", &model, "--window", "513", "x"])
        .fails(2, &["found 513 positions", "at most 512", "trained"]);
    run(&["generate", "-m", &model, "--window", "4", "x"])
        .fails(2, &["window: found 4 positions, expected at least 5", "4 sinks", "fewer sinks"]);
    run(&["plan", &model, "--window", "513"]).fails(2, &["at most 512"]);
    run(&["generate", "-m", &model, "--sinks", "4", "x"]).fails(2, &["--window"]);
    for other in [["--beams", "2"], ["--best-of", "2"], ["--context", "100"]] {
        run(&[&["generate", "-m", &model, "--window", "64"], &other[..], &["x"]].concat())
            .fails(2, &["--window", "cannot be used with", other[0]]);
    }
    run(&["generate", "-m", &model, "--tokens", "1,99999999"]).fails(2, &["99999999", "out of range"]);
    run(&["generate", "-m", &model, "--temp", "-1", "x"]).fails(2, &["temp"]);
    run(&["generate", "-m", &model, "--stop", "", "x"]).fails(2, &["stop"]);
    for threads in ["0", "100000"] {
        run(&["generate", "-m", &model, "-t", threads, "x"]).fails(2, &["--threads", "expected 1 to 1024"]);
    }
    run(&["generate", "-m", &model, "-n", "-5", "x"])
        .fails(2, &["'-5' for '--max-tokens <N>'", "whole number"]);
    run(&["generate", "-m", &model, "--top-p", "x", "x"])
        .fails(2, &["'x' for '--top-p <P>'", "such as 2 or 0.5"]);
    run(&["generate", "-m", &model, "--logits", "-", "x"]).fails(2, &["--logits: found -", "./-"]);
    run(&["generate", "-m", &model]).fails(2, &["no prompt"]);
    run(&["generate", "-m", &model, "-f", "nowhere.txt"]).fails(1, &["nowhere.txt"]);
    siskin.file("latin1.txt", b"caf\xe9 au lait");
    run(&["generate", "-m", &model, "-f", "latin1.txt"]).fails(1, &["latin1.txt", "UTF-8", "offset 3"]);
    run(&["generate", "-m", &model, "--logits", "no/such/dir.npy", "x"]).fails(1, &["no/such/dir.npy"]);
    run(&["tokenize", "-m", &model, "--decode", "99999999"]).fails(2, &["99999999"]);
    run(&["tokenize", "-m", &model, "--decode", "1,x"]).fails(2, &["found 'x'", "1,2,3"]);
    run(&["tokenize", "-m", &model, "--decode", "-1"]).fails(2, &["found '-1'", "1,2,3"]);
    run(&["generate", "--no-such-flag"]).fails(2, &["--no-such-flag"]);
    run(&["Once upon a time"]).fails(2, &["tip: to continue a text: 'siskin generate "]);
    run(&["model.gguf"]).fails(2, &["tip: to run a model: 'siskin generate -m "]);
    run(&["-m", &model, "x"]).fails(2, &["'-m'", "tip: a command comes first"]);
    let forced = siskin
        .command(["generate", "-m", &model, "x"])
        .env("SISKIN_ISA", "mmx")
        .output()
        .expect("siskin runs");
    util::Run::from(forced).fails(2, &["SISKIN_ISA", "mmx", "scalar"]);
}

#[cfg(feature = "builtin")]
#[test]
fn without_a_model_the_built_in_one_runs_and_says_so() {
    let siskin = Siskin::new();
    let args = ["generate", "--seed", "1", "-n", "30", "Once upon a time"];
    let run = siskin.run(args);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert!(run.stderr.contains("built-in"), "{}", run.stderr);
    let named = siskin.command(args).env("SISKIN_MODEL", model()).output().expect("siskin runs");
    let unnamed = siskin.command(args).env("SISKIN_MODEL", "").output().expect("siskin runs");
    let text = run.ok();
    assert_eq!(text, util::Run::from(named).ok());
    assert_eq!(text, util::Run::from(unnamed).ok());
}

#[cfg(feature = "builtin")]
#[test]
fn doctor_finds_every_kernel_set_in_order() {
    let siskin = Siskin::new();
    let json = siskin.run(["doctor", "--json"]).json();
    assert_eq!(json["ok"], true, "{json}");
    let kernels = json["kernels"].as_array().expect("kernel sets");
    assert_eq!(kernels[0]["isa"], "scalar");
    assert_eq!(kernels.last().expect("one at least")["isa"], json["chosen"]);
    let text = siskin.run(["doctor"]).ok();
    for word in ["scalar", "ok", "chosen", "verdict", "memory", "page size"] {
        assert!(text.contains(word), "no '{word}' in {text}");
    }
}

/// The arguments of a command line whose last one may be in quotes.
#[cfg(feature = "builtin")]
fn arguments(line: &str) -> Vec<&str> {
    let (flags, prompt) = line.split_once('"').unwrap_or((line, ""));
    flags.split_whitespace().chain(prompt.strip_suffix('"')).collect()
}

/// README and book show what this program prints: the texts are those of every kernel set, and only broken into lines.
#[cfg(feature = "builtin")]
#[test]
fn the_readme_shows_what_comes() {
    let pages = [include_str!("../README.md"), include_str!("../docs/src/decoding.md")].concat();
    let commands = pages.split("\n$ ").skip(1).filter_map(|rest| {
        let (command, output) = rest.split_once('\n')?;
        let args = command.strip_prefix("siskin ")?;
        args.starts_with("generate")
            .then_some((args, output.split("```").next()?))
            .filter(|_| args.contains("--echo"))
    });
    let commands: Vec<_> = commands.collect();
    assert!(commands.len() >= 5, "{}", commands.len());
    // an emulated machine is slow
    for &(args, output) in siskin_tools::some(&commands, 3) {
        let shown: Vec<&str> = output.lines().filter(|line| !line.starts_with("siskin:")).collect();
        assert_eq!(Siskin::new().run(arguments(args)).ok().trim_end(), shown.join(" "), "{args}");
    }
}
