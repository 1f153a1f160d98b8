//! The choice of tokens as the flags of the real command describe it, with the built-in model.

mod util;

use util::Siskin;

/// What the model is asked to go on with: greedily, it goes round and round.
const PROMPT: &str = "The wheel went round";

fn generate(flags: &[&str]) -> util::Run {
    let model = util::model_name();
    Siskin::new().run([&["generate", "-m", &model, "--seed", "3", "-n", "40"], flags, &[PROMPT]].concat())
}

/// What the first release with each of these samplers wrote. Rounding differs between CPUs; none of these texts hangs on it.
#[test]
fn recorded_texts() {
    let recorded = [
        ("--temp 0 --repeat-penalty 1.3", " and round and round and round. Then it stopped."),
        ("--temp 0 --frequency-penalty 2", " and round and round, and nobody could stop it."),
        ("--temp 0 --dry-multiplier 1", " and round and round and round. Then it stopped."),
        ("--temp 1 --mirostat 2 --mirostat-tau 2", " and round and round and round. Then it stopped."),
        ("--temp 1.5 --top-n-sigma 1 --top-k 0", " and round and round and round, until the sun went down."),
        (
            "--temp 0.8 --dynatemp-range 0.7",
            " and round and round and round and round and round and round and round. Then it stopped.",
        ),
    ];
    for (flags, text) in recorded {
        let flags: Vec<&str> = flags.split(' ').collect();
        assert_eq!(generate(&flags).ok().trim_end_matches('\n'), text, "{flags:?}");
    }
}

/// Settings that leave one candidate are greedy, whatever the temperature and the seed.
#[test]
fn one_candidate_is_the_greedy_one() {
    let greedy = generate(&["--temp", "0", "--ignore-eos"]).ok();
    let settings = [
        &["--top-k", "1"][..],
        &["--top-p", "0.0001"],
        &["--min-p", "0.9999"],
        &["--top-n-sigma", "0.0001", "--top-k", "0"],
        &["--mirostat", "2", "--mirostat-tau", "0.0001", "--mirostat-eta", "0.0001"],
        &["--samplers", "temperature;top_k", "--top-k", "1"],
    ];
    for flags in settings {
        let text = generate(&[&["--temp", "2", "--ignore-eos"], flags].concat()).ok();
        assert_eq!(text, greedy, "{flags:?}");
    }
}

#[test]
fn a_chain_runs_what_it_names() {
    let seeded = |flags: &[&str]| generate(&[&["--temp", "1.5"], flags].concat()).ok();
    let all_off = seeded(&["--top-k", "0", "--top-p", "1", "--min-p", "0"]);
    assert_eq!(seeded(&["--samplers", "temperature"]), all_off);
    assert_eq!(
        seeded(&["--samplers", "top_k;temperature", "--top-p", "0.1"]),
        seeded(&["--top-p", "1", "--min-p", "0"])
    );
    assert_ne!(seeded(&["--samplers", "top_k", "--top-k", "1"]), all_off);
}

#[test]
fn a_banned_token_does_not_come() {
    let json = generate(&["--temp", "0", "--json"]).json();
    let first = json["tokens"][0].as_u64().expect("a token");
    let ban = format!("{first}-inf");
    let json = generate(&["--temp", "0", "--json", "--logit-bias", &ban]).json();
    let tokens = json["tokens"].as_array().expect("tokens");
    assert!(!tokens.is_empty() && tokens.iter().all(|token| token.as_u64() != Some(first)), "{json}");
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let wrong: [(&[&str], &[&str]); 12] = [
        (&["--temp=-1"], &["temperature", "found -1"]),
        (&["--typical", "0"], &["typical", "found 0", "Try"]),
        (&["--top-n-sigma=-1"], &["top-n-sigma", "found -1", "Try"]),
        (&["--xtc-probability", "2"], &["xtc probability", "found 2", "Try"]),
        (&["--xtc-probability", "1", "--xtc-threshold", "0"], &["xtc threshold", "found 0", "Try"]),
        (&["--repeat-penalty", "0"], &["repetition penalty", "found 0", "Try"]),
        (&["--presence-penalty", "inf"], &["presence penalty", "found inf", "Try"]),
        (&["--mirostat", "2", "--mirostat-tau", "0"], &["mirostat tau", "found 0", "Try"]),
        (&["--dry-multiplier", "1", "--dry-base", "0.5"], &["dry base", "found 0.5", "Try"]),
        (
            &["--dry-multiplier", "1", "--dry-sequence-breaker", "no token has this"],
            &["found no token", "Try"],
        ),
        (&["--logit-bias", "9999999+1"], &["9999999"]),
        (&["--samplers", "top_k;nonsense"], &["nonsense", "top_k"]),
    ];
    for (flags, parts) in wrong {
        generate(flags).fails(2, parts);
    }
}

/// A flag that only says how a step works is no use without the one that turns it on, and names it; a setting of the file waits for it.
#[test]
fn flags_that_need_another_name_it() {
    let siskin = Siskin::new();
    let pairs = [
        ("xtc-threshold", "xtc-probability", "0.2"),
        ("dynatemp-exponent", "dynatemp-range", "2"),
        ("mirostat-tau", "mirostat", "2"),
        ("mirostat-eta", "mirostat", "1"),
        ("dry-base", "dry-multiplier", "2"),
        ("dry-allowed-length", "dry-multiplier", "2"),
        ("dry-last-n", "dry-multiplier", "2"),
        ("dry-sequence-breaker", "dry-multiplier", "a"),
        ("repeat-last-n", "repeat-penalty", "9"),
        ("length-penalty", "beams", "2"),
        ("early-stop", "beams", "never"),
        ("stop-window", "stop-below-mean", "2"),
    ];
    let mut settings = String::new();
    for (flag, needs, value) in pairs {
        let option = format!("--{flag}={value}");
        siskin.run(["generate", &option, "x"]).fails(2, &[&format!("--{needs} <")]);
        settings += &format!("{flag} = \"{value}\"\n");
    }
    siskin.file("siskin.toml", settings.as_bytes());
    let model = util::model_name();
    siskin.run(["--config", "siskin.toml", "generate", "-m", &model, "-n", "1", "x"]).ok();
}

/// Of a group, one is enough, on the command line or in the file.
#[test]
fn any_penalty_may_look_back() {
    let siskin = Siskin::new();
    for penalty in ["repeat-penalty", "presence-penalty", "frequency-penalty"] {
        let option = format!("--{penalty}=1.5");
        let missing = ["generate", "-m", "missing.gguf", &option, "--repeat-last-n", "9", "x"];
        siskin.run(missing).fails(1, &["missing.gguf"]);
        siskin.file("siskin.toml", format!("{penalty} = 1.5\nrepeat-last-n = 9\n").as_bytes());
        let shown = siskin.run(["--config", "siskin.toml", "config", "--json", "generate"]).json();
        assert_eq!(shown["commands"]["generate"]["repeat-last-n"]["source"], "file", "{shown}");
    }
}

/// Beams leave no choice: the message has the flags that were given, and no other.
#[test]
fn beams_name_the_sampler_flags_that_are_too_much() {
    let run = Siskin::new().run(["generate", "--beams", "2", "--mirostat", "2", "--temp", "0.5", "x"]);
    let (message, _) = run.stderr.split_once("Usage").expect("how to use it");
    assert_eq!(message.matches(" --").count() + message.matches("'--").count(), 3, "{message}");
    run.fails(2, &["--beams <N>", "--mirostat <N>", "--temp <T>"]);
}
