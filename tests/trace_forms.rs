//! The forms in which `siskin trace` prints: values that are separated by commas, the table, and where the page goes.

mod trace_util;
mod util;

use serde_json::Value;
use trace_util::{array, lines, of_type, run};
#[cfg(target_os = "linux")]
use util::terminal::{On, Terminal};
use util::{Run, Siskin};

/// Records by the grammar of RFC 4180.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    let mut is_quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' if is_quoted || field.is_empty() => is_quoted = !is_quoted,
            ',' if !is_quoted => record.push(std::mem::take(&mut field)),
            '\r' if !is_quoted => {
                assert_eq!(chars.next(), Some('\n'));
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            c => field.push(c),
        }
    }
    assert!(!is_quoted && field.is_empty() && record.is_empty(), "cut off");
    records
}

#[test]
fn values_are_separated_by_commas() {
    // line ends, quotes and commas as tokens
    let prompt = "\"a\", said\nhe";
    let flags = ["--with-prompt", "--top", "3", "--seed", "5", "-n", "6", prompt];
    let out = run(&Siskin::new(), "trace", &[&["--csv"], &flags[..]].concat()).ok();
    let records = csv(&out);
    assert!(records.iter().all(|record| record.len() == records[0].len()), "{out}");
    let column = |name: &str| records[0].iter().position(|field| field == name).expect("a column");
    let (position, chosen, text) = (column("position"), column("chosen"), column("text"));
    let all: String =
        records[1..].iter().filter(|r| r[chosen] == "1").skip(1).map(|r| r[text].as_str()).collect();
    let ended = lines(&flags);
    let answer = ended[ended.len() - 1]["text"].as_str().expect("a text");
    assert_eq!(all.trim_start(), format!("{prompt}{answer}").trim_start());
    let steps = of_type(&ended, "step").len();
    for at in 0..steps {
        let of: Vec<_> = records.iter().filter(|r| r[position] == at.to_string()).collect();
        assert_eq!(of.iter().filter(|r| r[chosen] == "1").count(), 1, "{of:?}");
    }
}

#[test]
fn the_table_steers_no_terminal() {
    let siskin = Siskin::new();
    let flags = ["--with-prompt", "--temp", "0", "-n", "4", "--stop", "\u{1b}]0;x", "a\u{1b}[31m\u{7}b\nc"];
    let out = run(&siskin, "trace", &flags).ok();
    assert!(out.chars().all(|c| c == '\n' || !c.is_control()), "{out:?}");
    assert!(out.contains("\\n") && out.contains("stopped max_tokens (4)"), "{out}");
    // piped, it is 100 columns wide
    assert!(out.lines().all(|line| line.chars().count() <= 110), "{out}");
    let csv = run(&siskin, "trace", &[&["--csv"], &flags[..]].concat()).ok();
    assert!(csv.chars().all(|c| ['\r', '\n', '\t'].contains(&c) || !c.is_control()), "{csv:?}");
}

/// A text as a field has it: control characters are spelled.
fn spelled(text: &str) -> String {
    let spelled = |c: char| {
        if c.is_control() && !"\t\n\r".contains(c) { c.escape_unicode().to_string() } else { c.into() }
    };
    text.chars().map(spelled).collect()
}

/// Whether a field says what JSON does: numbers have the same value, and what is not there is empty.
fn says(field: &str, value: &Value) -> bool {
    match value {
        Value::Null => field.is_empty(),
        Value::Bool(flag) => field == if *flag { "1" } else { "0" },
        Value::Number(number) => field.parse::<f32>().ok() == number.as_f64().map(|x| x as f32),
        Value::String(text) => field == spelled(text),
        _ => false,
    }
}

/// The records that a step should have, each a list of fields by name; times are only there or not.
fn expected(step: &Value) -> Vec<Vec<(&'static str, Value)>> {
    let (chosen, top) = (&step["chosen"], &step["distribution"]["top"]);
    let top = top.as_array().map_or(&[][..], Vec::as_slice);
    let is_chosen = |token: &Value| token["token"] == chosen["token"];
    let record = |token: &Value, rank: Value| {
        let mut fields: Vec<(&'static str, Value)> =
            ["token", "text", "logit", "probability", "cumulative", "drawn_with", "removed_by"]
                .map(|name| (name, token[name].clone()))
                .into();
        fields.extend([("rank", rank), ("chosen", is_chosen(token).into())]);
        fields.extend(["position", "prompt"].map(|name| (name, step[name].clone())));
        fields.push(("entropy_nats", step["distribution"]["entropy_nats"].clone()));
        fields
    };
    let mut all: Vec<_> = (1..).zip(top).map(|(rank, token)| record(token, Value::from(rank))).collect();
    if !top.iter().any(is_chosen) {
        all.push(record(chosen, chosen["rank"].clone()));
    }
    all
}

/// A run as CSV and as JSON: field by field, but for the times, which are those of two runs.
fn csv_is_json(flags: &[&str]) {
    let records = csv(&run(&Siskin::new(), "trace", &[&["--csv"], flags].concat()).ok());
    let lines = lines(flags);
    let (names, mut records) = (&records[0], records[1..].iter());
    for step in of_type(&lines, "step") {
        for fields in expected(step) {
            let record = records.next().expect("a record");
            let field = |name: &str| &record[names.iter().position(|other| other == name).expect("a name")];
            for (name, value) in &fields {
                assert!(says(field(name), value), "{name}: {} {value}\n{record:?}\n{step}", field(name));
            }
            for name in ["sampling_ms", "pass_ms"] {
                let time = field(name).parse::<f64>().ok();
                assert_eq!(time.is_none(), step[name].is_null(), "{name}: {record:?}");
                assert!(time.is_none_or(|time| time >= 0.0) && time.is_none() == field(name).is_empty());
            }
            assert_eq!(fields.len() + 2, names.len());
        }
    }
    assert_eq!(records.next(), None);
}

#[test]
fn values_with_commas_are_those_of_json() {
    // line ends, quotes, commas, a control character, and characters of several tokens
    let prompt = "\"a\", said\nhe\u{1b}[0m é 日";
    csv_is_json(&["--with-prompt", "--top", "3", "--seed", "5", "-n", "6", prompt]);
    // tokens that are chosen, but not among the likeliest
    csv_is_json(&[
        "--top", "1", "--temp", "1.8", "--top-k", "0", "--min-p", "0", "--seed", "3", "-n", "12", "It is a",
    ]);
    csv_is_json(&["--temp", "0", "-n", "6", "--logit-bias", "403+2", "The cat sat on the"]);
    csv_is_json(&["--beams", "3", "-n", "6", "The cat sat on the"]);
    #[cfg(feature = "grammar")]
    csv_is_json(&["--regex-output", "[0-9]{3}", "--seed", "4", "--top", "20", "The answer is"]);
}

/// A table without its times, which are other ones in each run: ` T ms` stands for a time and the blanks before it.
fn without_times(table: &str) -> String {
    let line = |line: &str| {
        let mut parts = line.split(" ms").collect::<Vec<_>>();
        let last = parts.pop().unwrap_or_default();
        let timed = parts.iter().map(|part| {
            let before = part.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').trim_end();
            format!("{before} T ms")
        });
        timed.collect::<String>() + last + "\n"
    };
    table.lines().map(line).collect()
}

/// Whether two words of a table are the same, or numbers or bars as near to each other as two instruction sets may round.
fn alike(found: &str, expected: &str) -> bool {
    let numbers = (found.parse::<f64>(), expected.parse::<f64>());
    let is_bar = |word: &str| word.chars().all(|c| ('\u{2588}'..='\u{258f}').contains(&c));
    match numbers {
        (Ok(found), Ok(expected)) => (found - expected).abs() <= 0.05 * expected.abs() + 0.05,
        _ if is_bar(found) && is_bar(expected) => {
            found.chars().count().abs_diff(expected.chars().count()) <= 1
        }
        _ => found == expected,
    }
}

/// Compares a table with how it was, to the letter where kernels round as those did; else word by word.
#[track_caller]
fn is_still(flags: &[&str], expected: &str) {
    let siskin = Siskin::new();
    let model = util::model_name();
    let mut command = siskin.command([&["trace", "-m", &model, "--top", "4"], flags].concat());
    command.env("SISKIN_ISA", "scalar");
    let found = without_times(&Run::from(command.output().expect("siskin starts")).ok());
    let expected = expected.trim_start_matches('\n');
    if cfg!(target_arch = "x86_64") {
        assert_eq!(found, expected, "\n{found}");
    }
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (words, expected) = (words(&found), words(expected));
    assert_eq!(words.len(), expected.len(), "\n{found}");
    words
        .iter()
        .zip(&expected)
        .for_each(|(found, expected)| assert!(alike(found, expected), "{found} {expected}"));
}

#[test]
fn the_table_of_a_drawn_text() {
    is_still(&["--seed", "5", "-n", "3", "The cat sat on the"], DRAWN);
}

#[test]
fn the_table_of_a_greedy_text() {
    is_still(
        &["--temp", "0", "-n", "3", "--with-prompt", "--stop", "zebra", "--logit-bias", "569-inf", "The cat"],
        GREEDY,
    );
}

const DRAWN: &str = r#"
builtin.gguf (llama), vocabulary 2048; top_k 40, top_p 0.95, min_p 0.05, temperature 0.8; seed 5
  pos token                     p    rank      sum  logit
    6 " floor"             10.6 %       2  entropy 1.85 nats, T ms
      left  top_k 40, top_p 9, min_p 9, temperature 9
          " mat"           52.9 %       1   52.9 %  11.03  ██████████████▎
    >     " floor"         10.6 %       2   63.5 %   9.43  ██▉
          " chair"          7.7 %       3   71.2 %   9.10  ██▏
          " rug"            6.1 %       4   77.3 %   8.87  █▋
    7 "."                 100.0 %       1  entropy 0.00 nats, T ms
      left  top_k 40, top_p 1, min_p 1, temperature 1
    >     "."             100.0 %       1  100.0 %  17.89  ███████████████████████████
          " and"           9e-4 %       2  100.0 %   6.27  ▏                            - top_p
          " was"           6e-4 %       3  100.0 %   5.79  ▏                            - top_p
          " too"           4e-4 %       4  100.0 %   5.46  ▏                            - top_p
    8 " It"                59.9 %       1  entropy 1.38 nats, T ms
      left  top_k 40, top_p 5, min_p 5, temperature 5
      stops STOP max_tokens 3 of 3, context 9 of 512
    >     " It"            59.9 %       1   59.9 %   8.62  ████████████████▏
          " The"           17.5 %       2   77.4 %   7.39  ████▊
          </s>             10.0 %       3   87.5 %   6.83  ██▊
          " Then"           5.6 %       4   93.1 %   6.26  █▌
text    " floor. It"
stopped max_tokens (3)
time    load T ms, prefill 6 tokens T ms, decode 3 tokens T ms
stages
  tokens             6 ids T ms  text to token ids
  embedding          2048 x 256, Q6_K T ms  a row of it for each token
  attention          256 values a token T ms  4 layers of 8 query and 4 key-value heads of 32
  feed-forward       256 values a token T ms  4 layers of 512 values
  output projection  2048 x 256, Q6_K T ms  the last norm, then the embedding once more
  logits             2048 values                   one for each token of the vocabulary
  samplers           2048 to 1 T ms  top_k, top_p, min_p, temperature
  token              1 id                          goes back in as the next input
  stop conditions    go on or end                  max_tokens, context, eos
"#;

const GREEDY: &str = r#"
builtin.gguf (llama), vocabulary 2048; logit_bias of 1 token, greedy the likeliest
  pos token                     p    rank      sum  logit
    0 <s>                                  prompt
    1 " The"                7.0 %       4  prompt, entropy 3.38 nats
          " Once"          20.1 %       1   20.1 %   5.51  █████▍
          <|im_start|>     16.1 %       2   36.2 %   5.28  ████▍
          " This"           7.9 %       3   44.0 %   4.57  ██▏
    >     " The"            7.0 %       4   51.0 %   4.45  █▉
    2 " cat"               39.7 %       1  prompt, entropy 2.64 nats
    >     " cat"           39.7 %       1   39.7 %  10.34  ██████████▊
          " opposite"      10.0 %       2   49.7 %   8.96  ██▊
          " w"              5.6 %       3   55.3 %   8.38  █▌
          " dog"            4.4 %       4   59.7 %   8.14  █▎
    3 " is"                 1.6 %       2  entropy 0.14 nats, T ms
      left  logit_bias 2047, greedy 1
      stops stop_text nothing begun, max_tokens 1 of 3, context 4 of 512
          " sat"           97.9 %       1   97.9 %  14.19  ██████████████████████████▍  - logit_bias
    >     " is"             1.6 %       2   99.5 %  10.08  ▍
          "ed"              0.1 %       3   99.5 %   6.79  ▏                            - greedy
          " has"            0.1 %       4   99.6 %   6.73  ▏                            - greedy
    4 " asleep"            99.8 %       1  entropy 0.02 nats, T ms
      left  logit_bias 2047, greedy 1
      stops stop_text nothing begun, max_tokens 2 of 3, context 5 of 512
    >     " asleep"        99.8 %       1   99.8 %  15.37  ███████████████████████████
          " grass"         2e-2 %       2   99.8 %   6.60  ▏                            - greedy
          " closed"        1e-2 %       3   99.9 %   6.47  ▏                            - greedy
          " fast"          1e-2 %       4   99.9 %   6.32  ▏                            - greedy
    5 " on"                76.0 %       1  entropy 0.81 nats, T ms
      left  logit_bias 2047, greedy 1
      stops stop_text nothing begun, STOP max_tokens 3 of 3, context 6 of 512
    >     " on"            76.0 %       1   76.0 %  13.69  ████████████████████▌
          " under"         17.2 %       2   93.2 %  12.21  ████▋                        - greedy
          " near"           2.4 %       3   95.7 %  10.25  ▋                            - greedy
          " by"             2.3 %       4   98.0 %  10.19  ▋                            - greedy
text    " is asleep on"
stopped max_tokens (3)
time    load T ms, prefill 3 tokens T ms, decode 3 tokens T ms
stages
  tokens             3 ids T ms  text to token ids
  embedding          2048 x 256, Q6_K T ms  a row of it for each token
  attention          256 values a token T ms  4 layers of 8 query and 4 key-value heads of 32
  feed-forward       256 values a token T ms  4 layers of 512 values
  output projection  2048 x 256, Q6_K T ms  the last norm, then the embedding once more
  logits             2048 values                   one for each token of the vocabulary
  samplers           2048 to 1 T ms  logit_bias, greedy
  token              1 id                          goes back in as the next input
  stop conditions    go on or end                  stop_text, max_tokens, context, eos
"#;

/// The table on a terminal of so many columns.
#[cfg(target_os = "linux")]
fn on_a_terminal(columns: u16, flags: &[&str]) -> String {
    let (siskin, model) = (Siskin::new(), util::model());
    let mut command = siskin.command([&["trace", "-m", model.to_str().expect("UTF-8")], flags].concat());
    command.env("NO_COLOR", "1");
    let (screen, run) = Terminal::start(command, On::Output, columns).watch();
    run.ok();
    screen.replace("\r\n", "\n")
}

/// The text of each stage is there as a whole, in the columns that there are.
#[cfg(target_os = "linux")]
#[test]
fn the_table_can_be_read_on_a_terminal() {
    let flags = ["--seed", "5", "-n", "2", "The cat sat on the"];
    let lines = lines(&flags);
    let details: Vec<&str> = array(&lines[0]["stages"]).iter().filter_map(|s| s["detail"].as_str()).collect();
    assert!(details.iter().any(|detail| detail.contains("key-value heads of")), "{details:?}");
    for columns in [60, 80, 100, 120, 160] {
        let table = on_a_terminal(columns, &flags);
        let stages = table.split_once("\nstages\n").expect("stages").1;
        let words = stages.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(details.iter().all(|detail| words.contains(detail)) && !stages.contains('…'), "{table}");
        let longest = table.lines().map(|line| line.chars().count()).max();
        assert!(columns < 80 || longest <= Some(usize::from(columns)), "{columns}: {longest:?}\n{table}");
        let head = table.split_once("  pos token").expect("a head").0;
        assert!(head.replace("\n ", "").trim_end().ends_with("temperature 0.8; seed 5"), "{head}");
    }
}

#[test]
fn a_dash_is_standard_output() {
    let siskin = Siskin::new();
    for flags in [&["--seed", "5"][..], &["--beams", "2"]] {
        let out = run(&siskin, "trace", &[flags, &["--html", "-", "-n", "3", "The cat sat on the"]].concat());
        assert!(!out.stderr.contains("wrote"), "{}", out.stderr);
        let page = out.ok();
        assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "{page}");
    }
    assert!(!siskin.dir.path().join("-").exists());
    for other in ["--jsonl", "--csv"] {
        let parts = ["found --html - and", other, "standard output", "Try"];
        run(&siskin, "trace", &["--html", "-", other, "x"]).fails(2, &parts);
    }
}

#[test]
fn a_page_that_cannot_be_written_says_why() {
    let siskin = Siskin::new();
    siskin.file("file", b"");
    std::fs::create_dir(siskin.dir.path().join("dir")).expect("a directory");
    let fails = |path: &str, part: &str| {
        let name = format!("{path}: cannot write the page: ");
        run(&siskin, "trace", &["--html", path, "x"]).fails(1, &[&name, part, "ry "]);
    };
    fails("nowhere/p.html", "the directory nowhere does not exist. Create it");
    if cfg!(unix) {
        fails("dir", "found a directory, expected a file. Try dir/trace.html");
        fails("file/p.html", "found a file where the path has a directory");
    }
}
