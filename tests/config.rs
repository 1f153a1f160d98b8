//! Settings from a file: what goes before what, what a mistake is told, and what `siskin config` shows. And the help beside it.

mod util;

use serde_json::{Value, json};
use util::{Run, Siskin, model_name as model};

/// A run in a folder with this `siskin.toml` where it usually is.
fn with_file(text: &str) -> Siskin {
    let siskin = Siskin::new();
    std::fs::create_dir_all(siskin.dir.path().join(".config/siskin")).expect("a folder");
    siskin.file(".config/siskin/siskin.toml", text.as_bytes());
    siskin
}

/// The effective value of a flag of a command, and its source.
fn effective(siskin: &Siskin, command: &str, flag: &str) -> (Value, String) {
    let all = siskin.run(["config", "--json", command]).json();
    let entry = &all["commands"][command][flag];
    (entry["value"].clone(), entry["source"].as_str().expect("a source").to_owned())
}

#[test]
fn a_flag_goes_before_the_environment_before_the_file_before_the_default() {
    let model = model();
    let siskin = with_file("model = \"of-the-file.gguf\"\nmax-tokens = 3\ntemp = 0\n");
    let run = |args: &[&str], variable: Option<&str>| {
        let mut command = siskin.command(args);
        variable.map(|value| command.env("SISKIN_MODEL", value));
        Run::from(command.output().expect("siskin runs"))
    };
    let prompt = "Once upon a time";
    run(&["generate", prompt], None).fails(1, &["of-the-file.gguf"]);
    run(&["generate", prompt], Some("of-the-environment.gguf")).fails(1, &["of-the-environment.gguf"]);
    let flags = ["generate", "--json", "-m", &model, prompt];
    let json = run(&flags, Some("of-the-environment.gguf")).json();
    assert_eq!(json["tokens"].as_array().map(Vec::len), Some(3));
    let json = run(&["generate", "-n", "2", "--json", "-m", &model, prompt], None).json();
    assert_eq!(json["tokens"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_table_is_for_its_command_and_goes_before_the_top() {
    let siskin = with_file("temp = 0.5\nstop = [\"a\", \"b\"]\n[chat]\ntemp = 0.25\nstats = true\n");
    assert_eq!(effective(&siskin, "generate", "temp"), (json!("0.5"), "file".into()));
    assert_eq!(effective(&siskin, "generate", "stop"), (json!(["a", "b"]), "file".into()));
    assert_eq!(effective(&siskin, "generate", "stats"), (json!(false), "default".into()));
    assert_eq!(effective(&siskin, "generate", "top-k"), (json!("40"), "default".into()));
    assert_eq!(effective(&siskin, "generate", "seed"), (Value::Null, "default".into()));
    if cfg!(feature = "chat") {
        assert_eq!(effective(&siskin, "chat", "temp"), (json!("0.25"), "file".into()));
        assert_eq!(effective(&siskin, "chat", "stats"), (json!(true), "file".into()));
    }
    let shown = siskin.run(["config", "generate"]).ok();
    assert!(shown.contains("siskin.toml"), "{shown}");
    let row = shown.lines().find(|line| line.starts_with("--temp ")).expect("a row");
    assert!(row.contains("0.5") && row.contains("file, line 1"), "{row}");
}

#[test]
fn what_a_flag_excludes_is_not_taken_from_the_file() {
    let model = model();
    let siskin =
        with_file("csv = true\nfile = \"none.txt\"\n[generate]\nbest-of = 2\n[tokenize]\njson = true\n");
    let line = ["bench", "-m", &model, "-p", "4", "-n", "1", "-r", "1", "--json"];
    assert!(siskin.run(line).json()["decode_tps"].is_number());
    assert!(siskin.run(["tokenize", "-m", &model, "Once"]).json()["tokens"].is_array());
    let logits = ["generate", "-m", &model, "-n", "1", "--logits", "logits.npy", "Once"];
    siskin.run(logits).ok();
}

#[test]
fn a_switch_of_the_file_can_be_turned_off() {
    let model = model();
    let siskin = with_file("stats = true\nmax-tokens = 2\ncsv = true\n[generate]\njson = true\n");
    let run =
        |flags: &[&str]| siskin.run([&["generate", "-m", &model, "--temp", "0", "Once"], flags].concat());
    let stats = |run: &Run| run.stderr.contains("tokens/s");
    let (on, off) = (run(&[]), run(&["--stats=false"]));
    assert!(stats(&on) && !stats(&off), "{}{}", on.stderr, off.stderr);
    let text = off.json()["text"].as_str().expect("a text").to_owned();
    assert_eq!(run(&["--json=false", "--stats=false"]).ok(), format!("{text}\n"));
    run(&["--json=false", "--json=true"]).json();
    run(&["--json=maybe"]).fails(2, &["maybe"]);
    // what the switch would exclude holds again
    let bench = ["bench", "-m", &model, "-p", "4", "-n", "1", "-r", "1", "--json=false"];
    assert!(siskin.run(bench).ok().lines().all(|line| line.contains(',')));
}

#[test]
fn a_setting_that_needs_another_waits_for_it() {
    let model = model();
    let siskin = with_file("[generate]\nlength-penalty = 0.5\nmax-tokens = 2\n");
    siskin.run(["generate", "-m", &model, "Once"]).ok();
    let siskin = with_file("[generate]\nbeams = 2\nmax-tokens = 2\n");
    let json = siskin.run(["generate", "-m", &model, "--length-penalty", "0.5", "--json", "Once"]).json();
    assert!(json["continuations"].is_array(), "{json}");
}

#[test]
fn mistakes_are_named_with_their_lines() {
    for (text, parts) in [
        ("\ntmep = 1", ["siskin.toml, line 2: `tmep`", "Try `temp`"]),
        ("[generate]\nno-probe = true", ["line 2: `no-probe` is no flag of `siskin generate`", ""]),
        ("[genrate]\ntemp = 1", ["line 2: [genrate]", "Try `generate`"]),
        ("temp = \"warm\"", ["line 1: `temp`: invalid value 'warm'", "a number, such as 2"]),
        ("kv-type = \"f8\"", ["line 1: `kv-type`: invalid value 'f8'", "f16"]),
        ("stats = 1", ["line 1: `stats`: found a value", "true or false"]),
        ("temp = true", ["line 1: `temp`: found true or false", "expected a value"]),
        ("temp = [1, 2]", ["line 1: `temp`: found an array", "one value"]),
        ("beams = 2\nbest-of = 2", ["line 2: `best-of` cannot be combined with `beams` of line 1", ""]),
        ("temp = ", ["siskin.toml, line 1: ", ""]),
        ("config = \"x\"", ["line 1: `config` is no flag", ""]),
    ] {
        with_file(text).run(["generate", "Once"]).fails(2, &parts);
    }
}

#[test]
fn the_file_can_be_another_or_none() {
    let siskin = with_file("no such thing");
    siskin.run(["config"]).fails(2, &["line 1"]);
    siskin.run(["--help"]).ok();
    siskin.run(["generate", "--help"]).ok();
    siskin.run(["--no-config", "tokenize", "--decode", "1", "-m", &model()]).ok();
    siskin.file("other.toml", b"temp = 0.125\n");
    let shown = siskin.run(["config", "generate", "--config", "other.toml"]).ok();
    assert!(shown.contains("0.125"), "{shown}");
    let environment = |value: &str| {
        let output = siskin.command(["config", "generate"]).env("SISKIN_CONFIG", value).output();
        Run::from(output.expect("siskin runs"))
    };
    assert!(environment("other.toml").ok().contains("0.125"));
    assert!(environment("").ok().starts_with("file: none\n"));
    environment("missing.toml").fails(1, &["missing.toml"]);
    siskin.run(["--config", "other.toml", "--no-config", "config"]).fails(2, &["--no-config"]);
}

#[test]
fn the_home_folder_has_a_short_name_and_a_place_for_the_file() {
    let siskin = Siskin::new();
    std::fs::create_dir_all(siskin.dir.path().join(".config/siskin")).expect("a folder");
    siskin.file(".config/siskin/siskin.toml", b"model = \"~/m.gguf\"\nsystem = \"~/x\"");
    let mut command = siskin.command(["config", "--json", "generate"]);
    command.env("HOME", siskin.dir.path()).env_remove("XDG_CONFIG_HOME");
    let shown = Run::from(command.output().expect("siskin runs")).json();
    let path = siskin.dir.path().join("m.gguf");
    assert_eq!(shown["commands"]["generate"]["model"]["value"], path.to_str().expect("UTF-8"));
    if cfg!(feature = "chat") {
        assert_eq!(shown["commands"]["generate"]["system"]["value"], "~/x");
    }
}

#[test]
fn help_has_a_short_and_a_long_form_and_mistyped_flags_are_guessed() {
    let siskin = Siskin::new();
    let (short, long) = (siskin.run(["generate", "-h"]).ok(), siskin.run(["generate", "--help"]).ok());
    assert!(long.contains("Examples:") && !short.contains("Examples:") && short.len() < long.len());
    assert!(short.contains("Machine:") && long.contains("[default: 0.8]") && !long.contains('\u{1b}'));
    assert!(long.lines().all(|line| line.chars().count() <= 100), "{long}");
    // columns that nobody can read: as where nothing is known of the terminal, or a few more
    let narrow =
        |columns| siskin.command(["generate", "-h"]).env("COLUMNS", columns).output().expect("siskin runs");
    assert_eq!(util::Run::from(narrow("0")).ok(), short);
    assert_eq!(util::Run::from(narrow("7")).ok(), util::Run::from(narrow("40")).ok());
    siskin.run(["generate", "--max-tokns", "3", "Once"]).fails(2, &["--max-tokens"]);
}
