//! `siskin score` with the built-in model.

mod util;

use serde_json::Value;
use util::Siskin;

const PROMPT: &str = "Question: What color is the sky?\nAnswer:";

fn score(stdin: &str, flags: &[&str]) -> util::Run {
    let model = util::model_name();
    Siskin::new().run_with_stdin([&["score", "-m", &model], flags].concat(), stdin.as_bytes())
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

#[test]
fn a_text_token_by_token() {
    let json = score(" The sky is blue.", &["-", "--prompt", PROMPT, "--json"]).json();
    let tokens = json["tokens"].as_array().expect("tokens");
    let text: String = tokens.iter().map(|token| token["text"].as_str().expect("a text")).collect();
    assert_eq!(text, " The sky is blue.");
    let sum: f64 = tokens.iter().map(|token| number(&token["logprob"])).sum();
    assert!((sum - number(&json["logprob"])).abs() < 1e-9);
    assert!((number(&json["mean"]) * tokens.len() as f64 - sum).abs() < 1e-9);
    assert!((number(&json["perplexity"]).ln() + number(&json["mean"])).abs() < 1e-9);
    assert!(
        tokens
            .iter()
            .all(|token| (number(&token["logprob"]).exp() - number(&token["probability"])).abs() < 1e-9)
    );
    // It is what the model itself would say.
    assert!(tokens.iter().all(|token| token["rank"] == 1), "{json}");

    let shown = score(" The sky is blue.", &["-", "--prompt", PROMPT]).ok();
    assert_eq!(shown.lines().count(), tokens.len() + 2);
    assert!(shown.ends_with(&format!("perplexity {:.4}\n", number(&json["perplexity"]))), "{shown}");
}

#[test]
fn the_likeliest_of_several() {
    let lines = " The sky is green.\n The sky is blue.\n The wheel went round.\n";
    let json = score(lines, &["-", "--choices", "--prompt", PROMPT, "--json"]).json();
    let choices = json["choices"].as_array().expect("choices");
    let order: Vec<_> = choices.iter().map(|choice| choice["index"].as_u64().expect("an index")).collect();
    assert_eq!(order, [1, 0, 2]);
    assert!((choices.iter().map(|choice| number(&choice["share"])).sum::<f64>() - 1.0).abs() < 1e-9);
    for choice in choices {
        // By itself it has the same probability, but for rounding.
        let text = choice["choice"].as_str().expect("a text");
        let alone = score(text, &["-", "--prompt", PROMPT, "--json"]).json();
        assert!((number(&alone["logprob"]) - number(&choice["logprob"])).abs() < 5e-2, "{alone} {choice}");
    }
    let flags = ["--choice", " The sky is green.", "--choice", " The sky is blue."];
    let shown = score("", &[&flags[..], &["--prompt", PROMPT]].concat()).ok();
    assert!(shown.lines().nth(1).is_some_and(|line| line.contains("blue")), "{shown}");
}

#[test]
fn lengths_count_if_asked() {
    let lines = " The sky is blue.\n The\n";
    let run = |normalize: &str| {
        let json =
            score(lines, &["-", "--choices", "--prompt", PROMPT, "--json", "--normalize", normalize]).json();
        json["choices"].as_array().expect("choices").clone()
    };
    assert!(run("none").iter().all(|choice| choice["score"] == choice["logprob"]));
    // numbers in text may be off in the last bit
    let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs();
    let tokens = |choice: &Value| choice["tokens"].as_array().expect("tokens").len() as f64;
    assert!(
        run("tokens")
            .iter()
            .all(|choice| near(number(&choice["score"]), number(&choice["logprob"]) / tokens(choice)))
    );
    let bytes = |choice: &Value| number(&choice["bytes"]);
    assert!(
        run("bytes")
            .iter()
            .all(|choice| near(number(&choice["score"]), number(&choice["logprob"]) / bytes(choice)))
    );
}

#[test]
fn what_cannot_be_scored_is_named() {
    score("", &[]).fails(2, &["required"]);
    score("", &["-"]).fails(2, &["stdin: found no text", "Try"]);
    score("", &["-", "--choices"]).fails(2, &["stdin: found no text", "a line for each continuation"]);
    score("a\n\nb\n", &["-", "--choices"]).fails(2, &["stdin, line 2", "found no text", "Try"]);
    score("", &["--choice", "a", "--choice", ""]).fails(2, &["--choice, number 2", "found no text", "Try"]);
    score(&"many words ".repeat(2000), &["-"]).fails(4, &["too long", "expected at most 512", "Try"]);
    score("a", &["nowhere.txt"]).fails(1, &["nowhere.txt"]);
    score("a", &["-", "--normalize", "lines"]).fails(2, &["lines", "bytes"]);
}
