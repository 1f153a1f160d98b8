//! Text held to a form, by the real command with the built-in model: whatever is sampled or searched, it fits.

mod util;

use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::{Anchored, Input, MatchKind};
use serde_json::Value;
use std::path::PathBuf;
use util::{Run, Siskin};

const SCHEMA: &str = r##"{
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "tags": {"type": "array", "items": {"enum": ["red", "green"]}, "maxItems": 3},
        "home": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/place"}]}
    },
    "required": ["name", "age", "tags", "home"],
    "additionalProperties": false,
    "$defs": {"place": {"type": "object", "properties": {"x": {"type": "boolean"}}, "required": ["x"], "additionalProperties": false}}
}"##;

const PATTERN: &str = "[A-Z][a-z]{2,5}, (yes|no)( [0-9]{2,4}){1,2}\\.";

fn generate(flags: &[&str]) -> Run {
    generate_in(&Siskin::new(), flags)
}

fn generate_in(siskin: &Siskin, flags: &[&str]) -> Run {
    let model = util::model_name();
    let limit = if flags.contains(&"-n") { &[][..] } else { &["-n", "200"] };
    siskin.run([&["generate", "-m", &model], limit, flags, &["Once upon a time"]].concat())
}

/// Writes a file, and returns a flag and its path.
fn file(siskin: &Siskin, flag: &str, name: &str, text: &str) -> [String; 2] {
    let path: PathBuf = siskin.file(name, text.as_bytes());
    [flag.to_owned(), path.to_str().expect("a UTF-8 path").to_owned()]
}

/// Whether a text fits [`SCHEMA`].
fn fits_schema(text: &str) -> bool {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else { return false };
    let home = &object["home"];
    let tags = object["tags"].as_array().expect("an array");
    object.keys().all(|key| ["name", "age", "tags", "home"].contains(&key.as_str()))
        && object["name"].as_str().is_some_and(|name| (1..=12).contains(&name.chars().count()))
        && object["age"].as_u64().is_some_and(|age| age <= 120)
        && tags.len() <= 3
        && tags.iter().all(|tag| tag == "red" || tag == "green")
        && (home.is_null() || home["x"].is_boolean() && home.as_object().is_some_and(|home| home.len() == 1))
}

/// Whether a pattern matches the whole of a text.
fn matches(pattern: &str, text: &str) -> bool {
    let config = dense::Config::new().match_kind(MatchKind::All).start_kind(StartKind::Anchored);
    let dfa = dense::Builder::new().configure(config).build(pattern).expect("a pattern");
    let found = dfa.try_search_fwd(&Input::new(text).anchored(Anchored::Yes)).expect("a search");
    found.is_some_and(|found| found.offset() == text.len())
}

/// Text and reason of each of the continuations.
fn continuations(run: Run) -> Vec<(String, String)> {
    let json = run.json();
    let all = json["continuations"].as_array().cloned().unwrap_or_else(|| vec![json.clone()]);
    let told = |one: &Value| {
        let (text, reason) = (&one["text"], &one["stop"]["reason"]);
        (text.as_str().expect("a text").to_owned(), reason.as_str().expect("a reason").to_owned())
    };
    all.iter().map(told).collect()
}

#[test]
fn json_fits_its_schema() {
    let siskin = Siskin::new();
    let [flag, schema] = file(&siskin, "--json-schema", "schema.json", SCHEMA);
    let each: [&[&str]; 6] = [
        &["--temp", "1.5", "--seed", "1"],
        &["--temp", "1.5", "--seed", "2", "--samplers", "temperature", "--mirostat", "2"],
        &["--temp", "1.5", "--seed", "3", "--repeat-penalty", "1.3", "--dry-multiplier", "0.8"],
        &["--temp", "0"],
        &["--beams", "3", "--num-return", "3"],
        &["--best-of", "3", "--num-return", "3", "--temp", "1.5", "--seed", "4"],
    ];
    for flags in siskin_tools::some(each, 3) {
        let told = continuations(generate_in(&siskin, &[&[&flag, &schema, "--json"], flags].concat()));
        assert_eq!(told.len(), if flags.contains(&"--num-return") { 3 } else { 1 }, "{flags:?}");
        for (text, reason) in told {
            assert!(fits_schema(&text), "{flags:?}: {text}");
            assert_eq!(reason, "grammar", "{flags:?}: {text}");
        }
    }
}

#[test]
fn text_matches_its_pattern() {
    for flags in [
        &["--temp", "1.5", "--seed", "1"][..],
        &["--temp", "1.5", "--seed", "2", "--ignore-eos"],
        &["--temp", "1.5", "--seed", "3", "--min-tokens", "60"],
        &["--beams", "3", "--num-return", "3"],
        &["--best-of", "3", "--num-return", "3", "--temp", "1.5", "--seed", "4"],
    ] {
        for (text, reason) in
            continuations(generate(&[&["--regex-output", PATTERN, "--json"], flags].concat()))
        {
            assert!(matches(PATTERN, &text), "{flags:?}: {text}");
            assert_eq!(reason, "grammar", "{flags:?}: {text}");
        }
    }
}

/// Where the text could go on, the model may end it, or a limit cut it off.
#[test]
fn other_ends() {
    let flags = ["--regex-output", "[a-z ]*", "--json", "--temp", "0"];
    let run = |more: &[&str]| continuations(generate(&[&flags, more].concat())).remove(0);
    let (text, reason) = run(&["-n", "5"]);
    assert!(matches("[a-z ]+", &text) && reason == "max_tokens", "{text} {reason}");
    let (text, reason) = run(&["--logit-bias", "2+100"]);
    assert_eq!((text.as_str(), reason.as_str()), ("", "eos"));
    let (text, reason) = run(&["--logit-bias", "2+100", "--min-tokens", "3", "-n", "5"]);
    assert!(matches("[a-z ]+", &text) && reason == "eos", "{text} {reason}");
    let whole = continuations(generate(&["--regex-output", "yes", "--json", "--stop", "s"]));
    assert_eq!(whole, [("ye".to_owned(), "stop_text".to_owned())]);
    let none = continuations(generate(&["--regex-output", "", "--json"]));
    assert_eq!(none, [(String::new(), "grammar".to_owned())]);
}

#[test]
fn grammars_in_both_notations() {
    let siskin = Siskin::new();
    let lark = "start: \"(\" start \")\" | WORD\nWORD: /[a-z]{1,4}/\n";
    let gbnf = "root ::= \"(\" root \")\" | [a-z]{1,4}\n";
    for (name, text) in [("a.lark", lark), ("a.gbnf", gbnf), ("lark.txt", lark), ("gbnf.txt", gbnf)] {
        let [flag, path] = file(&siskin, "--grammar", name, text);
        let run = generate_in(&siskin, &[&flag, &path, "--json", "--temp", "1.5", "--seed", "7", "-n", "60"]);
        let (text, reason) = continuations(run).remove(0);
        let word = text.trim_start_matches('(').trim_end_matches(')');
        assert!(text.starts_with(&"(".repeat(text.matches(')').count())), "{text}");
        assert!(reason == "max_tokens" || matches("[a-z]{1,4}", word), "{text} {reason}");
    }
}

#[test]
fn mistakes() {
    let siskin = Siskin::new();
    let refused = |flag: &str, name: &str, text: &str, words: &[&str]| {
        let [flag, path] = file(&siskin, flag, name, text);
        generate_in(&siskin, &[&flag, &path]).fails(2, words);
    };
    refused("--json-schema", "a.json", "{", &["JSON schema: not JSON", "line 1", ". Try "]);
    refused("--json-schema", "b.json", "{\"type\": \"nothing\"}", &["JSON schema: ", "nothing", ". Try "]);
    refused("--grammar", "c.lark", "start: other", &["Lark grammar: ", "other", "\nTry "]);
    refused(
        "--grammar",
        "d.gbnf",
        "root ::= \"a",
        &["GBNF grammar, line 1: found the end, expected a closing quote"],
    );
    refused(
        "--grammar",
        "e.lark",
        "start: A\nA: \"a\" & \"b\"",
        &["found nothing that may follow after 0 tokens"],
    );
    generate(&["--regex-output", "(a"]).fails(2, &["regular expression: ", "unclosed group", "Try "]);
    generate(&["--regex-output", "a", "--grammar", "b"]).fails(2, &["cannot be used with"]);
    generate(&["--json-schema", "nowhere.json"]).fails(1, &["nowhere.json: cannot read it"]);
}

/// What a plan counts is what making the vocabulary takes.
#[test]
fn the_estimate_is_near() {
    use siskin::grammar::Vocabulary;
    let file = siskin::gguf::Gguf::open(util::model()).expect("a model");
    let tokenizer = siskin::tokenizer::Tokenizer::from_metadata(file.metadata()).expect("its tokenizer");
    let (estimate, found) =
        (Vocabulary::estimate(&tokenizer), Vocabulary::new(&tokenizer).expect("a vocabulary").bytes());
    assert!(estimate.abs_diff(found) < found / 10, "{estimate} {found}");
}
