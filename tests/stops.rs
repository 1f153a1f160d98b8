//! Every stop condition of the real command, with the built-in model.

mod util;

use serde_json::Value;
use std::sync::OnceLock;
use util::Siskin;

/// What a question of the kind that the model knows looks like; its answers are lines.
const QUESTION: &str = "Question: What color is the sky?\nAnswer:";

/// A greedy run of 80 tokens after a prompt, where the flags say nothing else.
fn after(prompt: &str, flags: &[&str]) -> util::Run {
    let model = util::model_name();
    let unless = |flag: &str, default: [&'static str; 2]| {
        if flags.contains(&flag) { vec![] } else { default.to_vec() }
    };
    let (temp, limit) = (unless("--temp", ["--temp", "0"]), unless("-n", ["-n", "80"]));
    Siskin::new().run([&["generate", "-m", &model], &temp[..], &limit[..], flags, &[prompt]].concat())
}

fn generate(flags: &[&str]) -> util::Run {
    after("Once upon a time", flags)
}

/// Text and reason.
fn told(run: util::Run) -> (String, String) {
    let json = run.json();
    let part = |part: &Value| part.as_str().expect("a text").to_owned();
    (part(&json["text"]), part(&json["stop"]["reason"]))
}

fn json(flags: &[&str]) -> Value {
    generate(&[flags, &["--json"]].concat()).json()
}

/// The text of a run that ended for a reason with a detail.
#[track_caller]
fn text(flags: &[&str], reason: &str, detail: &str) -> String {
    let json = json(flags);
    assert_eq!(json["stop"], serde_json::json!({"reason": reason, "detail": detail}), "{json}");
    json["text"].as_str().expect("a text").to_owned()
}

/// What the model writes when nothing but the number of tokens ends it.
fn whole() -> &'static str {
    static WHOLE: OnceLock<String> = OnceLock::new();
    WHOLE.get_or_init(|| text(&["--ignore-eos"], "max_tokens", "80"))
}

#[test]
fn sentences() {
    let whole = whole();
    let (first, two) = (
        text(&["--stop-sentences", "1"], "sentences", "1"),
        text(&["--stop-sentences", "2"], "sentences", "2"),
    );
    for (text, dots) in [(&first, 1), (&two, 2)] {
        assert!(whole.starts_with(text.as_str()), "{text:?}");
        assert!(text.ends_with('.') && text.matches('.').count() == dots, "{text:?}");
    }
    // On the terminal it is the same text, with a line end.
    assert_eq!(generate(&["--stop-sentences", "2"]).ok(), format!("{two}\n"));
}

#[test]
fn lines() {
    let run = |flags: &[&str]| told(after(QUESTION, &[flags, &["--json"]].concat()));
    let (whole, _) = run(&[]);
    let end = whole.find('\n').expect("a line end behind the answer");
    assert_eq!(run(&["--stop-lines", "1"]), (whole[..end].to_owned(), "lines".to_owned()));
    assert_eq!(run(&["--stop-lines", "1", "--keep-stop"]), (whole[..=end].to_owned(), "lines".to_owned()));
    generate(&["--stop-lines", "0"]).fails(2, &["stop after lines: found 0, expected at least 1"]);
}

/// A bias makes line ends likelier, so that the model ends a paragraph after a sentence: 15 is `\n`.
#[test]
fn paragraphs() {
    let flags = ["--logit-bias", "15+6"];
    let ends = text(&[&flags[..], &["--stop-paragraphs", "1"]].concat(), "paragraphs", "1");
    let whole = text(&[&flags[..], &["--ignore-eos"]].concat(), "max_tokens", "80");
    let rest = whole.strip_prefix(ends.as_str()).expect("the same text");
    assert!(rest.starts_with("\n\n") && ends.ends_with('.'), "{ends:?} {rest:?}");
}

#[cfg(feature = "regex")]
#[test]
fn regular_expressions() {
    let whole = whole();
    let end = whole.find(". ").expect("a sentence");
    let pattern = r"\.\s";
    let flags = ["--stop-regex", "never|ever so", "--stop-regex", pattern];
    assert_eq!(text(&flags, "regex", pattern), whole[..end]);
    assert_eq!(text(&[&flags[..], &["--keep-stop"]].concat(), "regex", pattern), whole[..end + 2]);
    generate(&["--stop-regex", "a(b"]).fails(2, &["stop regex \"a(b\"", "unclosed group", "Try"]);
    generate(&["--stop-regex", "a*"]).fails(2, &["matches the empty text"]);
}

/// The model knows no JSON; biases and a penalty make it choose `{`, then `}`, and then something else.
#[test]
fn json_values() {
    let flags = ["--logit-bias", "128+60", "--logit-bias", "130+40", "--presence-penalty", "40"];
    let whole = text(&flags, "max_tokens", "80");
    assert!(whole.starts_with("{}") && whole.len() > 2, "{whole:?}");
    assert_eq!(text(&[&flags[..], &["--stop-json"]].concat(), "json", ""), "{}");
}

#[test]
fn bytes() {
    let whole = whole();
    assert_eq!(text(&["--stop-bytes", "33"], "bytes", "33"), whole[..33]);
    generate(&["--stop-bytes", "0"]).fails(2, &["stop after bytes: found 0, expected at least 1"]);
}

#[test]
fn confidence() {
    let whole = whole();
    let number = |flags: &[&str], reason: &str| -> (f64, String) {
        let json = json(flags);
        assert_eq!(json["stop"]["reason"], reason, "{json}");
        let detail = json["stop"]["detail"].as_str().expect("a detail");
        (detail.parse().expect("a number"), json["text"].as_str().expect("a text").to_owned())
    };
    let (probability, text) = number(&["--stop-below", "0.3"], "confidence");
    assert!(
        probability < 0.3 && whole.starts_with(&text) && text.len() < whole.len(),
        "{probability} {text:?}"
    );
    let (again, kept) = number(&["--stop-below", "0.3", "--keep-stop"], "confidence");
    assert!(again == probability && kept.len() > text.len() && whole.starts_with(&kept), "{kept:?}");
    let (mean, text) = number(&["--stop-below-mean", "0.7", "--stop-window", "4"], "confidence");
    assert!(mean < 0.7 && whole.starts_with(&text), "{mean} {text:?}");
    let (entropy, text) = number(&["--stop-entropy", "2"], "entropy");
    assert!(entropy > 2.0 && whole.starts_with(&text), "{entropy} {text:?}");
    generate(&["--stop-below", "2"]).fails(2, &["found 2, expected more than 0 and at most 1"]);
    generate(&["--stop-entropy", "-1"]).fails(2, &["found -1 nats"]);
    generate(&["--stop-window", "4"]).fails(2, &["--stop-below-mean"]);
}

/// A prompt that the model goes on repeating.
#[test]
fn loops() {
    let model = util::model_name();
    let prompt = "The wheel went round and round and round and round and round and round and round and";
    let flags = ["--temp", "0", "-n", "200", "--ignore-eos", "--stop-loop", "--json"];
    let looped = Siskin::new().run([&["generate", "-m", &model], &flags[..], &[prompt]].concat()).json();
    assert_eq!(looped["stop"]["reason"], "loop", "{looped}");
    let tokens = looped["tokens"].as_array().expect("ids");
    let length: usize = looped["stop"]["detail"].as_str().expect("a detail").parse().expect("a number");
    let last = &tokens[tokens.len() - (4 * length).max(24)..];
    assert!(last.iter().zip(&last[length..]).all(|(a, b)| a == b), "{last:?}");
    generate(&["--stop-loop=1"]).fails(2, &["found 1, expected at least 2"]);
}

#[test]
fn time() {
    assert_eq!(text(&["--stop-time", "0s"], "time", "0"), "");
    assert_eq!(
        text(&["--stop-time", "1h", "-n", "3"], "max_tokens", "3"),
        text(&["-n", "3"], "max_tokens", "3")
    );
    generate(&["--stop-time", "10"]).fails(2, &["--stop-time", "a number and a unit"]);
}

#[test]
fn all_of_them() {
    let flags = ["--stop-all", "--stop-sentences", "1", "--stop-bytes", "100"];
    assert_eq!(text(&flags, "bytes", "100"), whole()[..100]);
    let flags = ["--stop-all", "--stop-sentences", "2", "--stop-bytes", "5"];
    assert_eq!(text(&flags, "sentences", "2"), text(&["--stop-sentences", "2"], "sentences", "2"));
}

#[test]
fn the_stop_text_can_be_kept() {
    let whole = whole();
    let end = whole.find("a ").expect("a story has articles") + 2;
    assert_eq!(text(&["--stop", "a ", "--keep-stop"], "stop_text", "a "), whole[..end]);
    assert_eq!(generate(&["--stop", "a ", "--keep-stop"]).ok(), format!("{}\n", &whole[..end]));
}

/// Behind the end of a text the model would end it again at once.
#[test]
fn fewest_tokens() {
    let short = json(&["--stop", "a ", "--min-tokens", "0"]);
    let long = json(&["--stop", "a ", "--min-tokens", "30"]);
    let tokens = |json: &Value| json["tokens"].as_array().map_or(0, Vec::len);
    assert!(tokens(&short) < 30 && tokens(&long) >= 30, "{short} {long}");
    let ends = ["--temp", "0.7", "--seed", "7", "-n", "400"];
    let ended = json(&ends);
    assert_eq!(ended["stop"]["reason"], "eos");
    let n = (tokens(&ended) + 20).to_string();
    let longer = json(&[&ends[..], &["--min-tokens", &n]].concat());
    let eos = ended["tokens"].as_array().expect("ids").last().expect("a token");
    let ids = longer["tokens"].as_array().expect("ids");
    assert!(ids.len() > tokens(&ended) + 20, "{longer}");
    assert!(!ids[..ids.len() - 1].contains(eos), "{longer}");
    generate(&["--min-tokens", "81"]).fails(2, &["minimum of 81 tokens", "maximum of 80"]);
}
