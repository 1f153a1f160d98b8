//! What only a terminal gets: progress, colours, lines of its width. Conversations are for `chat_terminal.rs`.
#![cfg(all(feature = "builtin", feature = "cli", target_os = "linux"))]

mod util;

use util::Siskin;
use util::terminal::{On, Terminal};

/// More tokens than a prompt without a bar has.
fn long_prompt() -> String {
    "Once upon a time there was a little dog. ".repeat(10)
}

/// What a run shows on a terminal, and what it prints beside it.
fn watch(args: &[&str], on: On, columns: u16, environment: &[(&str, &str)]) -> (String, String) {
    let siskin = Siskin::new();
    let mut command = siskin.command(args);
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    let (shown, run) = Terminal::start(command, on, columns).watch();
    assert_eq!(run.code, Some(0), "{shown}{}", run.stderr);
    (shown.replace("\r\n", "\n"), if on == On::Output { run.stderr } else { run.stdout })
}

/// Text without what sets colours.
fn plain(shown: &str) -> String {
    let mut parts = shown.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').expect("a colour").1)
}

/// The lines that are the same in every run, without blanks at their ends.
fn steady(text: &str) -> Vec<String> {
    let text = plain(text);
    text.lines().filter(|line| !line.contains(" ms")).map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn progress_is_for_who_watches() {
    let prompt = long_prompt();
    let generate = ["generate", "--temp", "0", "-n", "2", &prompt];
    let (shown, text) = watch(&generate, On::Messages, 80, &[]);
    assert!(shown.contains("reading prompt") && shown.contains("tokens"), "{shown}");
    let (on_terminal, messages) = watch(&generate, On::Output, 80, &[]);
    assert_eq!(on_terminal, text);
    assert!(!messages.contains("reading prompt"), "{messages}");

    let siskin = Siskin::new();
    siskin.file(
        "in.jsonl",
        b"{\"prompt\": \"Once\", \"max_tokens\": 3}\n{\"prompt\": \"a\", \"max_tokens\": 3}\n",
    );
    let batch = ["batch", "in.jsonl", "-", "--temp", "0"];
    let (shown, run) = Terminal::start(siskin.command(batch), On::Messages, 80).watch();
    assert!(shown.contains("of 2 lines"), "{shown}");
    assert_eq!(run.ok().lines().count(), 2);
    let run = siskin.run(batch);
    assert!(!run.stderr.contains("lines"), "{}", run.stderr);
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let trace = ["trace", "--temp", "0", "-n", "3", "Once upon a time"];
    let (coloured, _) = watch(&trace, On::Output, 100, &[]);
    assert!(coloured.contains("\u{1b}[1m"), "{coloured}");
    let cases = [
        (On::Output, &[("NO_COLOR", "1")][..], false),
        (On::Output, &[("NO_COLOR", "")], true),
        (On::Output, &[("CLICOLOR", "0")], false),
        (On::Messages, &[], false),
        (On::Messages, &[("CLICOLOR_FORCE", "1")], true),
        (On::Messages, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
    ];
    for (on, environment, expected) in cases {
        let (shown, printed) = watch(&trace, on, 100, environment);
        let table = if on == On::Output { shown } else { printed };
        assert_eq!(table.contains('\u{1b}'), expected, "{on:?} {environment:?}: {table}");
        assert_eq!(steady(&table), steady(&coloured), "{on:?} {environment:?}");
    }
}

#[test]
fn lines_are_as_wide_as_the_terminal() {
    let widest = |args: &[&str], columns| {
        let text = plain(&watch(args, On::Output, columns, &[]).0);
        // what follows the table is not cut
        let table = text.lines().take_while(|line| !line.starts_with("text "));
        table.map(|line| line.chars().count()).max().unwrap_or_default()
    };
    let trace = &["trace", "--temp", "0", "-n", "3", "Once upon a time"][..];
    for args in [trace, &["generate", "-h"]] {
        for columns in [80, 90] {
            let (columns, widest) = (usize::from(columns), widest(args, columns));
            assert!((columns - 12..=columns).contains(&widest), "{args:?}: {widest} of {columns}");
        }
    }
}

#[test]
fn a_signal_ends_a_text_on_a_terminal() {
    let siskin = Siskin::new();
    let args = ["generate", "--temp", "0", "--ignore-eos", "--window", "64", "-n", "1000000", "Once"];
    let mut terminal = Terminal::start(siskin.command(args), On::Output, 80);
    terminal.wait_for("a time");
    terminal.signal("-INT");
    let (_, run) = terminal.watch();
    // under an emulator the signal may reach the emulator first
    if !siskin_tools::emulated() {
        assert_eq!(run.code, Some(130), "{}", run.stderr);
    }
}
