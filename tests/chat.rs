//! Conversations with the real command: what a line does, what is run again, what is printed.
#![cfg(all(feature = "chat", feature = "cli"))]

mod util;

use siskin::chat::{self, Conversation, Message, Specials, Template};
use siskin::gguf::Gguf;
use siskin::model::Model;
use siskin::ops::Cpu;
use siskin::session::{Error, Options, Session};
use siskin::stop::Reason;
use siskin::threads::Team;
use siskin::tokenizer::Tokenizer;
use siskin_simd::Kernels;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use util::{Run, Siskin};

/// A chat with the test model, greedily, about lines from a pipe.
fn chat(siskin: &Siskin, rest: &[&str], lines: &str) -> Run {
    let model = util::model_name();
    let args = ["chat", "-m", &model, "--temp", "0"];
    siskin.run_with_stdin([&args[..], rest].concat(), lines.as_bytes())
}

/// The tokens that each answer kept and read, from what `--stats` says of it.
fn kept_and_read(stderr: &str) -> Vec<(usize, usize)> {
    let number = |line: &str, before: &str| -> usize {
        let rest = &line[line.find(before).expect(before) + before.len()..];
        rest.split(' ').next().and_then(|word| word.parse().ok()).expect("a number")
    };
    let lines = stderr.lines().filter(|line| line.contains("last answer"));
    lines.map(|line| (number(line, "kept "), number(line, "read "))).collect()
}

#[test]
fn each_line_is_answered_and_only_new_tokens_are_run() {
    let siskin = Siskin::new();
    let run = chat(&siskin, &["--stats"], "My name is Anna.\nHow are you?\r\n\nThank you!");
    let steps = kept_and_read(&run.stderr);
    assert_eq!(run.stderr.lines().count(), 3, "{}", run.stderr);
    let text = run.ok();
    let answers: Vec<&str> = text.lines().collect();
    assert_eq!(answers.len(), 3, "{answers:?}");
    assert!(answers[0].contains("Anna"), "{answers:?}");
    assert_eq!((steps.len(), steps[0].0), (3, 0));
    for pair in steps.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        assert!(after.0 > before.0 + before.1, "the prompt and the answer are kept: {steps:?}");
        assert!(after.1 < 20, "what is run is the end of the answer and the message: {steps:?}");
    }
    // The same conversation from its beginning has the same answers.
    let first = chat(&siskin, &[], "My name is Anna.\n").ok();
    assert_eq!(first, format!("{}\n", answers[0]));
}

#[test]
fn generate_takes_one_message() {
    let siskin = Siskin::new();
    let model = util::model_name();
    let generate = |rest: &[&str]| {
        let args = ["generate", "-m", &model, "--temp", "0", "--chat"];
        siskin.run([&args[..], rest].concat())
    };
    assert_eq!(generate(&["How are you?"]).ok(), chat(&siskin, &[], "How are you?\n").ok());
    let echoed = generate(&["--system", "Be kind.", "--echo", "-n", "0", "Hello"]).ok();
    assert_eq!(
        echoed,
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n\n"
    );
    let json = generate(&["--json", "Hello"]).json();
    assert_eq!((&json["prompt_tokens"][0], &json["prompt_tokens"][1]), (&1.into(), &3.into()), "BOS once");
    assert_eq!(json["stop"]["reason"], "eos");
    generate(&["--tokens", "1"]).fails(2, &["--chat", "--tokens"]);
    siskin.run(["generate", "--system", "Be kind.", "x"]).fails(2, &["--system", "--chat"]);
}

/// The interpreter counts no steps for a list that is added to itself: the command watches its memory.
#[test]
#[cfg(target_os = "linux")]
fn a_template_that_fills_the_memory_ends_the_program() {
    if siskin_tools::emulated() {
        return; // millions of items, too slow for an emulated machine
    }
    let siskin = Siskin::new();
    let twice =
        "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}";
    siskin.file("hostile.jinja", twice.as_bytes());
    let run = chat(&siskin, &["--chat-template", "hostile.jinja"], "Hello\nHello\n");
    run.fails(3, &["chat template: more than 64.0 MiB of memory", "--chat-template FILE"]);
}

#[test]
fn reset_and_system_change_the_conversation() {
    let siskin = Siskin::new();
    let once = chat(&siskin, &["--system", "Be kind."], "How are you?\n").ok();
    let again = chat(
        &siskin,
        &["--stats"],
        "/system Be kind.\nHow are you?\n/reset\nHow are you?\n/reset\n/system\nHow are you?\n",
    );
    let steps = kept_and_read(&again.stderr);
    let text = again.ok();
    let answers: Vec<&str> = text.lines().collect();
    assert_eq!(
        (answers[0], answers[1]),
        (once.trim_end(), once.trim_end()),
        "the system prompt outlives a reset"
    );
    assert_eq!(answers[2], chat(&siskin, &[], "How are you?\n").ok().trim_end());
    let whole = steps[0].1;
    assert_eq!(steps[1], (whole - 1, 1), "the same prompt is in the cache, but for the logits of its end");
    assert!(steps[2].0 + steps[2].1 < whole, "{steps:?}");
}

#[test]
fn a_saved_conversation_goes_on() {
    let siskin = Siskin::new();
    let whole = chat(&siskin, &[], "My name is Anna.\n/save talk.json\nHow are you?\n").ok();
    let (first, second) = whole.trim_end().split_once('\n').expect("two answers");
    let path = siskin.dir.path().join("talk.json");
    let saved: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).expect("a file")).expect("JSON");
    let expected = serde_json::json!([
        {"role": "user", "content": "My name is Anna."}, {"role": "assistant", "content": first}
    ]);
    assert_eq!(saved, expected);
    let run = chat(
        &siskin,
        &[],
        "/load talk.json\nHow are you?\n/save talk.json\n/reset\n/load talk.json\n/stats\n",
    );
    assert!(
        run.stderr.contains("talk.json: 2 messages") && run.stderr.contains("talk.json: 4 messages"),
        "{}",
        run.stderr
    );
    assert_eq!(run.ok(), format!("{second}\n"));
    siskin.file("object.json", format!("{{\"messages\": {saved}}}").as_bytes());
    assert_eq!(chat(&siskin, &[], "/load object.json\nHow are you?\n").ok(), format!("{second}\n"));
}

/// A second name of the file still has the old conversation: it was not written over.
#[test]
fn saving_replaces_the_file_in_one_step() {
    let siskin = Siskin::new();
    let path = |name: &str| siskin.dir.path().join(name);
    siskin.file("talk.json", b"[]\n");
    std::fs::hard_link(path("talk.json"), path("before.json")).expect("a second name");
    chat(&siskin, &[], "Hello\n/save talk.json\n").ok();
    assert_eq!(std::fs::read(path("before.json")).expect("the old file"), b"[]\n");
    let saved = std::fs::read_to_string(path("talk.json")).expect("the new file");
    assert!(saved.contains("Hello") && saved.ends_with("]\n"), "{saved}");
    let names = std::fs::read_dir(siskin.dir.path()).expect("a folder").map(|entry| entry.expect("a file"));
    assert!(names.map(|entry| entry.file_name()).all(|name| !name.to_string_lossy().ends_with(".new")));
}

#[test]
fn commands_write_to_stderr() {
    let run = chat(&Siskin::new(), &[], "/help\n/stats\n//quit\n/quit\nnever sent\n");
    for word in ["/system TEXT", "/load FILE", "of 512 tokens", "memory: mapped"] {
        assert!(run.stderr.contains(word), "no {word} in {}", run.stderr);
    }
    assert_eq!(run.ok().lines().count(), 1, "one message was sent: //quit");
}

#[test]
fn mistakes_in_a_pipe_end_it() {
    let siskin = Siskin::new();
    siskin.file("bad.json", br#"[{"content": "no role"}]"#);
    siskin.file("own.jinja", b"{{ raise_exception('only poems') }}");
    siskin.file("broken.jinja", b"\n{% if %}");
    siskin.file(
        "endless.jinja",
        b"{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    );
    for (rest, lines, code, parts) in [
        (&[][..], "/nonsense\nHello\n", 2, &["/nonsense", "/help"][..]),
        (&[], "/load nowhere.json\n", 1, &["nowhere.json"]),
        (&[], "/load bad.json\n", 1, &["bad.json", "role"]),
        (&[], "/save no/such/folder.json\n", 1, &["no/such/folder.json"]),
        (
            &["--context", "8"],
            "A message of more than eight tokens.\n",
            4,
            &["context of 8", "/reset", "--context"],
        ),
        (&["--chat-template", "nowhere.jinja"], "", 1, &["nowhere.jinja"]),
        (&["--chat-template", "own.jinja"], "Hello\n", 1, &["only poems"]),
        (&["--chat-template", "broken.jinja"], "", 3, &["broken.jinja", "line 2"]),
        (&["--chat-template", "endless.jinja"], "Hello\n", 3, &["steps"]),
        (&["--stop", ""], "", 2, &["stop"]),
    ] {
        chat(&siskin, rest, lines).fails(code, parts);
    }
}

#[test]
fn a_full_context_is_told() {
    let siskin = Siskin::new();
    let run = chat(&siskin, &["--context", "40", "--ignore-eos"], "Tell me a story.\n/reset\nHello\n");
    assert_eq!(run.stderr.matches("cut off").count(), 2, "{}", run.stderr);
    assert!(run.stderr.contains("/reset"), "{}", run.stderr);
    assert_eq!(run.code, Some(0));
    let run = chat(&siskin, &["--context", "40", "--ignore-eos"], "Tell me a story.\nHello\n");
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    let short = chat(&siskin, &["-n", "3"], "Tell me a story.\n");
    assert!(short.stderr.contains("--max-tokens"), "{}", short.stderr);
}

/// A model whose file has no template, or several.
#[test]
fn templates_may_be_absent_or_named() {
    let siskin = Siskin::new();
    let bytes = std::fs::read(util::model()).expect("the model");
    let key = b"tokenizer.chat_template";
    let at = bytes.windows(key.len()).position(|window| window == key).expect("the key");
    let rekeyed = |new: &[u8]| {
        let length = (new.len() as u64).to_le_bytes();
        [&bytes[..at - 8], &length, new, &bytes[at + key.len()..]].concat()
    };
    siskin.file("without.gguf", &rekeyed(b"tokenizer.chat_templat_"));
    let run =
        |rest: &[&str]| siskin.run_with_stdin([&["chat", "--temp", "0"][..], rest].concat(), b"Hello\n");
    run(&["-m", "without.gguf"]).fails(2, &["without.gguf", "no chat template", "--chat-template FILE"]);
    let source = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n\n";
    siskin.file("short.jinja", source.as_bytes());
    let expected = chat(&siskin, &[], "Hello\n").ok();
    assert_eq!(run(&["-m", "without.gguf", "--chat-template", "short.jinja"]).ok(), expected);
    // 32 bytes longer, so that the tensors stay aligned.
    let name = "one_of_several_by_its_long_name";
    siskin.file("named.gguf", &rekeyed(format!("tokenizer.chat_template.{name}").as_bytes()));
    run(&["-m", "named.gguf"]).fails(2, &["named.gguf", name]);
    assert_eq!(run(&["-m", "named.gguf", "--chat-template", name]).ok(), expected);
}

struct Loaded {
    model: Model,
    tokenizer: Tokenizer,
    template: Template,
}

impl Loaded {
    fn new() -> Loaded {
        let file = Gguf::open(util::model()).expect("the model opens");
        let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("it has a tokenizer");
        let source = chat::source(file.metadata(), None).expect("it has a template");
        let template = Template::new(source, &Specials::of(&tokenizer)).expect("it compiles");
        Loaded { model: Model::load(&file).expect("it is a model"), tokenizer, template }
    }

    fn prompt(&self, messages: &[Message]) -> Vec<u32> {
        let rendered = self.template.render(Conversation::to_answer(messages)).expect("a rendering");
        chat::encode(&self.tokenizer, &rendered)
    }

    fn session(&self, positions: usize, options: &Options) -> Session<'_> {
        let cpu = Cpu { kernels: Kernels::best(), team: Team::new(1).expect("a thread") };
        Session::with_positions(&self.model, &self.tokenizer, cpu, positions, options).expect("a session")
    }
}

/// Prompts that share a beginning, in any order, get the answers that each gets alone.
#[test]
fn what_is_kept_changes_no_answer() {
    let loaded = Loaded::new();
    let say = |text: &str| Message::new("user", text);
    let long = "Tell me about a cat, a dog, a bird and a very big fish, please. ".repeat(6);
    let talks = [
        vec![say("Hello")],
        vec![say("Hello"), Message::new("assistant", "Hello! How can I help you?"), say("Tell me a story.")],
        vec![say(&long)],
        vec![say("Hello"), Message::new("assistant", "Go away."), say("Why?")],
        vec![say("Hello")],
    ];
    let options = Options { max_tokens: 12, ..Options::default() };
    let answer = |session: &mut Session<'_>, prompt: &[u32]| {
        let kept = session.resume(prompt).expect("it fits");
        session.prefill(prompt, |_| {}, None).expect("prefill");
        assert_eq!(session.timing().prefill_tokens, prompt.len() - kept);
        let mut ids = Vec::new();
        while session.ended().is_none() {
            ids.extend(session.step(None).expect("a step").choice.map(|choice| choice.token));
        }
        (kept, ids)
    };
    let mut shared = loaded.session(512, &options);
    let mut kept = Vec::new();
    for talk in &talks {
        let prompt = loaded.prompt(talk);
        let (count, ids) = answer(&mut shared, &prompt);
        assert_eq!(ids, answer(&mut loaded.session(512, &options), &prompt).1, "{talk:?}");
        assert_eq!(&shared.tokens()[..prompt.len()], prompt);
        kept.push(count);
    }
    assert_eq!(kept[0], 0);
    assert!(kept[1] > 5 && kept[4] > 5, "{kept:?}");
}

#[test]
fn a_cancelled_answer_leaves_the_conversation_usable() {
    let loaded = Loaded::new();
    let flag = Arc::new(AtomicBool::new(false));
    let options = Options { ignore_eos: true, cancelled: Some(Arc::clone(&flag)), ..Options::default() };
    let mut session = loaded.session(200, &options);
    let prompt = loaded.prompt(&[Message::new("user", "Tell me a story.")]);
    session.resume(&prompt).expect("it fits");
    session.prefill(&prompt, |_| {}, None).expect("prefill");
    session.step(None).expect("a step");
    flag.store(true, Ordering::SeqCst);
    let step = session.step(None).expect("the last step");
    assert!(step.choice.is_none() && matches!(step.stop, Some(Reason::Cancelled)));
    // Cancelled while the prompt is read: nothing of it is run, and the next prompt is whole.
    session.resume(&prompt[..4]).expect("it fits");
    session.prefill(&prompt[..4], |_| {}, None).expect("prefill");
    assert!(matches!(session.ended(), Some(Reason::Cancelled)));
    flag.store(false, Ordering::SeqCst);
    let kept = session.resume(&prompt).expect("it fits");
    assert_eq!(kept, 3);
    session.prefill(&prompt, |_| {}, None).expect("prefill");
    assert!(session.ended().is_none() && session.tokens() == prompt);
}

#[test]
fn prompts_that_cannot_be_resumed_change_nothing() {
    let loaded = Loaded::new();
    let mut session = loaded.session(16, &Options::default());
    session.resume(&[1, 5, 6]).expect("it fits");
    session.prefill(&[1, 5, 6], |_| {}, None).expect("prefill");
    assert!(matches!(session.resume(&[]), Err(Error::EmptyPrompt)));
    assert!(matches!(session.resume(&[1; 17]), Err(Error::PromptTooLong { tokens: 17, context: 16, .. })));
    assert!(matches!(session.resume(&[1, 99_999_999]), Err(Error::TokenRange { .. })));
    assert_eq!(session.tokens(), [1, 5, 6]);
}
