//! The command beside what it planned, and under limits that are too small: always an error that says so and exit code 4, never an abort or a kill.
//!
//! Limits are real ones (`ulimit`), and so are control groups where this user may make them (`tests/util/group.rs`); how their files are read is tested
//! with made-up ones in any case.

mod util;

use serde_json::Value;
use siskin_tools::synth::{self, Mix, Shape};
use std::process::{Command, Stdio};
use util::group::Group;
use util::{Run, Siskin, model_name as model};

/// Ids of a prompt.
const PROMPT: &str = "300,301,302,303,304,305,306,307,308,309,310,311,312,313,314,315";
const PROMPT_TOKENS: &str = "16";

/// What an emulator takes counts as the command's own.
fn emulated() -> bool {
    let emulated = !cfg!(target_os = "linux") || siskin_tools::emulated();
    if emulated {
        eprintln!("skipped: the memory and the limits of an emulator are not those of the command");
    }
    emulated
}

fn generate<'a>(model: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["generate", "-m", model, "-t", "2", "--seed", "1", "--tokens", PROMPT], rest].concat()
}

fn plan<'a>(model: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["plan", model, "-t", "2", "--no-probe", "-p", PROMPT_TOKENS], rest].concat()
}

fn number(object: &Value, name: &str) -> u64 {
    object[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {object}"))
}

#[test]
fn the_plan_is_what_a_run_takes() {
    let (siskin, model) = (Siskin::new(), model());
    let jobs: [(&[&str], &[&str]); 5] = [
        (&["-n", "20"], &["-n", "20"]),
        (&["-n", "9", "--kv-type", "f32"], &["-n", "9", "--kv-type", "f32"]),
        (&["-n", "5", "--best-of", "3"], &["-n", "5", "--best-of", "3"]),
        (&["-n", "25", "--beams", "3"], &["-n", "25", "--beams", "3"]),
        (&["-n", "50", "--window", "40", "--sinks", "2"], &["--window", "40", "--sinks", "2"]),
    ];
    for (flags, planned_flags) in jobs {
        let mut args = generate(&model, &[flags, &["--json"]].concat());
        // beams draw nothing
        args.retain(|arg| !flags.contains(&"--beams") || !["--seed", "1"].contains(arg));
        let run = &siskin.run(args).json()["memory"];
        let planned = siskin.run(plan(&model, &[planned_flags, &["--json"]].concat())).json();
        for class in ["mapped", "kv", "scratch", "search", "tables", "stacks"] {
            assert_eq!(number(run, class), number(&planned, class), "{flags:?}: {class}");
        }
        let (exact, estimate) = (number(run, "tokenizer"), number(&planned, "tokenizer"));
        assert!(exact.abs_diff(estimate) < exact / 10, "{exact} {estimate}");
        let layers = planned["kv_layers"].as_array().expect("layers");
        assert_eq!(layers.iter().map(|group| number(group, "bytes")).sum::<u64>(), number(run, "kv"));
    }
}

#[test]
fn memory_outside_the_file_is_within_6_mb_of_the_plan() {
    if emulated() {
        return;
    }
    let (siskin, model) = (Siskin::new(), model());
    for flags in [&["-n", "480"][..], &["-n", "64", "--best-of", "12", "--kv-type", "f32"]] {
        let flags = [flags, &["--ignore-eos", "--json"]].concat();
        let memory = &siskin.run(generate(&model, &flags)).json()["memory"];
        let (planned, measured) = (number(memory, "planned"), number(memory, "peak_outside_file"));
        assert!(measured.abs_diff(planned) < 6_000_000, "{flags:?}: planned {planned}, measured {measured}");
        for name in ["peak_rss", "anon", "file", "pss", "minor_faults", "major_faults", "read_per_token"] {
            number(memory, name);
        }
    }
}

/// Text that is twelve times as long as the window takes no more memory than one that is three times as long.
#[test]
fn endless_text_takes_constant_memory() {
    if emulated() {
        return;
    }
    let (siskin, model) = (Siskin::new(), model());
    let [short, long] = ["150", "600"].map(|tokens| {
        let flags = ["-n", tokens, "--window", "48", "--ignore-eos", "--temp", "0", "--json"];
        let run = siskin.run(generate(&model, &flags)).json();
        assert_eq!(
            (&run["stop"]["reason"], run["tokens"].as_array().map(Vec::len)),
            (&Value::from("max_tokens"), tokens.parse().ok())
        );
        run["memory"].clone()
    });
    assert_eq!(number(&short, "planned"), number(&long, "planned"));
    let [short, long] = [short, long].map(|memory| number(&memory, "peak_outside_file"));
    assert!(long.abs_diff(short) < 300_000, "{short} {long}");
}

/// A download that has come as far as its header, and one that has not.
#[test]
fn a_file_that_is_cut_off_can_be_planned() {
    let (siskin, model) = (Siskin::new(), model());
    let bytes = std::fs::read(util::model()).expect("a model");
    let whole = siskin.run(plan(&model, &["--json"])).json();
    let first = siskin::gguf::Gguf::open(util::model()).expect("a model");
    let header = first.tensors().iter().map(|tensor| tensor.offset()).min().expect("tensors") as usize;
    let path = siskin.file("part.gguf.1.part", &bytes[..header]);
    let mut part = siskin.run(plan(path.to_str().expect("a path"), &["--json"])).json();
    for name in ["model", "planned_ms", "machine", "bounds", "largest_context", "largest_max_tokens"] {
        part[name] = whole[name].clone();
    }
    assert_eq!(part, whole);
    for len in [0, 3, 6, 20, header / 2, header - 64] {
        let path = siskin.file("less.gguf", &bytes[..len]);
        let run = siskin.run(plan(path.to_str().expect("a path"), &[]));
        run.fails(3, &["less.gguf: ", &format!("found {len} bytes"), "Try again when more of it is there"]);
    }
    let path = siskin.file("other.gguf", b"GG no");
    siskin.run(plan(path.to_str().expect("a path"), &[])).fails(3, &["other.gguf: not a GGUF file"]);
}

/// The header of a model of 637 MB under limits that the whole of it is beyond: the plan takes what a header takes, and says whether the run fits.
#[test]
fn a_plan_takes_what_a_header_takes() {
    if emulated() {
        return;
    }
    let siskin = Siskin::new();
    let (shape, mix) =
        (Shape::named("tinyllama-1.1b").expect("a shape"), Mix::named("Q4_K_M").expect("a mix"));
    siskin.file("large.gguf", &synth::Model::new(shape, mix, 1).header());
    let args = plan("large.gguf", &["-n", "10"]);
    let mapped = number(&siskin.run([&args[..], &["--json"]].concat()).json(), "mapped");
    assert!(mapped > 600 << 20, "{mapped}");
    shell(&siskin, "ulimit -d 60000", &args).ok();
    let limited = shell(&siskin, "ulimit -v 250000", &args);
    assert_eq!(limited.code, Some(4), "{}", limited.stderr);
    assert!(
        limited.stderr.contains("(ulimit -v)") && limited.stdout.contains("DOES NOT FIT"),
        "{}",
        limited.stderr
    );
}

/// What a run refuses, its plan refuses with the same words.
#[test]
fn a_plan_has_the_errors_of_its_run() {
    let (siskin, model) = (Siskin::new(), model());
    let long = vec!["300"; 600].join(",");
    let cases: [(&str, &[&str], &[&str], i32); 5] = [
        (&long, &["-p", "600", "-n", "10"], &["-n", "10"], 4),
        (PROMPT, &["-p", "16", "--context", "0"], &["--context", "0"], 2),
        (PROMPT, &["-p", "16", "--context", "15"], &["--context", "15"], 4),
        (PROMPT, &["--window", "0"], &["--window", "0"], 2),
        (PROMPT, &["--window", "0", "--sinks", "0"], &["--window", "0", "--sinks", "0"], 2),
    ];
    for (prompt, planned, flags, code) in cases {
        let plan = siskin.run([&["plan", &model, "--no-probe"], planned].concat());
        let run = siskin.run([&["generate", "-m", &model, "--tokens", prompt], flags].concat());
        assert_eq!((run.code, &run.stderr), (Some(code), &plan.stderr), "{planned:?}");
        plan.fails(code, &[]);
    }
    siskin.run(["plan", &model, "-p", "0"]).fails(2, &["the prompt is empty"]);
    siskin.run(["plan", &model, "--context", "0"]).fails(2, &["--context", "found 0"]);
    siskin
        .run(["plan", &model, "--window", "0", "--sinks", "0"])
        .fails(2, &["found 0 positions", "at least 1"]);
    // a window takes prompts of any length, and without a word the prompt is no longer than the context
    siskin.run(["plan", &model, "-p", "600", "--window", "100", "--no-probe"]).ok();
    siskin.run(["plan", &model, "--context", "20", "--no-probe"]).ok();
}

#[test]
fn a_plan_says_what_could_be_locked() {
    let (siskin, model) = (Siskin::new(), model());
    let free = siskin.run(plan(&model, &["--lock"])).ok();
    assert!(free.contains("of weights could be locked in memory"), "{free}");
    assert!(!siskin.run(plan(&model, &[])).ok().contains("could be locked"));
    let json = siskin.run(plan(&model, &["--lock", "--json"])).json();
    let (all, limit) = (number(&json, "lockable"), &json["machine"]["locked"]["limit"]);
    assert!(all <= limit.as_u64().unwrap_or(u64::MAX) && all <= number(&json, "mapped"), "{json}");
    let may_lock_anything = limit.is_null();
    if emulated() || may_lock_anything && !can_drop() {
        return;
    }
    let line = format!("ulimit -l 64 && exec {} \"$0\" \"$@\"", if can_drop() { DROPPED } else { "env" });
    let limited = shell(&siskin, &line, &plan(&model, &["--lock"])).ok();
    assert!(limited.contains("64.0 KiB of ") && limited.contains("(ulimit -l)"), "{limited}");
}

#[test]
fn the_table_says_what_fits() {
    let (siskin, model) = (Siskin::new(), model());
    let table = siskin.run(["plan", &model, "-n", "100"]).ok();
    for word in
        ["mapped", "token embedding", "kv: attention", "scratch", "tokenizer", "picture", "largest", "speed"]
    {
        assert!(table.contains(word), "no {word} in {table}");
    }
    let refused = siskin.run(plan(&model, &["--mem-limit", "300K"]));
    assert_eq!(refused.code, Some(4), "{}", refused.stderr);
    assert!(refused.stdout.contains("DOES NOT FIT") && refused.stderr.contains("asked for"));
    let json = siskin.run(plan(&model, &["--mem-limit", "1G", "--json", "--beams", "4", "-n", "7"])).json();
    assert_eq!((&json["fits"], number(&json["job"], "branch_positions")), (&true.into(), 7));
    assert!(number(&json["kv_types"], "f32") > number(&json["kv_types"], "f16"));
    siskin.run(plan(&model, &["--mem-limit", "much"])).fails(2, &["much", "512M"]);
    siskin.run(plan("no-such.gguf", &[])).fails(1, &["no-such.gguf"]);
}

#[test]
fn a_limit_is_refused_before_and_the_hint_works() {
    let (siskin, model) = (Siskin::new(), model());
    // what is asked for counts; on an emulated core, texts end long before
    let brief: &[&str] = if siskin_tools::emulated() { &["--stop-bytes", "9"] } else { &["--ignore-eos"] };
    let run = |rest: &[&str]| siskin.run(generate(&model, &[brief, rest].concat()));
    let needed = |n: &str| number(&run(&["-n", n, "--json"]).json()["memory"], "owned");
    let limit = ((needed("40") + needed("400")) / 2).to_string();
    let limited = |rest: &[&str]| run(&[&["-n", "400", "--mem-limit", &limit], rest].concat());
    let refused = limited(&[]);
    let hint = refused.stderr.split("--context ").nth(1).and_then(|rest| rest.split(')').next());
    let context = hint.expect("a hint").to_owned();
    refused.fails(4, &["a context of 416 tokens needs", "asked for", "--force"]);
    limited(&["--context", &context]).ok();
    let more = (context.parse::<usize>().expect("a number") + 1).to_string();
    limited(&["--context", &more]).fails(4, &["asked for"]);
    let forced = limited(&["--force"]);
    assert!(forced.stderr.contains("warning: a context of 416"), "{}", forced.stderr);
    forced.ok();
    let chat = ["chat", "-m", &model, "--mem-limit", "300K"];
    siskin.run_with_stdin(chat, b"").fails(4, &["asked for"]);
}

/// The command in a shell that first runs `before`.
fn shell(siskin: &Siskin, before: &str, args: &[&str]) -> Run {
    let direct = siskin.command(args);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{before} && exec \"$0\" \"$@\"")]).arg(direct.get_program());
    command.args(direct.get_args()).current_dir(siskin.dir.path());
    command.env_remove("SISKIN_MODEL").env_remove("SISKIN_ISA").stdin(Stdio::null());
    Run::from(command.output().expect("a shell"))
}

#[test]
fn a_window_has_its_own_hint() {
    let (siskin, model) = (Siskin::new(), model());
    let table = siskin.run(plan(&model, &["--window", "96", "--sinks", "0"])).ok();
    assert!(table.contains("endless text in a window of 96 tokens, the first 0 for good"), "{table}");
    assert!(table.contains("96 positions") && table.contains("--window 512"), "{table}");
    let flags = ["-n", "600", "--window", "512", "--mem-limit", "1300K"];
    siskin.run(generate(&model, &flags)).fails(4, &["--window"]);
}

/// From the smallest address space in which the program itself starts to one in which the run fits.
#[test]
fn a_small_address_space_is_an_error() {
    if emulated() {
        return;
    }
    let (siskin, model) = (Siskin::new(), model());
    let starts = |kib: usize| shell(&siskin, &format!("ulimit -v {kib}"), &["--version"]).code == Some(0);
    let first = (1..200).map(|step| step * 2048).find(|&kib| starts(kib)).expect("it starts");
    let (mut refused, mut ran) = (0, 0);
    for step in 0..40 {
        let limit = format!("ulimit -v {}", first + step * 2048);
        let run = shell(&siskin, &limit, &generate(&model, &["-n", "60", "--best-of", "8", "--ignore-eos"]));
        match run.code {
            Some(0) => ran += 1,
            Some(4) => refused += 1,
            code => panic!("{limit}: {code:?}, {}", run.stderr),
        }
        if ran > 2 {
            break;
        }
    }
    assert!(refused > 0 && ran > 0, "{refused} refused, {ran} ran");
}

/// Every other command that runs a model, too.
#[test]
fn every_command_has_a_limit() {
    let (siskin, model) = (Siskin::new(), model());
    let text = "Some words, and a few more of them. ".repeat(if siskin_tools::emulated() { 8 } else { 20 });
    siskin.file("text.txt", text.as_bytes());
    let commands: [&[&str]; 4] = [
        &["score", "-m", &model, "text.txt"],
        &["perplexity", "-m", &model, "-f", "text.txt", "--context", "64"],
        &["bench", "-m", &model, "--prompt", "8", "-n", "2", "--repetitions", "1"],
        &["tokenize", "-m", &model, "-f", "text.txt"],
    ];
    for command in &commands[..3] {
        let limited = |limit: &[&str]| siskin.run([command, limit].concat());
        limited(&["--mem-limit", "1G"]).ok();
        limited(&["--mem-limit", "30K"]).fails(4, &["asked for", "--force"]);
        let forced = limited(&["--mem-limit", "30K", "--force"]);
        assert!(forced.stderr.contains("warning"), "{command:?}: {}", forced.stderr);
        forced.ok();
    }
    if emulated() {
        return;
    }
    let starts = |kib: usize| shell(&siskin, &format!("ulimit -v {kib}"), &["--version"]).code == Some(0);
    let first = (1..200).map(|step| step * 2048).find(|&kib| starts(kib)).expect("it starts");
    for command in commands {
        let run = |step: usize| shell(&siskin, &format!("ulimit -v {}", first + step * 3072), command);
        let codes: Vec<_> = (0..40).map(|step| (step, run(step))).collect();
        for (step, run) in &codes {
            assert!(matches!(run.code, Some(0 | 4)), "{command:?} {step}: {:?} {}", run.code, run.stderr);
        }
        assert!(codes.iter().any(|(_, run)| run.code == Some(0)), "{command:?} never ran");
    }
}

/// Several times the 6 MB that a plan may be wrong by: keys and values, a large vocabulary, a grammar over it.
#[test]
fn large_runs_are_within_6_mb_of_the_plan() {
    if emulated() {
        return;
    }
    let siskin = Siskin::new();
    let (qwen, mix) = (Shape::named("qwen2.5-0.5b").expect("a shape"), Mix::named("Q4_0").expect("a mix"));
    synth::Model::new(Shape { layers: 2, ..qwen }, mix, 1)
        .save(&siskin.file("large.gguf", b""))
        .expect("room for a file");
    siskin.file("schema.json", br#"{"type": "object", "properties": {"a": {"type": "string"}}}"#);
    let cases: [&[&str]; 3] = [
        &["-n", "30", "--context", "20000", "--best-of", "20", "--kv-type", "f32"],
        &["-n", "30", "--json-schema", "schema.json"],
        &["-n", "30", "--json-schema", "schema.json", "--beams", "4"],
    ];
    for flags in cases {
        let base = ["generate", "-m", "large.gguf", "-t", "2", "--tokens", PROMPT, "--json"];
        let memory = &siskin.run([&base, flags].concat()).json()["memory"];
        let (planned, measured) = (number(memory, "planned"), number(memory, "peak_outside_file"));
        assert!(planned > 18_000_000, "{flags:?}: {planned}");
        assert!(measured.abs_diff(planned) < 6_000_000, "{flags:?}: planned {planned}, measured {measured}");
    }
    let limited = ["--tokens", PROMPT, "--json-schema", "schema.json", "--mem-limit", "12M"];
    siskin.run([&["generate", "-m", "large.gguf"], &limited[..]].concat()).fails(4, &["asked for"]);
}

#[test]
fn a_small_data_segment_is_an_error() {
    if emulated() {
        return;
    }
    let (siskin, model) = (Siskin::new(), model());
    let args = generate(&model, &["-n", "490", "--best-of", "1000", "--ignore-eos"]);
    shell(&siskin, "ulimit -d 300000", &args).fails(4, &["ulimit -d"]);
    shell(&siskin, "ulimit -v 900000", &args).fails(4, &["ulimit -v"]);
    // tried all the same, the system refuses; prompt and answer count
    let forced = shell(&siskin, "ulimit -v 900000", &[&args[..], &["--force"]].concat());
    let error = forced.stderr.lines().find(|line| line.contains("error: ")).unwrap_or_default().to_owned();
    forced.fails(4, &[]);
    assert!(
        error.contains("a context of 506 tokens needs ")
            && error.contains("MiB of memory, which the system refuses"),
        "{error}"
    );
}

/// The file in memory of its own: counted as such, planned, refused, and the same text.
#[test]
fn a_file_that_is_read_is_owned() {
    let (siskin, model) = (Siskin::new(), model());
    let run = |rest: &[&str]| siskin.run(generate(&model, &[&["-n", "30", "--json"], rest].concat())).json();
    let (mapped, read) = (run(&[]), run(&["--no-mmap"]));
    assert_eq!(mapped["tokens"], read["tokens"]);
    let (before, after) = (&mapped["memory"], &read["memory"]);
    let file = number(before, "mapped");
    assert_eq!((number(after, "mapped"), number(after, "weights_owned")), (0, file));
    assert_eq!(number(after, "owned"), number(before, "owned") + file);
    let planned = siskin.run(plan(&model, &["-n", "30", "--no-mmap", "--json"])).json();
    for class in ["mapped", "weights_owned", "kv", "scratch"] {
        assert_eq!(number(after, class), number(&planned, class), "{class}");
    }
    if !emulated() {
        let (planned, measured) = (number(after, "planned"), number(after, "peak_outside_file"));
        assert!(measured.abs_diff(planned) < 6_000_000, "planned {planned}, measured {measured}");
    }
    let limit = number(before, "owned") + file / 2;
    let limit = limit.to_string();
    let limited =
        |rest: &[&str]| siskin.run(generate(&model, &[&["-n", "30", "--mem-limit", &limit], rest].concat()));
    limited(&[]).ok();
    limited(&["--no-mmap"]).fails(4, &["asked for"]);
    let table = siskin.run(plan(&model, &["--no-mmap"])).ok();
    assert!(table.contains("--no-mmap") && !table.contains("mapped  "), "{table}");
}

/// Runs a command without the right to lock anything.
const DROPPED: &str = "setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock";

fn can_drop() -> bool {
    let run = Command::new("sh").args(["-c", &format!("{DROPPED} true")]).output();
    run.is_ok_and(|run| run.status.success())
}

/// All of it, a share, and nothing: said, measured, and the same text.
#[test]
fn weights_are_locked_as_far_as_the_limit_goes() {
    if emulated() {
        return;
    }
    let (siskin, model) = (Siskin::new(), model());
    let lock = generate(&model, &["-n", "20", "--json", "--lock"]);
    let plain = siskin.run(generate(&model, &["-n", "20", "--json"])).json();
    // where this user may lock anything, the right to do so is given up first
    let can_drop = can_drop();
    let limited = |kib: &str| {
        let drop = if can_drop { DROPPED } else { "env" };
        let line = format!("ulimit -l {kib} && exec {drop} \"$0\" \"$@\"");
        let direct = siskin.command(&lock);
        let mut command = Command::new("sh");
        command.args(["-c", &line]).arg(direct.get_program()).args(direct.get_args());
        command.current_dir(siskin.dir.path()).env_remove("SISKIN_MODEL").env_remove("SISKIN_ISA");
        Run::from(command.stdin(Stdio::null()).output().expect("a shell"))
    };
    let free = siskin.run(&lock);
    let locked = number(&free.json()["memory"], "locked");
    for (kib, most) in [("512", 512 << 10), ("64", 64 << 10)] {
        let run = limited(kib);
        let warned = run.stderr.contains("warning: locked ") && run.stderr.contains("ulimit -l");
        let json = run.json();
        assert_eq!(json["tokens"], plain["tokens"]);
        let share = number(&json["memory"], "locked");
        if share < locked || locked == 0 {
            assert!(warned && share <= most, "{kib}: {share}");
        }
        // a user who may lock anything, and has no way to give that up
        assert!(share <= most || !can_drop, "{kib}: {share}");
    }
    let all = limited("unlimited");
    if all.code == Some(0) {
        assert!(all.stderr.contains("locked ") && !all.stderr.contains("warning"), "{}", all.stderr);
        assert!(number(&all.json()["memory"], "locked") > 1 << 20);
    }
}

/// A run of the command in a control group.
fn run_in(group: &Group, siskin: &Siskin, args: &[&str]) -> Run {
    shell(siskin, &group.join(), args)
}

#[test]
fn a_small_control_group_is_an_error() {
    let Some(group) = Group::new("small", 64 << 20) else { return };
    let (siskin, model) = (Siskin::new(), model());
    run_in(&group, &siskin, &generate(&model, &["-n", "20"])).ok();
    let large = run_in(&group, &siskin, &generate(&model, &["-n", "490", "--best-of", "1000"]));
    large.fails(4, &["control group"]);
}

/// A model that does not fit runs all the same, and what comes of that is said before; locked weights are a part of it.
#[test]
fn a_model_larger_than_memory_runs() {
    let Some(group) = Group::new("larger", 56 << 20) else { return };
    let siskin = Siskin::new();
    let path = siskin.dir.path().join("large.gguf");
    let (shape, mix) = (Shape::named("smollm2-135m").expect("a shape"), Mix::named("Q4_0").expect("a mix"));
    synth::Model::new(shape, mix, 1).save(&path).expect("room for a file");
    assert!(std::fs::metadata(&path).expect("the file").len() > 64 << 20);
    let args = ["generate", "-m", "large.gguf", "--tokens", "1,2,3", "-n", "2", "--temp", "0", "--json"];
    let expected = siskin.run(args).json();
    for lock in [&[][..], &["--lock"]] {
        let run = run_in(&group, &siskin, &[&args, lock].concat());
        assert!(run.stderr.contains("read from disk again for every token"), "{}", run.stderr);
        assert_eq!(run.json()["tokens"], expected["tokens"]);
    }
}
