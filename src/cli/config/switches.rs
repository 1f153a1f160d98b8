//! Switches with a value on the command line: `--stats=false` takes back what the file, or the command line before it, turned on, and
//! `--stats=true` is `--stats`. As the file has them; whoever parses the rest sees a switch or none.

use super::definitions::{flag, flags, may_stand_alone};
use clap::{Arg, Command, Id};
use std::ffi::{OsStr, OsString};

/// A command line without values of switches.
#[derive(Debug, Default, PartialEq)]
pub struct Resolved {
    pub args: Vec<OsString>,
    /// The switches that are off whatever the file says.
    pub off: Vec<Id>,
}

/// Resolves the arguments behind a command's name. The last of a switch counts where one of them has a value; two without are left for the parser
/// to refuse.
pub fn resolve(command: &Command, args: &[OsString]) -> Resolved {
    let (mut kept, mut off): (Vec<(&Arg, OsString)>, Vec<Id>) = (Vec::new(), Vec::new());
    let none = Arg::new("");
    let mut rest = args.iter();
    while let Some(token) = rest.next() {
        if token == "--" {
            kept.extend([token].into_iter().chain(rest).map(|token| (&none, token.clone())));
            break;
        }
        if let Some((arg, on)) = switched(command, token) {
            kept.retain(|(other, _)| other.get_id() != arg.get_id());
            off.retain(|id| id != arg.get_id());
            match on {
                true => kept.push((arg, written(arg))),
                false => off.push(arg.get_id().clone()),
            }
            continue;
        }
        let arg = named(command, token);
        off.retain(|id| arg.is_none_or(|arg| arg.get_id() != id));
        kept.push((arg.unwrap_or(&none), token.clone()));
        if wants_value(command, token)
            && let Some(value) = rest.next()
        {
            kept.push((&none, value.clone()));
        }
    }
    Resolved { args: kept.into_iter().map(|(_, token)| token).collect(), off }
}

/// The switch of `--switch=true` or `--switch=false`, and which of them it is.
fn switched<'a>(command: &'a Command, token: &OsStr) -> Option<(&'a Arg, bool)> {
    let (name, value) = token.to_str()?.strip_prefix("--")?.split_once('=')?;
    Some((flag(command, name).filter(|arg| may_stand_alone(arg))?, value.parse().ok()?))
}

/// How a switch is turned on.
fn written(arg: &Arg) -> OsString {
    format!("--{}", arg.get_long().unwrap_or_default()).into()
}

/// The flag that a token names, with its value or without.
fn named<'a>(command: &'a Command, token: &OsStr) -> Option<&'a Arg> {
    let text = token.to_str()?;
    match text.strip_prefix("--") {
        Some(long) => flag(command, long.split('=').next()?),
        None => of_letter(command, text.strip_prefix('-')?.chars().next()?),
    }
}

fn of_letter(command: &Command, letter: char) -> Option<&Arg> {
    flags(command).find(|arg| arg.get_short() == Some(letter))
}

/// Whether the next token is the value of a flag that ends here, whatever it looks like.
fn wants_value(command: &Command, token: &OsStr) -> bool {
    let Some(text) = token.to_str() else { return false };
    match (text.strip_prefix("--"), text.strip_prefix('-')) {
        (Some(long), _) => flag(command, long).is_some_and(|arg| !may_stand_alone(arg)),
        // letters up to the first that takes a value, which is the rest if there is any
        (None, Some(letters)) => {
            let mut after =
                letters.char_indices().map(|(at, letter)| (&letters[at + letter.len_utf8()..], letter));
            let takes = |letter| of_letter(command, letter).is_none_or(|arg| !may_stand_alone(arg));
            after
                .find(|(_, letter)| takes(*letter))
                .is_some_and(|(rest, letter)| rest.is_empty() && of_letter(command, letter).is_some())
        }
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::{Setting, Value};
    use super::super::{Config, apply, built};
    use super::*;

    fn resolved(name: &str, line: &[&str]) -> (Vec<String>, Vec<String>) {
        let commands = built();
        let command = commands.find_subcommand(name).expect("a command");
        let args: Vec<OsString> = line.iter().map(OsString::from).collect();
        let Resolved { args, off } = resolve(command, &args);
        let args = args.into_iter().map(|arg| arg.into_string().expect("UTF-8")).collect();
        (args, off.iter().map(ToString::to_string).collect())
    }

    /// Whether a file that turns the switch on has it on beside those that are off.
    fn held(command: &Command, arg: &Arg, off: &[Id]) -> bool {
        let key = arg.get_long().expect("a long name").to_owned();
        let settings = vec![Setting { table: None, key, value: Value::Switch(true), line: 1 }];
        let config = Config { settings, ..Config::default() };
        let active = apply::active(&config, command, &[], off).expect("a switch is true or false");
        active.iter().any(|active| active.arg.get_id() == arg.get_id())
    }

    /// Of every command, whatever else it has.
    #[test]
    fn every_switch_can_be_turned_off_and_on() {
        let commands = built();
        let (mut counts, with_value) = ((0, 0), |name: &str, value| format!("--{name}={value}"));
        for command in commands.get_subcommands() {
            for arg in flags(command).filter(|arg| may_stand_alone(arg)) {
                let (name, id) = (arg.get_long().expect("a long name"), arg.get_id().to_string());
                let (on, off, switch) =
                    (with_value(name, true), with_value(name, false), format!("--{name}"));
                let nothing: Vec<String> = Vec::new();
                let of = |line: &[&str]| resolved(command.get_name(), line);
                assert_eq!(of(&[&off]), (nothing.clone(), vec![id.clone()]), "{}", command.get_name());
                assert_eq!(of(&[&switch, &off]), (nothing.clone(), vec![id]));
                for line in [[&off, &on], [&off, &switch], [&on, &on], [&switch, &on]] {
                    assert_eq!(of(&[line[0], line[1]]), (vec![switch.clone()], nothing.clone()), "{line:?}");
                }
                counts.0 += 1;
                counts.1 += usize::from(held(command, arg, &[]));
                assert!(!held(command, arg, &[arg.get_id().clone()]), "{switch}");
            }
        }
        // few need another flag
        assert!(counts.0 > 30 && counts.1 > counts.0 - 5, "{counts:?} switches");
    }

    #[test]
    fn what_is_no_switch_stays_as_it_is() {
        let stay: &[&[&str]] = &[
            &["--stop", "--stats=false", "--stats"],
            &["-f", "--json=false"],
            &["--", "--json=false"],
            &["--json=maybe", "--temp=false", "--nothing=false", "-n5", "--stats"],
        ];
        for line in stay {
            let line_of: Vec<String> = line.iter().map(|token| (*token).to_owned()).collect();
            assert_eq!(resolved("generate", line), (line_of, Vec::new()), "{line:?}");
        }
        assert_eq!(resolved("inspect", &["-a", "--all=false"]), (Vec::new(), vec!["all".to_owned()]));
    }
}
