//! `siskin batch` and the library's batches: texts beside those of single runs, whatever runs beside them; options and errors of lines; going on with
//! what an interrupted run left.

mod util;

use serde_json::{Value, json};
use siskin::Model;
use siskin::batch::{Batch, Done, Job, Room};
use siskin::gguf::Gguf;
use siskin::ops::Cpu;
use siskin::session::{Options, Session};
use siskin::threads::Team;
use siskin::tokenizer::Tokenizer;
use siskin_simd::Kernels;
use siskin_tools::{emulated, some};
use util::{Run, Siskin};

const TEXTS: [&str; 7] = [
    "Once upon a time",
    "The cat sat on the",
    "One day, a little dog went to the park with its friend, and there",
    "a",
    "The wheel went round",
    "Her mother said",
    "In the evening",
];

fn jobs(model: &Model) -> Vec<Job> {
    let job = |(i, text): (usize, &&str)| {
        let mut options = Options { max_tokens: 5 + 4 * i, ..Options::default() };
        (options.sampling.temperature, options.sampling.seed) = (if i == 4 { 0.0 } else { 0.9 }, i as u64);
        Job { prompt: model.encode(text), options }
    };
    TEXTS.iter().enumerate().map(job).collect()
}

fn room(model: &Model, jobs: &[Job], sequences: usize) -> Room {
    let mut room = Room::new(sequences);
    jobs.iter().for_each(|job| room.extend(model.network(), job));
    room
}

/// What becomes of jobs, in their order, with so many side by side.
fn run(model: &Model, jobs: Vec<Job>, sequences: usize) -> Vec<Done> {
    let room = room(model, &jobs, sequences);
    run_in(model, &room, jobs)
}

fn run_in(model: &Model, room: &Room, jobs: Vec<Job>) -> Vec<Done> {
    let mut done: Vec<Option<Done>> = vec![None; jobs.len()];
    for finished in model.batch(room).expect("a batch").run(jobs) {
        done[finished.index] = Some(finished.result.expect("a text"));
    }
    done.into_iter().map(|done| done.expect("every job finishes once")).collect()
}

#[test]
fn a_text_does_not_depend_on_what_runs_beside_it() {
    let model = Model::builtin().expect("a model");
    let expected = run(&model, jobs(&model), 2);
    assert!(expected.iter().any(|done| done.text.len() > 20), "{expected:?}");
    for sequences in some([16, 3], 2) {
        assert_eq!(run(&model, jobs(&model), sequences), expected, "{sequences} side by side");
    }
    let mut turned = run(&model, jobs(&model).into_iter().rev().collect(), 5);
    turned.reverse();
    assert_eq!(turned, expected);
    assert_eq!(run(&model, vec![jobs(&model).remove(2)], 4)[0], expected[2]);
}

/// Positions are counted for what each job can come to, and one that there are none for waits with all behind it; nothing is different in its text.
#[test]
fn positions_are_shared() {
    let model = Model::builtin().expect("a model");
    let mut all = jobs(&model);
    all[2].options.max_tokens = 60;
    let need = |job: &Job| job.prompt.len() + job.options.max_tokens;
    let mut needs: Vec<usize> = all.iter().map(need).collect();
    needs.sort_unstable();
    let (longest, sum) = (needs[6], needs.iter().sum::<usize>());
    let wide = room(&model, &all, 3);
    assert_eq!((wide.positions(), wide.shared()), (longest, needs[4..].iter().sum()));
    assert_eq!(room(&model, &all, 1).shared(), longest);
    assert_eq!(room(&model, &all, 50).shared(), sum);
    let narrow = wide.clone().narrow();
    assert_eq!(narrow.shared(), longest.max((3 * sum).div_ceil(7)));
    let bytes = |room: &Room| room.plan(model.network(), 1).expect("a plan").owned();
    assert!(
        bytes(&narrow) < bytes(&wide) && bytes(&wide) < bytes(&room(&model, &vec![all[2].clone(); 3], 3))
    );

    let expected = run_in(&model, &wide, all.clone());
    assert_eq!(run_in(&model, &narrow, all.clone()), expected);
    let mut batch = model.batch(&narrow).expect("a batch");
    let started: Vec<bool> = [2, 6, 0].iter().map(|&i| batch.start(i, &all[i])).collect();
    assert_eq!((started, batch.free()), (vec![true, false, true], 1));
    let mut finished = None;
    while finished.is_none() {
        batch.step();
        finished = batch.take();
    }
    assert!(batch.start(6, &all[6]));
}

#[test]
fn one_at_a_time_is_what_sessions_generate() {
    let model = Model::builtin().expect("a model");
    for (job, done) in jobs(&model).iter().zip(run(&model, jobs(&model), 1)) {
        let mut session = model.session_of(&job.prompt, &job.options).expect("a session");
        let (mut text, mut tokens, mut reason) = (String::new(), Vec::new(), None);
        for step in session.steps() {
            let step = step.expect("a step");
            text.push_str(&step.text);
            tokens.extend(step.choice.map(|choice| choice.token));
            reason = step.stop;
        }
        assert_eq!(Some(&done.reason), reason.as_ref());
        assert_eq!((done.text, done.tokens), (text, tokens));
    }
}

/// Jobs that make no sense finish with an error, and those beside them go on; no token may be asked for.
#[test]
fn errors_are_those_of_one_job() {
    let model = Model::builtin().expect("a model");
    let mut all = jobs(&model);
    all[0].prompt.clear();
    all[1].prompt[0] = 1 << 30;
    all[2].options.sampling.temperature = -1.0;
    all[3].options.max_tokens = 0;
    let mut room = Room::new(2);
    all.iter().for_each(|job| room.extend(model.network(), job));
    let mut batch = model.batch(&room).expect("a batch");
    let mut results: Vec<_> = batch.run(all).map(|finished| (finished.index, finished.result)).collect();
    results.sort_by_key(|(index, _)| *index);
    let failed: Vec<bool> = results.iter().map(|(_, result)| result.is_err()).collect();
    assert_eq!(failed, [true, true, true, false, false, false, false]);
    assert!(matches!(&results[3].1, Ok(done) if done.tokens.is_empty()));
    assert!(batch.is_idle() && batch.free() == 2);
    assert!(batch.timing().decode_tokens > 0);
}

/// A session that was made for the same prompt and options by hand, with threads that do not matter.
#[test]
fn threads_do_not_matter() {
    let file = Gguf::open(util::model()).expect("a model");
    let model = siskin::model::Model::load(&file).expect("a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("a tokenizer");
    let cpu = |threads| Cpu { kernels: Kernels::best(), team: Team::new(threads).expect("threads") };
    let job = Job { prompt: vec![300, 301, 302], options: Options { max_tokens: 6, ..Options::default() } };
    let texts = [1, 3].map(|threads| {
        let mut room = Room::new(2);
        room.extend(&model, &job);
        let mut batch = Batch::new(&model, &tokenizer, cpu(threads), &room).expect("a batch");
        batch.limit_threads(threads, 1);
        batch.run([job.clone(), job.clone()]).map(|f| f.result.expect("a text")).collect::<Vec<_>>()
    });
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0][0], texts[0][1]);
    assert!(Session::new(&model, &tokenizer, cpu(1), &[], &job.options).is_err());
}

/// Runs the command on lines, with what is in `out.jsonl`.
fn batch(siskin: &Siskin, lines: &[Value], flags: &[&str]) -> Run {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    siskin.file("in.jsonl", text.as_bytes());
    siskin.run([&["batch", "in.jsonl", "out.jsonl"][..], flags].concat())
}

fn output(siskin: &Siskin) -> String {
    std::fs::read_to_string(siskin.dir.path().join("out.jsonl")).expect("an output")
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn prompts() -> Vec<Value> {
    let line = |(i, text): (usize, &&str)| json!({"id": format!("item {i}"), "prompt": text, "max_tokens": 20 - 2 * i});
    TEXTS.iter().enumerate().map(line).collect()
}

#[test]
fn lines_come_in_order_and_as_generate_would_write_them() {
    let siskin = Siskin::new();
    batch(&siskin, &prompts(), &["--seed", "5", "--parallel", "1"]).ok();
    let done = objects(&output(&siskin));
    assert_eq!(done.len(), TEXTS.len());
    for (i, (done, text)) in done.iter().zip(TEXTS).enumerate() {
        assert_eq!((&done["index"], &done["id"]), (&json!(i), &json!(format!("item {i}"))));
        let (n, seed) = ((20 - 2 * i).to_string(), (5 + i).to_string());
        let alone = siskin.run(["generate", "--json", "-n", &n, "--seed", &seed, text]).json();
        for key in ["text", "tokens", "prompt_tokens", "stop", "seed"] {
            assert_eq!(done[key], alone[key], "{key} of line {i}");
        }
    }
}

#[test]
fn options_of_lines_and_their_errors() {
    let siskin = Siskin::new();
    let lines = [
        json!({"tokens": [1, 403, 407], "max_tokens": 3, "temp": 0}),
        json!({"prompt": "The wheel went round", "temp": 0, "stop": ["round"]}),
        json!({"prompt": "a", "colour": "red"}),
        json!({"prompt": "a", "tokens": [1]}),
        json!({"prompt": "a", "temp": -1, "id": {"any": 1}}),
        json!([1]),
        json!({"tokens": [1_000_000]}),
        json!({"prompt": "The cat sat on the", "top_k": 1, "max_tokens": 1, "seed": 7}),
    ];
    let run = batch(&siskin, &lines, &["-n", "20", "--parallel", "3"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("5 of 8 lines failed"), "{}", run.stderr);
    let done = objects(&output(&siskin));
    assert_eq!(done[0]["tokens"].as_array().map(Vec::len), Some(3));
    assert_eq!((&done[1]["text"], &done[1]["stop"]["reason"]), (&json!(" and "), &json!("stop_text")));
    for (line, part) in [
        (2, "unknown field `colour`"),
        (3, "one of prompt"),
        (4, "temp"),
        (5, "no JSON object"),
        (6, "out of range"),
    ] {
        let error = done[line]["error"].as_str().unwrap_or_default();
        assert!(error.contains(part), "line {line}: {error}");
        assert_eq!(done[line]["text"], Value::Null);
    }
    assert_eq!(done[4]["id"], json!({"any": 1}));
    assert_eq!((&done[7]["text"], &done[7]["seed"]), (&json!(" mat"), &json!(7)));
    let again = batch(&siskin, &lines, &["-n", "20", "--parallel", "3"]);
    again.fails(1, &["8 of 8 lines are done", "5 of 8 lines failed"]);
}

/// Whatever of the output is there, the rest is added: nothing twice, nothing lost, and the same texts.
#[test]
fn an_interrupted_run_is_gone_on_with() {
    let siskin = Siskin::new();
    let flags = ["--seed", "1", "-n", "9", "--parallel", "3"];
    batch(&siskin, &prompts(), &flags).ok();
    let whole = output(&siskin);
    let cuts = [0, 11, whole.len() / 2, whole.len() - 1];
    for &cut in &cuts[if emulated() { 2 } else { 0 }..] {
        siskin.file("out.jsonl", &whole.as_bytes()[..cut]);
        batch(&siskin, &prompts(), &flags).ok();
        assert_eq!(output(&siskin), whole, "cut at {cut}");
    }
    let run = batch(&siskin, &prompts(), &flags);
    assert!(run.stderr.contains("7 of 7") && !run.stderr.contains("built-in"), "{}", run.stderr);
    run.ok();
    let mut other = prompts();
    other[3] = json!({"prompt": "b"});
    batch(&siskin, &other, &flags).fails(2, &["out.jsonl", "line 4", "another input"]);
    for other in [["--seed", "2", "-n", "9"], ["--seed", "1", "-n", "8"]] {
        batch(&siskin, &prompts(), &other).fails(2, &["out.jsonl", "line 1", "other options"]);
    }
    assert_eq!(output(&siskin), whole);
    siskin.run(["batch", "in.jsonl", "in.jsonl"]).fails(2, &["same file"]);
}

#[test]
fn standard_streams() {
    let siskin = Siskin::new();
    let args = ["batch", "-", "-", "--temp", "0", "-n", "2"];
    let run =
        siskin.run_with_stdin(args, b"{\"prompt\": \"The cat sat on the\"}\n\n{\"prompt\": \"Once\"}\n");
    assert_eq!(objects(&run.ok()).iter().map(|line| line["index"].clone()).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(siskin.run_with_stdin(args, b"").ok(), "");
}

#[test]
fn what_does_not_fit_is_refused_or_made_smaller() {
    let siskin = Siskin::new();
    let flags = |n: &'static str| ["--temp", "0", "--kv-type", "f32", "--mem-limit", "6M", "--parallel", n];
    let run = batch(&siskin, &prompts(), &flags("1000"));
    run.fails(4, &["1000 sequences of", "Try --parallel"]);
    let all = batch(&siskin, &prompts(), &["--temp", "0", "--stats"]);
    assert!(all.stderr.contains("8 side by side"), "{}", all.stderr);
    all.ok();
    let long = |i: usize| json!({"prompt": "Once upon a time", "max_tokens": if i < 8 { 300 } else { 5 }});
    let lines: Vec<Value> = (0..if emulated() { 20 } else { 32 }).map(long).collect();
    // an emulated machine is slow: texts end long before their room does
    let brief: &[&str] = if emulated() { &["--stop-sentences", "1"] } else { &[] };
    let run = |limit: &'static str| {
        std::fs::remove_file(siskin.dir.path().join("out.jsonl")).expect("an output");
        let flags = [&["--seed", "1", "--stats", "--mem-limit", limit], brief].concat();
        let run = batch(&siskin, &lines, &flags);
        let positions = run.stderr.split_once("8 side by side in ").map(|(_, rest)| rest.to_owned());
        let positions = positions.as_deref().and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
        run.ok();
        (positions.expect("a number of positions"), output(&siskin))
    };
    let (wide, narrow) = (run("20M"), run("7M"));
    assert!(narrow.0 < wide.0 / 2 && narrow.1 == wide.1, "{} and {} positions", narrow.0, wide.0);
}

#[cfg(feature = "chat")]
#[test]
fn messages_go_through_the_template() {
    let siskin = Siskin::new();
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
    siskin.file("simple.jinja", template.as_bytes());
    let messages = json!([{"role": "user", "content": "Hello"}]);
    let lines = [json!({"messages": messages}), json!({"messages": [{"content": "no role"}]})];
    let flags = ["--temp", "0", "-n", "1", "--chat-template", "simple.jinja", "--system", "Be good"];
    assert_eq!(batch(&siskin, &lines, &flags).code, Some(1));
    let done = objects(&output(&siskin));
    let text = "system: Be good\nuser: Hello\n";
    let expected = siskin.run(["tokenize", "--json", text]).json();
    assert_eq!(done[0]["prompt_tokens"], expected["tokens"]);
    assert!(done[1]["error"].as_str().is_some_and(|error| error.contains("role")), "{}", done[1]);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_what_is_done() {
    let siskin = Siskin::new();
    let mut lines = vec![json!({"prompt": "Once", "max_tokens": 1}); 2];
    lines.extend(vec![json!({"prompt": "Once", "max_tokens": 400, "ignore_eos": true}); 100]);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    siskin.file("in.jsonl", text.as_bytes());
    let args = ["batch", "in.jsonl", "out.jsonl", "--parallel", "2", "--temp", "0", "-t", "1"];
    let mut command = siskin.command(args);
    let child = command.stderr(std::process::Stdio::piped()).spawn().expect("siskin starts");
    let path = siskin.dir.path().join("out.jsonl");
    while std::fs::read_to_string(&path).map_or(0, |text| text.lines().count()) < 2 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    let run = Run::from(child.wait_with_output().expect("siskin ends"));
    // under an emulator the signal may reach the emulator first
    if !emulated() {
        assert_eq!(run.code, Some(130), "{}", run.stderr);
        assert!(run.stderr.contains("interrupted:"), "{}", run.stderr);
    }
    let text = output(&siskin);
    assert!(text.ends_with('\n') && objects(&text).len() < lines.len(), "{text}");
}
