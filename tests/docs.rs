//! The README and the book, held to what they say: every command is run with the real binary, links lead somewhere, scripts are scripts.
//!
//! A block of `console` has lines `$ COMMAND`, run by bash in a folder of the page's own, and below each what it prints: all of stdout,
//! and all of stderr or nothing of it. A line `> TEXT` is typed, `...` stands for what is left out, and `$ cat FILE` makes a file that is not
//! there. Line breaks and blanks are not compared. A comment in the line above a block says what is different:
//!
//! - `<!-- exit 4 -->`: the exit code of its last command, else 0
//! - `<!-- numbers about -->`: numbers with a point may differ by 2 %; `<!-- numbers vary -->`: words with digits, and units, are not
//!   compared; `<!-- output varies -->`: nothing is
//! - `<!-- slow -->`: not run where `SISKIN_RUNNER` emulates a CPU, where only some pages are ([`EMULATED`])
//! - `<!-- hub -->`: needs the network, which is a hub on this machine with the repository that pages name; not run without feature `download`
//! - `<!-- not run: REASON -->`: not run at all; [`NOT_RUN`] has the reasons, and counts these
//!
//! A table whose first heading is a command has in each row flags for it, another prompt after `after`, the text that comes (`…` stands for what
//! is left out, parentheses for what varies), and in a third column the reason for its end, with its detail or without.
//!
//! Exact output is that of every instruction set: `SISKIN_RUNNER="env SISKIN_ISA=scalar" cargo test --test docs` tries another.
#![cfg(unix)]

#[cfg(feature = "download")]
#[path = "pull/hub.rs"]
#[allow(dead_code)]
mod hub;
#[cfg(feature = "download")]
#[path = "pull/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "docs/shell.rs"]
mod shell;
mod util;

use serde_json::Value;
use shell::{Shell, furnish};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use util::{Run, Siskin};

/// How many blocks are not run, and why not: a new one is a decision. They are parsed as scripts.
const NOT_RUN: &[(&str, usize, &str)] = &[
    ("board", 1, "goes to a Raspberry Pi over the network"),
    ("builds", 8, "compiles for minutes, mostly for another machine; CI does it with the same commands"),
    ("root", 2, "installs into the system"),
    ("test", 1, "runs all tests, of which this is one"),
];

/// Beginnings of rows that have no flags: of what other tests do, here and in `cli.rs`.
const NO_FLAGS: &[&str] = &["Ctrl-C", "a closure"];

/// Pages with tables of runs, and how many rows of them are run.
const ROWS: &[(&str, usize)] = &[("README.md", 17), ("docs/src/sampling.md", 9), ("docs/src/stops.md", 19)];

/// Pages whose commands are run on an emulated core, where starting a program takes long; what others print has little to do with the CPU.
const EMULATED: &[&str] = &["README.md", "decoding.md"];

/// Pages at once: much of a run is waiting for processes to start.
const WORKERS: usize = 4;

/// A fenced block of a page.
struct Block {
    /// File and line, for messages.
    place: String,
    language: String,
    /// What the comment above it says.
    marks: Vec<String>,
    lines: Vec<String>,
}

/// A command, what is typed into it, and what it is said to print.
#[derive(Default)]
struct Step {
    command: String,
    typed: String,
    output: String,
}

impl Step {
    /// The first words of its commands, quotes aside: `|` or `;` in a quoted text begins none.
    fn programs(&self) -> impl Iterator<Item = &str> {
        let mut quote = None;
        let ends = move |c: char| {
            match (quote, c) {
                (None, '\'' | '"') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                _ => {}
            }
            quote.is_none() && "|;&\n".contains(c)
        };
        let commands = self.command.split(ends).map(|part| part.trim_start_matches(['>', '(', ' ']));
        commands.filter_map(|part| part.split_whitespace().next()).filter(|word| word.parse::<u32>().is_err())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README and every page of the book.
fn pages() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("docs/src")).expect("the book");
    let mut pages: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.push(root().join("README.md"));
    pages.sort();
    pages
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn blocks(page: &Path) -> Vec<Block> {
    let name = page.strip_prefix(root()).expect("a page of the repository").display().to_string();
    let text = text(page);
    let mut lines = text.lines().enumerate();
    let (mut found, mut above) = (Vec::new(), "");
    while let Some((at, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            let place = format!("{name}:{}", at + 1);
            let (language, lines) = (language.to_owned(), inside.map(str::to_owned).collect());
            found.push(Block { place, language, marks: marks(above), lines });
        }
        above = line;
    }
    found
}

/// `<!-- slow; exit 4 -->`: two marks.
fn marks(line: &str) -> Vec<String> {
    let inside = line.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
    inside.map_or(Vec::new(), |marks| marks.split(';').map(|mark| mark.trim().to_owned()).collect())
}

impl Block {
    fn has(&self, mark: &str) -> bool {
        self.marks.iter().any(|other| other == mark)
    }

    /// Why it is not run, if it is not.
    fn not_run(&self) -> Option<&str> {
        let reason = |mark: &'_ String| mark.strip_prefix("not run: ").map(str::len);
        let given = self.marks.iter().find_map(|mark| reason(mark).map(|len| &mark[mark.len() - len..]));
        given.or(self.has("test").then_some("test"))
    }

    fn exit_code(&self) -> i32 {
        let code = self.marks.iter().find_map(|mark| mark.strip_prefix("exit "));
        code.map_or(0, |code| code.parse().expect("a mark `exit CODE`"))
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for line in &self.lines {
            let last = steps.last_mut();
            match (line.strip_prefix("$ "), line.strip_prefix("> "), last) {
                (Some(command), ..) => steps.push(Step { command: command.into(), ..Step::default() }),
                (_, _, Some(step)) if step.command.ends_with('\\') => step.command += &format!("\n{line}"),
                (_, Some(typed), Some(step)) => step.typed += &format!("{typed}\n"),
                (_, _, Some(step)) => step.output += &format!("{line}\n"),
                (_, _, None) => panic!("{}: output without a command", self.place),
            }
        }
        steps
    }

    /// Runs its commands in a folder; what is not as the page says.
    fn run(&self, shell: &Shell, dir: &Path) -> Vec<String> {
        let (mut steps, mut wrong, mut exported) = (self.steps(), Vec::new(), String::new());
        for step in &mut steps {
            // each is run by a shell of its own
            step.command.insert_str(0, &exported);
            if step.command[exported.len()..].starts_with("export ") {
                exported = format!("{}\n", step.command);
            }
        }
        for (i, step) in steps.iter().enumerate() {
            if let Some(name) = step.command.strip_prefix("cat ").filter(|name| !dir.join(name).exists()) {
                fs::write(dir.join(name), &step.output).expect("a file of the page");
                continue;
            }
            let run = match shell.run(step, dir) {
                Ok(run) => run,
                Err(refused) => {
                    wrong.push(format!("{}: {refused}", self.place));
                    continue;
                }
            };
            let code = if i + 1 == steps.len() { self.exit_code() } else { 0 };
            if run.code != Some(code) || !self.agrees(&step.output, &run) {
                let ended = format!("exit code {:?}, expected {code}", run.code);
                wrong.push(format!(
                    "{}: $ {}\n{ended}\n{}{}",
                    self.place, step.command, run.stderr, run.stdout
                ));
            }
        }
        wrong
    }

    /// Whether a run printed what the page says: stdout, with or without stderr.
    fn agrees(&self, said: &str, run: &Run) -> bool {
        let said = self.comparable(said);
        let (out, err) = (&run.stdout, &run.stderr);
        let shown = [out.clone(), format!("{err}\n{out}"), format!("{out}\n{err}")];
        let anything = said.is_empty() || self.has("output varies");
        let about = self.has("numbers about");
        let same = |said: &str, word: &str| said == word || about && nearly(said, word);
        anything || shown.iter().any(|shown| matches(&said, &self.comparable(shown), &same))
    }

    /// The words of an output that are compared.
    fn comparable<'a>(&self, output: &'a str) -> Vec<&'a str> {
        let lines = output.lines().filter(|line| !line.starts_with("siskin: no model given"));
        let words = lines.flat_map(str::split_whitespace);
        let steady = |word: &&str| {
            let number = word.contains(|c: char| c.is_ascii_digit() || ('█'..='▏').contains(&c));
            *word == "..." || !number && !["B", "KiB", "MiB", "GiB", "ms", "s", "h"].contains(word)
        };
        words.filter(|word| !self.has("numbers vary") || steady(word)).collect()
    }
}

/// Whether the words of a text are what is said of them; `...` stands for any number of words.
fn matches(said: &[&str], text: &[&str], same: &dyn Fn(&str, &str) -> bool) -> bool {
    match (said, text) {
        ([], _) => text.is_empty(),
        (["...", said @ ..], _) => (0..=text.len()).any(|skipped| matches(said, &text[skipped..], same)),
        ([first, said @ ..], [word, text @ ..]) => same(first, word) && matches(said, text, same),
        (_, []) => false,
    }
}

/// Whether two words are numbers with a point that differ by 2 % or less.
fn nearly(said: &str, word: &str) -> bool {
    let number = |word: &str| word.parse::<f64>().ok().filter(|_| word.contains('.'));
    number(said).zip(number(word)).is_some_and(|(said, found)| (said - found).abs() <= 0.02 * found.abs())
}

/// Whether a number is what another one, with as many digits as it has, is about.
fn rounded(said: &str, word: &str) -> bool {
    let Some((_, decimals)) = said.split_once('.') else { return false };
    let numbers = said.parse::<f64>().ok().zip(word.parse::<f64>().ok());
    numbers.is_some_and(|(said, found)| (said - found).abs() < 0.1f64.powi(decimals.len() as i32))
}

/// A row of a table of runs.
struct Row {
    /// File and line, for messages.
    place: String,
    command: String,
    text: String,
    /// Nothing, a name, or a name and a detail.
    reason: Vec<String>,
}

/// The cells of a line, if it is one of a table.
fn cells(line: &str) -> Vec<String> {
    let inside = line.strip_prefix("| ").and_then(|rest| rest.strip_suffix(" |"));
    inside.map_or(Vec::new(), |cells| cells.split(" | ").map(|cell| cell.replace("\\|", "|")).collect())
}

/// What stands between backticks.
fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

impl Row {
    fn new(place: String, heading: &str, cells: &[String]) -> Row {
        let (first, reason) = (&cells[0], cells.get(2));
        assert!(first.starts_with(['`', '(']), "{place}: neither flags nor parentheses");
        let flags = if first.starts_with('`') { code(first).next() } else { None };
        let after = first.split_once(" after ").and_then(|(_, rest)| code(rest).next());
        let (run, prompt) = heading.split_once('"').expect("a prompt in quotes");
        let prompt = after.unwrap_or(prompt.trim_end_matches('"')).replace('⏎', "\n");
        Row {
            place,
            command: format!("{run}--json {} \"{prompt}\"", flags.unwrap_or_default()),
            text: cells[1].replace('…', "..."),
            reason: reason.map_or(Vec::new(), |reason| code(reason).map(str::to_owned).collect()),
        }
    }

    /// Runs it; what is not as the row says.
    fn wrong(&self, shell: &Shell, dir: &Path) -> Option<String> {
        let run = match shell.run(&Step { command: self.command.clone(), ..Step::default() }, dir) {
            Ok(run) => run,
            Err(refused) => return Some(format!("{}: {refused}", self.place)),
        };
        let json: Value = serde_json::from_str(&run.stdout).unwrap_or_default();
        let stop = ["reason", "detail"].map(|part| json["stop"][part].as_str().unwrap_or_default());
        let agrees = run.code == Some(0) && self.agrees(json["text"].as_str().unwrap_or_default(), stop);
        let found = || format!("{}: $ {}\n{}{}", self.place, self.command, run.stderr, run.stdout);
        (!agrees).then(found)
    }

    fn agrees(&self, text: &str, stop: [&str; 2]) -> bool {
        let said: Vec<_> = self.text.split_whitespace().collect();
        let found: Vec<_> = text.split_whitespace().collect();
        let varies = self.text.starts_with('(');
        let reason = self.reason.iter().zip(stop).all(|(said, found)| said == found || rounded(said, found));
        reason && (varies || matches(&said, &found, &|said, word| said == word))
    }
}

fn rows(page: &Path) -> Vec<Row> {
    let name = page.strip_prefix(root()).expect("a page of the repository").display().to_string();
    let (mut heading, mut found) = (None::<String>, Vec::new());
    for (at, line) in text(page).lines().enumerate().filter(|(_, line)| !line.starts_with("|-")) {
        let cells = cells(line);
        let first = cells.first().map_or("", String::as_str);
        match &heading {
            _ if cells.is_empty() => heading = None,
            None if first.starts_with("`siskin ") => heading = code(first).next().map(str::to_owned),
            Some(command) if !NO_FLAGS.iter().any(|beginning| first.starts_with(beginning)) => {
                found.push(Row::new(format!("{name}:{}", at + 1), command, &cells));
            }
            _ => {}
        }
    }
    found
}

/// Whether another CPU is emulated; another runner may do something else.
fn emulated() -> bool {
    std::env::var("SISKIN_RUNNER").is_ok_and(|runner| runner.contains("qemu"))
}

fn run_page(shell: &Shell, page: &Path) -> Vec<String> {
    let mut blocks = blocks(page);
    blocks.retain(|block| {
        let cannot = (emulated() && block.has("slow")) || (block.has("hub") && !cfg!(feature = "download"));
        block.language == "console" && block.not_run().is_none() && !cannot
    });
    let dir = tempfile::tempdir().expect("a temporary directory");
    furnish(dir.path(), &text(page));
    let mut wrong: Vec<_> = blocks.iter().flat_map(|block| block.run(shell, dir.path())).collect();
    wrong.extend(rows(page).iter().filter_map(|row| row.wrong(shell, dir.path())));
    wrong
}

#[test]
fn every_command_does_what_its_page_says() {
    let (shell, mut pages, next) = (Shell::new(), pages(), AtomicUsize::new(0));
    if emulated() {
        pages.retain(|page| EMULATED.iter().any(|name| page.ends_with(name)));
        assert_eq!(pages.len(), EMULATED.len());
    }
    let work = || {
        let pages = std::iter::from_fn(|| pages.get(next.fetch_add(1, Ordering::Relaxed)));
        pages.flat_map(|page| run_page(&shell, page)).collect::<Vec<_>>()
    };
    let wrong: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker")).collect()
    });
    #[cfg(feature = "download")]
    assert!(shell.hub.count("/resolve/") > 0, "the hub was asked for nothing");
    assert!(wrong.is_empty(), "{} commands:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn what_differs_is_seen() {
    let block = |marks: &[&str]| Block {
        place: String::new(),
        language: "console".into(),
        marks: marks.iter().map(|mark| mark.to_string()).collect(),
        lines: Vec::new(),
    };
    let run = |stdout: &str| Run { code: Some(0), stdout: stdout.into(), stderr: "siskin: a word\n".into() };
    let cases: [(&[&str], &str, &str, bool); 10] = [
        (&[], "one\ntwo", "one two\n", true),
        (&[], "one\ntwo", "one three\n", false),
        (&[], "siskin: a word\none", "one\n", true),
        (&[], "siskin: another\none", "one\n", false),
        (&[], "one\n...\nfour", "one two three four\n", true),
        (&[], "one\n...\nfour", "one two three\n", false),
        (&["numbers vary"], "took 3 ms", "took 4.5 s", true),
        (&["numbers vary"], "took 3 ms", "needs 3 ms", false),
        (&["numbers about"], "...\n-2.3816 a", "one two -2.3840 a", true),
        (&["numbers about"], "2.8 %", "2.7 %", false),
    ];
    for (marks, said, printed, agrees) in cases {
        assert_eq!(block(marks).agrees(said, &run(printed)), agrees, "{said} and {printed}");
    }
}

#[test]
fn a_row_that_differs_is_seen() {
    let heading = "siskin generate --temp 0 \"Once\"";
    let row = |line: &str| Row::new("a page".into(), heading, &cells(line));
    let regex = row("| `--stop-regex 'a\\|b'` after `One⏎two` | and … so | `regex` `a\\|b` |");
    assert_eq!(regex.command, "siskin generate --temp 0 --json --stop-regex 'a|b' \"One\ntwo\"");
    assert!(regex.agrees(" and on and so", ["regex", "a|b"]));
    assert!(!regex.agrees(" and on and on", ["regex", "a|b"]) && !regex.agrees(" and so", ["regex", "a"]));
    let time = row("| (nothing) | (as far as it came) | `time` |");
    assert!(time.command.ends_with("--json  \"Once\"") && time.agrees("and", ["time", "0.002"]));
    assert!(!time.agrees("and", ["eos", "2"]));
    let entropy = row("| `--stop-entropy 3` | and | `entropy` `3.26` |");
    assert!(entropy.agrees("and", ["entropy", "3.2618046"]) && !entropy.agrees("and", ["entropy", "3.2"]));
}

/// A table that is no longer found would be no longer compared.
#[test]
fn rows_are_found_and_have_every_reason() {
    let contract = text(&root().join("docs/src/generate.md"));
    let names = contract.split_once("\"reason\": ").expect("the fields of `stop`").1;
    let names = names.split_once(", \"detail\"").expect("the fields of `stop`").0;
    let names: Vec<_> = names.split('"').skip(1).step_by(2).collect();
    assert!(names.len() >= 17, "{names:?}");
    for page in pages() {
        let name = page.strip_prefix(root()).expect("a page of the repository").to_str().expect("a name");
        let (rows, expected) = (rows(&page), ROWS.iter().find(|(known, _)| *known == name));
        assert_eq!(rows.len(), expected.map_or(0, |(_, count)| *count), "{name}");
        if rows.iter().any(|row| !row.reason.is_empty()) {
            for reason in &names {
                // what no flag does is there in other words
                let told =
                    ["cancelled", "custom"].contains(reason) && text(&page).contains(&format!("`{reason}`"));
                assert!(told || rows.iter().any(|row| row.reason[0] == **reason), "{name}: no {reason}");
            }
        }
    }
}

#[test]
fn the_distribution_of_the_guide_is_the_models() {
    const PROMPT: &str = "The cat sat on the";
    let page = root().join("docs/src/decoding.md");
    assert!(text(&page).contains(&format!("After `{PROMPT}`")));
    let block = blocks(&page).into_iter().find(|block| block.language == "text").expect("a distribution");
    let top = block.lines.len().to_string();
    let run = Siskin::new().run(["trace", "--jsonl", "--temp", "0", "-n", "1", "--top", &top, PROMPT]).ok();
    let mut objects = run.lines().map(|line| serde_json::from_str::<Value>(line).expect("an object"));
    let step = objects.find(|object| object["type"] == "step").expect("a step");
    let found = step["distribution"]["top"].as_array().expect("tokens");
    assert_eq!(found.len(), block.lines.len());
    for (line, token) in block.lines.iter().zip(found) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [word, share, "%", bar] = words[..] else { panic!("{line}") };
        let share: f64 = share.parse().expect("a number");
        let real = 100.0 * token["probability"].as_f64().expect("a number");
        assert_eq!(token["text"].as_str().map(str::trim), Some(word), "{line}");
        // rounded, with a little room for numbers between two of them
        assert!((share - real).abs() < 0.051, "{line}: {real}");
        assert_eq!(bar.len(), (share * 0.6).round() as usize, "{line}");
    }
}

/// The program in `stops.md`, line by line.
#[test]
fn the_closure_of_the_page_ends_a_text() -> Result<(), siskin::Error> {
    use siskin::{Model, session::Options, stop::when};

    let model = Model::builtin()?;
    let mut options = Options::default();
    options.stop.also.push(Box::new(when("a boy", |token, _| token.piece == b" boy")));
    let mut session = model.session("Once upon a time", &options)?;
    let text: String =
        session.steps().map(|token| token.map(|token| token.text)).collect::<Result<_, _>>()?;
    let reason = session.ended().expect("the text has ended");
    assert_eq!((&*text, reason.name()), (", there was a clever little boy", "custom"));

    let page = root().join("docs/src/stops.md");
    let row = format!("| {text} | `{}` `{}` |", reason.name(), reason.detail());
    assert!(fs::read_to_string(&page).is_ok_and(|page| page.contains(&row)), "no {row}");
    let program = blocks(&page).into_iter().find(|block| block.language == "rust").expect("a program");
    let run = |line: &str| include_str!("docs.rs").lines().any(|other| other.trim() == line.trim());
    assert_eq!(program.lines.iter().find(|line| !run(line)), None, "a line that is not run");
    Ok(())
}

#[test]
fn what_is_not_run_is_counted() {
    let blocks: Vec<_> = pages().iter().flat_map(|page| blocks(page)).collect();
    let reasons: Vec<_> = blocks.iter().filter_map(Block::not_run).collect();
    for reason in &reasons {
        assert!(NOT_RUN.iter().any(|(known, ..)| known == reason), "an unknown reason: {reason}");
    }
    for (reason, count, _) in NOT_RUN {
        let found = reasons.iter().filter(|other| *other == reason).count();
        assert_eq!(found, *count, "blocks that are not run: {reason}");
    }
    for block in &blocks {
        let known =
            ["console", "rust", "rust,no_run", "text", "sh", "yaml", "toml"].contains(&&*block.language);
        assert!(known, "{}: a block of unknown language '{}'", block.place, block.language);
    }
}

/// The script takes the first model that can be run and fits.
#[test]
fn the_script_of_the_page_answers() {
    let (shell, dir) = (Shell::new(), tempfile::tempdir().expect("a temporary directory"));
    let page = blocks(&root().join("docs/src/scripting.md"));
    let script = page.iter().find(|block| block.language == "sh").expect("a script").lines.join("\n");
    let ask = || {
        let output = shell.bash(&script, dir.path()).args(["ask", "What does a cow say?"]).output();
        Run::from(output.expect("bash runs"))
    };
    for (name, bytes) in
        [("large.gguf", &b"damaged"[..]), ("small.gguf", &fs::read(util::model()).expect("a model"))]
    {
        ask().fails(4, &["small.gguf cannot be used"]);
        fs::write(dir.path().join(name), bytes).expect("a file");
    }
    let run = ask();
    assert!(run.stderr.contains("large.gguf cannot be used"), "{}", run.stderr);
    assert!(run.ok().len() > 10);
}

#[test]
fn scripts_are_scripts() {
    for block in pages().iter().flat_map(|page| blocks(page)) {
        for script in scripts(&block) {
            let parsed = Command::new("bash").args(["-n", "-c", &script]).output().expect("bash");
            let error = String::from_utf8_lossy(&parsed.stderr);
            assert!(parsed.status.success(), "{}: {error}", block.place);
        }
    }
}

/// The shell scripts in a block: all of it, or what the steps of a workflow run.
fn scripts(block: &Block) -> Vec<String> {
    match &*block.language {
        "sh" => vec![block.lines.join("\n")],
        "console" if block.not_run().is_some() => {
            block.steps().into_iter().map(|step| step.command).collect()
        }
        "yaml" => {
            assert!(!block.lines.iter().any(|line| line.contains('\t')), "{}: a tab in YAML", block.place);
            block
                .lines
                .iter()
                .enumerate()
                .filter_map(|(i, line)| workflow_script(line, &block.lines[i + 1..]))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// The script of a line `run: COMMAND` or `run: |`, whose lines follow and are further in.
fn workflow_script(line: &str, below: &[String]) -> Option<String> {
    let (before, command) = line.split_once("run: ")?;
    let deeper = |line: &&String| line.is_empty() || line.starts_with(&" ".repeat(before.len() + 1));
    let lines = below.iter().take_while(deeper).map(|line| line.trim());
    Some(if command == "|" { lines.collect::<Vec<_>>().join("\n") } else { command.to_owned() })
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let text = text(&page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let path = target.split('#').next().unwrap_or_default();
            let here = page.parent().expect("a folder").join(path);
            assert!(target.contains("://") || here.exists(), "{}: no {target}", page.display());
        }
    }
}

#[test]
fn the_summary_names_every_page() {
    let summary = text(&root().join("docs/src/SUMMARY.md"));
    for page in pages() {
        let name = page.file_name().and_then(|name| name.to_str()).expect("a name");
        let listed = ["README.md", "SUMMARY.md"].contains(&name) || summary.contains(&format!("]({name})"));
        assert!(listed, "docs/src/SUMMARY.md: {name} is missing");
    }
}
