//! What the help of each command has beside its flags: examples, and headings for flags that many commands share. The manual pages and
//! the completions are made from the same.

use super::args::Cli;
use clap::{Arg, ArgAction, Command, CommandFactory};

/// Examples of each command, most wanted first.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "generate",
        &[
            r#"siskin generate "Once upon a time""#,
            r#"siskin generate -m model.gguf -f prompt.txt -n 500 --temp 0"#,
            r#"siskin generate --chat --stop-sentences 3 "Why is the sky blue?""#,
            r#"echo "List three birds." | siskin generate --chat -f - --json | jq -r .text"#,
        ],
    ),
    (
        "chat",
        &[
            r#"siskin chat -m model.gguf"#,
            r#"siskin chat -m model.gguf --system "Answer in one sentence." --stats"#,
            r#"echo "What is a siskin?" | siskin chat -m model.gguf"#,
        ],
    ),
    (
        "trace",
        &[
            r#"siskin trace -n 8 --seed 3 "Once upon a time""#,
            r#"siskin trace --html trace.html "Once upon a time""#,
            r#"siskin trace --jsonl -n 20 "Once upon a time""#,
        ],
    ),
    (
        "batch",
        &[
            r#"siskin batch -m model.gguf in.jsonl out.jsonl"#,
            r#"siskin batch -m model.gguf --parallel 4 -n 100 --temp 0 in.jsonl out.jsonl"#,
        ],
    ),
    (
        "tokenize",
        &[
            r#"siskin tokenize -m model.gguf "Once upon a time""#,
            r#"siskin tokenize -m model.gguf --json -f text.txt"#,
            r#"siskin tokenize -m model.gguf --decode 1,403,407"#,
        ],
    ),
    ("inspect", &[r#"siskin inspect model.gguf"#, r#"siskin inspect --all --json model.gguf"#]),
    (
        "plan",
        &[
            r#"siskin plan model.gguf"#,
            r#"siskin plan -p 1000 -n 500 --mem-limit 1G model.gguf"#,
            r#"siskin plan --json model.gguf && siskin chat -m model.gguf"#,
        ],
    ),
    ("bench", &[r#"siskin bench -m model.gguf"#, r#"siskin bench -m model.gguf -p 512 -n 64 -t 4 --json"#]),
    (
        "perplexity",
        &[
            r#"siskin perplexity -m model.gguf -f text.txt"#,
            r#"siskin perplexity -m model-Q4_K_M.gguf --kl-base model-F16.gguf -f text.txt"#,
        ],
    ),
    (
        "score",
        &[
            r#"siskin score -m model.gguf text.txt"#,
            r#"siskin score -m model.gguf -p "The sky is" --choice " blue" --choice " green""#,
        ],
    ),
    (
        "quantize",
        &[
            r#"siskin quantize model-F16.gguf model-Q4_K_M.gguf Q4_K_M"#,
            r#"siskin quantize --pure model-F16.gguf model-Q8_0.gguf Q8_0"#,
        ],
    ),
    ("pull", &[r#"siskin pull bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M"#, r#"siskin pull --list"#]),
    ("doctor", &[r#"siskin doctor"#, r#"siskin doctor --json"#]),
    ("config", &[r#"siskin config"#, r#"siskin config generate"#, r#"siskin config --json generate"#]),
];

/// Commands whose first example stands in the help of the whole, as far as they are built in.
const FIRST: &[&str] = &["generate", "plan", "pull", "chat", "trace"];

/// Headings of flags that have none, by their names.
const HEADINGS: &[(&str, &[&str])] = &[
    ("Machine", &["threads", "prefill_threads", "kv_type", "mem_limit", "force", "no_probe"]),
    ("Output", &["json", "csv", "stats"]),
];

/// The least and the usual width of a help, in columns.
const WIDTHS: (usize, usize) = (40, 100);

/// The definitions with examples and headings.
pub fn command() -> Command {
    let command = wide_enough(Cli::command()).mut_subcommands(|command| {
        let lines = examples(command.get_name());
        // so that -1 is a value that some flag may refuse, and no unknown flag
        let command = command.mut_args(|arg| under_heading(without_empty(arg))).allow_negative_numbers(true);
        if lines.is_empty() { command } else { command.after_long_help(listed(lines)) }
    });
    let there = FIRST.iter().filter(|name| command.find_subcommand(name).is_some());
    let lines: Vec<&str> = there.filter_map(|name| examples(name).first().copied()).collect();
    let below = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let more = "Each command has more of them: `siskin COMMAND --help`.";
    command.after_long_help(format!("{}\n\n{more}\n\n{below}", listed(&lines)))
}

/// The definitions for a terminal whose columns can be read: where `COLUMNS` says 0, nothing is known of it.
fn wide_enough(command: Command) -> Command {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    match columns {
        Some(0) => command.term_width(WIDTHS.1),
        Some(columns) if columns < WIDTHS.0 => command.term_width(WIDTHS.0),
        _ => command,
    }
}

/// A variable of the environment that is set but empty says nothing.
fn without_empty(arg: Arg) -> Arg {
    let is_empty = arg.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty());
    if is_empty { arg.env(None::<&str>) } else { arg }
}

/// The examples of a command.
fn examples(command: &str) -> &'static [&'static str] {
    EXAMPLES.iter().find(|(name, _)| *name == command).map_or(&[], |(_, lines)| lines)
}

fn listed(lines: &[&str]) -> String {
    format!("Examples:\n  {}", lines.join("\n  "))
}

fn under_heading(arg: Arg) -> Arg {
    let flag = arg.get_long().is_some() && !matches!(arg.get_action(), ArgAction::Help | ArgAction::Version);
    let of = |names: &[&str]| names.contains(&arg.get_id().as_str());
    match HEADINGS.iter().find(|(_, names)| of(names)) {
        Some((heading, _)) if flag && arg.get_help_heading().is_none() => arg.help_heading(*heading),
        _ => arg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of the `siskin` commands in a line for a shell.
    fn invocations(line: &str) -> Vec<Vec<String>> {
        let (mut commands, mut quoted) = (vec![vec![String::new()]], false);
        for c in line.chars() {
            let words = commands.last_mut().expect("at least one");
            match c {
                '"' => quoted = !quoted,
                '|' | '&' if !quoted => commands.push(vec![String::new()]),
                ' ' if !quoted => words.push(String::new()),
                _ => words.last_mut().expect("at least one").push(c),
            }
        }
        let words = commands.into_iter().map(|words| words.into_iter().filter(|word| !word.is_empty()));
        words
            .map(Iterator::collect)
            .filter(|words: &Vec<String>| words.first().is_some_and(|w| w == "siskin"))
            .collect()
    }

    #[test]
    fn every_command_has_examples_that_are_right() {
        for subcommand in command().get_subcommands() {
            let name = subcommand.get_name();
            let lines = examples(name);
            assert!(!lines.is_empty(), "{name}: no examples");
            for line in lines {
                let all = invocations(line);
                assert!(all.iter().any(|words| words[1] == name), "{line}");
                for words in all {
                    let parsed = command().try_get_matches_from(words);
                    assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
                }
            }
        }
    }

    #[test]
    fn the_whole_has_examples_where_its_help_is_long() {
        let (short, long) = (command().render_help().to_string(), command().render_long_help().to_string());
        let has = |name: &&str| long.contains(examples(name)[0]) == command().find_subcommand(name).is_some();
        assert!(FIRST.iter().all(has), "{long}");
        assert!(long.contains("\nExamples:\n  siskin generate ") && !short.contains("Examples:"), "{short}");
        for help in [short, long] {
            assert!(help.trim_end().ends_with("130 interrupted."), "{help}");
        }
    }

    #[test]
    fn definitions_are_sound() {
        command().debug_assert();
    }
}
