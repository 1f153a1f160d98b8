//! `siskin trace` beside `siskin generate`: the same text, and numbers that follow from the logits.

mod trace_util;
mod util;

use serde_json::Value;
use trace_util::{array, lines, number, of_type, run};
use util::Siskin;

const SAMPLED: [&str; 5] = ["--seed", "5", "-n", "12", "The cat sat on the"];

#[test]
fn lines_of_json_hold_together() {
    let lines = lines(&[&["--top", "8"], &SAMPLED[..]].concat());
    assert_eq!((&lines[0]["type"], &lines[lines.len() - 1]["type"]), (&"run".into(), &"end".into()));
    assert_eq!(array(&lines[0]["prompt"]).len(), 6);
    let steps = of_type(&lines, "step");
    assert_eq!(steps.len(), lines.len() - 2);
    for (i, step) in steps.iter().enumerate() {
        assert_eq!(step["position"], 6 + i);
        let (top, chosen) = (array(&step["distribution"]["top"]), &step["chosen"]);
        assert_eq!(top.len(), 8);
        let mut sum = 0.0;
        for (place, candidate) in top.iter().enumerate() {
            let p = number(&candidate["probability"]);
            sum += p;
            let by_logit = (number(&candidate["logit"]) - number(&step["distribution"]["log_sum_exp"])).exp();
            assert!((p - by_logit).abs() < 1e-6 && (number(&candidate["cumulative"]) - sum).abs() < 1e-5);
            if candidate["token"] == chosen["token"] {
                assert_eq!(chosen["rank"], place + 1);
                assert_eq!(candidate["drawn_with"], chosen["drawn_with"]);
            }
        }
        assert!(sum <= 1.0 + 1e-5);
        let (nats, bits) = (&step["distribution"]["entropy_nats"], &step["distribution"]["entropy_bits"]);
        assert!((number(nats) / std::f64::consts::LN_2 - number(bits)).abs() < 1e-5);
        assert!((number(&chosen["logprob"]).exp() - number(&chosen["probability"])).abs() < 1e-5);
    }
    let printed: String = steps.iter().filter_map(|step| step["printed"].as_str()).collect();
    assert_eq!(lines[lines.len() - 1]["text"], printed);
}

/// Filters in the order of the chain, each with its rule, on what is recorded.
#[test]
fn steps_of_the_chain_remove_what_their_settings_say() {
    let settings = ["--top-k", "7", "--top-p", "0.9", "--min-p", "0.1", "--temp", "1.2"];
    let lines = lines(&[&settings[..], &["--top", "10"], &SAMPLED[..]].concat());
    for step in of_type(&lines, "step") {
        let (top, filters) = (array(&step["distribution"]["top"]), array(&step["filters"]));
        let names: Vec<&str> = filters.iter().filter_map(|f| f["name"].as_str()).collect();
        assert_eq!(names, ["top_k", "top_p", "min_p", "temperature"]);
        let left = |i: usize| filters[i]["left"].as_u64().expect("a number") as usize;
        assert_eq!(left(0), 7);
        let p: Vec<f64> = top.iter().map(|c| number(&c["probability"])).collect();
        let seven: f64 = p[..7].iter().sum();
        let kept = (1..=7).find(|&n| p[..n].iter().sum::<f64>() >= 0.9 * seven - 1e-6).expect("a beginning");
        assert!(left(1) == kept || left(1) == kept + 1, "{} {kept}", left(1));
        assert!(left(2) <= left(1) && p[left(2) - 1] >= 0.1 * p[0] - 1e-6 && left(3) == left(2));
        let weights: Vec<f64> = p[..left(2)].iter().map(|p| p.powf(1.0 / 1.2)).collect();
        for (i, candidate) in top.iter().enumerate() {
            let removed = candidate["removed_by"].as_str();
            let expected = (0..3).find(|&f| i >= left(f)).map(|f| names[f]);
            assert_eq!(removed, expected, "{candidate}");
            let drawn = candidate["drawn_with"].as_f64().unwrap_or(0.0);
            let expected = weights.get(i).map_or(0.0, |w| w / weights.iter().sum::<f64>());
            assert!((drawn - expected).abs() < 1e-4, "{drawn} {expected}");
            let is_listed = (0..3).any(|f| array(&filters[f]["removed"]).contains(&candidate["token"]));
            assert_eq!(is_listed, removed.is_some());
        }
    }
}

#[test]
fn ranks_and_logits_are_those_of_generate() {
    let siskin = Siskin::new();
    let generated =
        run(&siskin, "generate", &[&["--json", "--logits", "l.npy"], &SAMPLED[..]].concat()).json();
    let logits = util::npy(&siskin.dir.path().join("l.npy"));
    let lines = lines(&[&["--with-prompt"], &SAMPLED[..]].concat());
    let steps = of_type(&lines, "step");
    assert_eq!(lines[lines.len() - 1]["text"], generated["text"]);
    assert_eq!(lines[lines.len() - 1]["stop"], generated["stop"]);
    let tokens: Vec<&Value> =
        array(&generated["prompt_tokens"]).iter().chain(array(&generated["tokens"])).collect();
    assert_eq!(steps.iter().map(|step| &step["chosen"]["token"]).collect::<Vec<_>>(), tokens);
    assert!(steps[0]["distribution"].is_null() && steps[0]["chosen"]["rank"].is_null());
    for (position, step) in steps.iter().enumerate().skip(1) {
        let (row, chosen) = (&logits[position - 1], &step["chosen"]);
        let logit = row[chosen["token"].as_u64().expect("an id") as usize];
        assert_eq!(number(&chosen["logit"]) as f32, logit);
        let better = row.iter().filter(|&&other| other > logit).count();
        assert_eq!(chosen["rank"], better + 1);
        let peak = f64::from(row.iter().fold(f32::MIN, |a, &b| a.max(b)));
        let sum: f64 = row.iter().map(|&x| (f64::from(x) - peak).exp()).sum();
        let p = (f64::from(logit) - peak).exp() / sum;
        assert!((p - number(&chosen["probability"])).abs() < 1e-5);
        let entropy: f64 = row
            .iter()
            .map(|&x| (f64::from(x) - peak).exp() / sum)
            .filter(|&p| p > 0.0)
            .map(|p| -p * p.ln())
            .sum();
        assert!((entropy - number(&step["distribution"]["entropy_nats"])).abs() < 1e-4);
        assert_eq!(step["prompt"], position < 6);
    }
}

/// Whatever is on, watching changes nothing.
#[test]
fn the_text_is_that_of_generate() {
    let runs: &[&[&str]] = &[
        &["--temp", "0"],
        &["--temp", "1.5", "--seed", "3", "--mirostat", "2"],
        &[
            "--seed",
            "4",
            "--repeat-penalty",
            "1.3",
            "--dry-multiplier",
            "1",
            "--logit-bias",
            "403+2",
            "--samplers",
            "temperature;top_p",
        ],
        &[
            "--seed",
            "9",
            "--xtc-probability",
            "0.5",
            "--typical",
            "0.8",
            "--dynatemp-range",
            "0.4",
            "--min-tokens",
            "30",
        ],
        &["--beams", "3", "--min-tokens", "5", "--stop", "zebra"],
        &["--best-of", "3", "--seed", "2", "--num-return", "2"],
        &["--chat", "--seed", "4", "--stop-sentences", "1"],
        &["--regex-output", " [A-Z][a-z ]+[.]", "--seed", "4"],
        &["--regex-output", " [A-Z][a-z ]+[.]", "--beams", "3"],
    ];
    let is_there = |flag| match flag {
        "--chat" => cfg!(feature = "chat"),
        "--regex-output" => cfg!(feature = "grammar"),
        _ => true,
    };
    for flags in siskin_tools::some(runs, 4).filter(|flags| is_there(flags[0])) {
        let flags = [flags, &["-n", "40", "Tell me about a cat."][..]].concat();
        let generated = run(&Siskin::new(), "generate", &[&["--json"], &flags[..]].concat()).json();
        let lines = lines(&flags);
        let end = &lines[lines.len() - 1];
        assert_eq!((&end["text"], &end["stop"]), (&generated["text"], &generated["stop"]), "{flags:?}");
        let steps = of_type(&lines, "step");
        let tokens: Vec<&Value> = steps.iter().map(|step| &step["chosen"]["token"]).collect();
        assert_eq!(tokens, array(&generated["tokens"]).iter().collect::<Vec<_>>(), "{flags:?}");
        // with the page, the text itself is printed
        let text = run(&Siskin::new(), "trace", &[&["--html", "p.html"], &flags[..]].concat()).ok();
        assert_eq!(text, run(&Siskin::new(), "generate", &flags).ok(), "{flags:?}");
    }
}

/// What a grammar leaves is the first step of the chain.
#[cfg(feature = "grammar")]
#[test]
fn a_grammar_is_the_first_filter() {
    let lines = lines(&["--regex-output", "[0-9]{3}", "--seed", "4", "--top", "20", "The answer is"]);
    assert_eq!(lines[0]["sampling"]["chain"][0]["name"], "allowed");
    for step in of_type(&lines, "step") {
        let first = &step["filters"][0];
        let is_few = first["left"].as_u64().is_some_and(|left| (1..100).contains(&left));
        assert!(first["name"] == "allowed" && is_few, "{step}");
        for candidate in array(&step["distribution"]["top"]) {
            let text = candidate["text"].as_str().expect("a text");
            let is_number = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
            assert_eq!(candidate["removed_by"] == "allowed", !is_number, "{candidate}");
        }
    }
}

#[test]
fn stop_conditions_say_what_they_see() {
    let flags = ["--temp", "0", "-n", "30", "--stop-sentences", "1", "--stop", "zebra", "The cat sat on the"];
    let lines = lines(&flags);
    let steps = of_type(&lines, "step");
    let (last, others) = steps.split_last().expect("steps");
    let met =
        |step: &Value| array(&step["stops"]).iter().filter(|s| s["met"] == true).cloned().collect::<Vec<_>>();
    assert!(others.iter().all(|step| met(step).is_empty()));
    assert_eq!(met(last)[0]["name"], "sentences");
    for step in &steps {
        let names: Vec<&str> = array(&step["stops"]).iter().filter_map(|s| s["name"].as_str()).collect();
        assert_eq!(names, ["stop_text", "sentences", "max_tokens", "context"]);
    }
    // the last token is not run
    assert!(last["pass_ms"].is_null() && others.iter().all(|step| number(&step["pass_ms"]) >= 0.0));
}

#[test]
fn beams_make_a_tree() {
    let flags = ["--beams", "4", "-n", "10", "--num-return", "3", "The little dog wanted to"];
    let lines = lines(&flags);
    let (nodes, found) = (of_type(&lines, "beam"), of_type(&lines, "continuation"));
    assert!(found.len() == 3 && nodes.len() > 20, "{} {}", found.len(), nodes.len());
    for (i, node) in nodes.iter().enumerate() {
        assert_eq!(node["id"], i);
        let before = node["parent"].as_u64().map_or(0.0, |parent| {
            assert!(parent < i as u64);
            number(&nodes[parent as usize]["sum"])
        });
        assert!((before + number(&node["logprob"]) - number(&node["sum"])).abs() < 1e-9);
    }
    let best: Vec<&Value> =
        nodes.iter().filter(|node| node["best"] == true).map(|node| &node["token"]).collect();
    assert_eq!(best, array(&found[0]["tokens"]).iter().collect::<Vec<_>>());
    let sum: f64 = of_type(&lines, "step").iter().map(|step| number(&step["chosen"]["logprob"])).sum();
    // the search runs tokens beside each other, this a batch: they round differently
    assert!((sum - number(&found[0]["logprob"])).abs() < 0.05, "{sum} {}", found[0]["logprob"]);
    let table = run(&Siskin::new(), "trace", &flags).ok();
    assert!(table.lines().next().is_some_and(|line| line.ends_with("; 4 beams")), "{table}");
    let place = |part: &str| table.find(part).expect("a part of the table");
    assert!(place("├─ ") < place("score") && place("score") < place("  pos token"), "{table}");
    assert!(
        table.contains("├─ ") && table.contains("└─ ") && table.contains("*+") && table.contains("score"),
        "{table}"
    );
}

#[test]
fn nothing_to_generate_is_no_failure() {
    let lines = lines(&["-n", "0", "Hello"]);
    assert_eq!((of_type(&lines, "step").len(), &lines[1]["stop"]["reason"]), (0, &"max_tokens".into()));
    assert!(run(&Siskin::new(), "trace", &["-n", "0", "--html", "p.html", "Hello"]).ok().trim().is_empty());
}

#[test]
fn mistakes_have_their_codes() {
    let siskin = Siskin::new();
    let fails = |flags: &[&str], code, parts: &[&str]| run(&siskin, "trace", flags).fails(code, parts);
    fails(&[], 2, &["no prompt given"]);
    fails(&["--top", "0", "x"], 2, &["--top"]);
    fails(&["--jsonl", "--csv", "x"], 2, &["--csv"]);
    fails(&["--beams", "2", "--temp", "1", "x"], 2, &["--beams"]);
    fails(&["--top-p", "2", "x"], 2, &["top"]);
    if cfg!(feature = "chat") {
        fails(&["--system", "x", "y"], 2, &["--chat"]);
    }
    let page = siskin.file("p.html", "an earlier page, longer than nothing".repeat(9999).as_bytes());
    fails(&["--html", "p.html", "--top-p", "2", "x"], 2, &["top-p"]);
    assert!(
        std::fs::read(&page).expect("the page").starts_with(b"an earlier page"),
        "a mistake loses no page"
    );
    run(&siskin, "trace", &["--html", "p.html", "-n", "1", "x"]).ok();
    let text = std::fs::read_to_string(&page).expect("the page");
    assert!(text.starts_with("<!doctype html>") && text.trim_end().ends_with("</html>"));
    fails(&["--context", "2", "one two three four"], 4, &["context of 2"]);
}
