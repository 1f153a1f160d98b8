//! What the definitions of the command line say about a setting: whether there is such a flag, what it takes, and which it is nearest to.

use super::file::{Setting, Value};
use super::wrong;
use crate::cli::CliError;
use clap::{Arg, ArgAction, Command, ValueHint};
use std::path::{Path, PathBuf};

/// Flags that choose the file, which itself cannot.
const NOT_IN_THE_FILE: [&str; 2] = ["config", "no_config"];

/// The flags that a command takes and the file may set.
pub fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| {
        arg.get_long().is_some()
            && !NOT_IN_THE_FILE.contains(&arg.get_id().as_str())
            && !matches!(
                arg.get_action(),
                ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
            )
    })
}

/// A command's flag of a long name, or of another name for it.
pub fn flag<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    flags(command).find(|arg| {
        arg.get_long() == Some(name) || arg.get_all_aliases().is_some_and(|names| names.contains(&name))
    })
}

/// Whether a flag takes no value.
pub fn is_switch(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::SetFalse)
}

/// Whether a flag can be given without a value, so that it is on or off.
pub fn may_stand_alone(arg: &Arg) -> bool {
    is_switch(arg) || arg.get_num_args().is_some_and(|range| range.min_values() == 0)
}

/// Whether a flag may be given several times.
pub fn is_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// Checks that every setting is a flag of the command whose table it stands in, or of any command.
///
/// # Errors
///
/// The first that is not, with the nearest that is.
pub fn check(path: &Path, settings: &[Setting], commands: &Command) -> Result<(), CliError> {
    for setting in settings {
        let among: Vec<&Command> = match &setting.table {
            None => commands.get_subcommands().collect(),
            Some(table) => vec![
                commands
                    .find_subcommand(table)
                    .ok_or_else(|| unknown_table(path, setting, table, commands))?,
            ],
        };
        if !among.iter().any(|command| flag(command, &setting.key).is_some()) {
            let names = among.iter().flat_map(|command| flags(command)).filter_map(Arg::get_long);
            let found = match &setting.table {
                None => format!("`{}` is no flag of any command", setting.key),
                Some(table) => format!("`{}` is no flag of `siskin {table}`", setting.key),
            };
            return Err(wrong(path, setting.line, format!("{found}{}", hint(&setting.key, names))));
        }
    }
    Ok(())
}

fn unknown_table(path: &Path, setting: &Setting, table: &str, commands: &Command) -> CliError {
    let names = commands.get_subcommands().map(Command::get_name);
    wrong(path, setting.line, format!("[{table}]: there is no such command{}", hint(table, names)))
}

/// What to try instead of a name: the nearest of those that there are, if one is near at all.
pub fn hint<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> String {
    let near = names.map(|other| (strsim::jaro_winkler(name, other), other));
    let best = near.filter(|(likeness, _)| *likeness > 0.8).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map_or(String::new(), |(_, other)| format!(". Try `{other}`"))
}

/// The setting as it would stand on the command line.
///
/// # Errors
///
/// What would be expected instead.
pub fn tokens(arg: &Arg, value: &Value) -> Result<Vec<String>, String> {
    let name = format!("--{}", arg.get_long().unwrap_or_default());
    let with = |value: &String| format!("{name}={}", expanded(arg, value));
    match value {
        Value::Switch(on) if may_stand_alone(arg) => Ok(on.then_some(name).into_iter().collect()),
        Value::Switch(_) => Err("found true or false, expected a value".into()),
        _ if is_switch(arg) => Err("found a value, expected true or false".into()),
        Value::One(value) => Ok(vec![with(value)]),
        Value::Many(values) if is_list(arg) => Ok(values.iter().map(with).collect()),
        Value::Many(_) => Err("found an array, expected one value".into()),
    }
}

/// A path's `~/` is the home folder, as no shell is there to say so.
fn expanded(arg: &Arg, value: &str) -> String {
    let home = || std::env::var_os("HOME").map(PathBuf::from);
    let below = value.strip_prefix("~/").filter(|_| arg.get_value_hint() == ValueHint::AnyPath);
    match below.and_then(|below| Some(home()?.join(below))) {
        Some(path) => path.to_string_lossy().into_owned(),
        None => value.to_owned(),
    }
}
