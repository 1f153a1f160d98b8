//! What a line of a conversation can be: a message, or a command that begins with `/`.

use super::super::CliError;

/// The commands with their arguments, and what each does.
const COMMANDS: &[(&str, &str)] = &[
    ("/help", "this list"),
    ("/reset", "begin anew; the system prompt stays"),
    ("/system TEXT", "set the system prompt, or none without a text"),
    ("/save FILE", "write the conversation to a JSON file"),
    ("/load FILE", "go on with the conversation in a JSON file"),
    ("/stats", "tokens, times and memory"),
    ("/quit", "end the program, as Ctrl-D does"),
];

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub enum Input<'a> {
    Nothing,
    Message(&'a str),
    Command(Command<'a>),
}

/// A command with its argument.
#[derive(Debug, PartialEq, Eq)]
pub enum Command<'a> {
    Help,
    Reset,
    System(&'a str),
    Save(&'a str),
    Load(&'a str),
    Stats,
    Quit,
}

/// The meaning of a line.
pub fn parse(line: &str) -> Result<Input<'_>, CliError> {
    if line.trim().is_empty() {
        return Ok(Input::Nothing);
    }
    let Some(rest) = line.strip_prefix('/') else { return Ok(Input::Message(line)) };
    if rest.starts_with('/') {
        return Ok(Input::Message(rest));
    }
    let (name, argument) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let command = match (name, argument.trim()) {
        ("help", "") => Command::Help,
        ("reset", "") => Command::Reset,
        ("stats", "") => Command::Stats,
        ("quit", "") => Command::Quit,
        ("system", text) => Command::System(text),
        ("save", path) if !path.is_empty() => Command::Save(path),
        ("load", path) if !path.is_empty() => Command::Load(path),
        _ => return Err(misuse(name)),
    };
    Ok(Input::Command(command))
}

fn misuse(name: &str) -> CliError {
    let usage =
        COMMANDS.iter().map(|(usage, _)| *usage).find(|usage| usage[1..].split(' ').next() == Some(name));
    CliError::Usage(match usage {
        Some(usage) => format!("/{name}: expected {usage}"),
        None => format!(
            "/{name}: no such command. Try /help; a message that begins with / is written with two, as in //{name}"
        ),
    })
}

/// The list of commands.
pub fn help() -> String {
    let lines = COMMANDS.iter().map(|(usage, what)| format!("\n  {usage:14}{what}"));
    let escape = "\n  //TEXT        send a message that begins with /";
    format!("each line is a message to the model, or a command:{}{escape}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_mean_what_they_say() {
        for (line, expected) in [
            ("", Input::Nothing),
            ("  ", Input::Nothing),
            ("Hello /there", Input::Message("Hello /there")),
            (" /quit", Input::Message(" /quit")),
            ("//etc", Input::Message("/etc")),
            ("/quit ", Input::Command(Command::Quit)),
            ("/system Be  kind. ", Input::Command(Command::System("Be  kind."))),
            ("/system", Input::Command(Command::System(""))),
            ("/save a b.json", Input::Command(Command::Save("a b.json"))),
        ] {
            assert_eq!(parse(line).expect(line), expected);
        }
    }

    #[test]
    fn mistakes_are_explained() {
        for (line, part) in [
            ("/save", "/save FILE"),
            ("/reset all", "/reset"),
            ("/", "no such"),
            ("/etc/passwd", "//etc/passwd"),
        ] {
            let error = parse(line).expect_err(line).to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn every_command_of_the_list_is_one() {
        for (usage, _) in COMMANDS {
            assert!(matches!(parse(usage), Ok(Input::Command(_))), "{usage}");
            assert!(help().contains(usage));
        }
    }
}
