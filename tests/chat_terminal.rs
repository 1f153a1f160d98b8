//! Conversations at a terminal: a pseudo-terminal on which lines are typed and keys pressed.
#![cfg(all(feature = "chat", feature = "cli", target_os = "linux"))]

mod util;

use util::Siskin;
use util::terminal::{CTRL_C, CTRL_D, On, Terminal};

/// A chat on a terminal.
fn start(siskin: &Siskin, args: &[&str]) -> Terminal {
    let mut command = siskin.command(["chat", "--temp", "0"].iter().chain(args));
    command.env("SISKIN_MODEL", util::model());
    command.env("XDG_STATE_HOME", siskin.dir.path().join("state"));
    Terminal::start(command, On::Output, 80)
}

/// The test model with a context that takes long to fill.
fn with_long_context(siskin: &Siskin) {
    let mut bytes = std::fs::read(util::model()).expect("the model");
    let key = b"llama.context_length";
    let at = bytes.windows(key.len()).position(|window| window == key).expect("the key") + key.len() + 4;
    bytes[at..at + 4].copy_from_slice(&1_000_000u32.to_le_bytes());
    siskin.file("long.gguf", &bytes);
}

#[test]
fn ctrl_c_ends_an_answer_and_twice_the_program() {
    let siskin = Siskin::new();
    with_long_context(&siskin);
    let mut terminal = start(&siskin, &["-m", "long.gguf", "--context", "30000", "--ignore-eos"]);
    terminal.wait_for("> ");
    terminal.press("Tell me a story.\r");
    terminal.wait_for("upon a time");
    terminal.signal("-INT");
    terminal.wait_for("> ");
    terminal.press("/reset\r");
    terminal.wait_for("> ");
    terminal.press("half a line");
    terminal.press(CTRL_C);
    terminal.wait_for("> ");
    terminal.press(CTRL_C);
    let run = terminal.end();
    assert_eq!(run.code, Some(130), "{}", run.stderr);
    assert!(run.stderr.contains("stopped") && run.stderr.contains("Ctrl-C again"), "{}", run.stderr);
}

#[test]
fn a_signal_at_the_prompt_ends_the_program() {
    let siskin = Siskin::new();
    let mut terminal = start(&siskin, &[]);
    terminal.wait_for("> ");
    terminal.signal("-TERM");
    assert_eq!(terminal.end().code, Some(143));
}

#[test]
fn mistakes_are_told_and_lines_are_remembered() {
    let siskin = Siskin::new();
    let history = siskin.dir.path().join("state/siskin/chat_history");
    let mut terminal = start(&siskin, &["--no-history"]);
    terminal.wait_for("> ");
    terminal.press("/nonsense\r");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    let run = terminal.end();
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stderr.contains("/nonsense: no such command"), "{}", run.stderr);
    assert!(!history.exists());

    let mut terminal = start(&siskin, &[]);
    terminal.wait_for("> ");
    terminal.press("How are you?\r");
    terminal.wait_for("thank you");
    terminal.wait_for("> ");
    terminal.press("/quit\r");
    terminal.end().ok();
    let lines = std::fs::read_to_string(&history).expect("a history");
    assert!(lines.contains("How are you?\n/quit\n"), "{lines}");

    // The line before the last, from the history.
    let mut terminal = start(&siskin, &[]);
    terminal.wait_for("> ");
    terminal.press("\x1b[A\x1b[A\r");
    terminal.wait_for("thank you");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    terminal.end().ok();
}
