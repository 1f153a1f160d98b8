//! Which settings of the file hold for a command line. What a flag or the environment gives, or cannot be combined with, does not; nor does
//! a setting that needs another which is not there.

use super::definitions::{flag, tokens};
use super::file::Setting;
use super::{Config, wrong};
use crate::cli::{CliError, mistake};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Id};
use std::path::Path;

/// A setting that holds.
#[derive(Debug)]
pub struct Active<'a> {
    pub arg: &'a Arg,
    pub setting: &'a Setting,
    /// As it would stand on the command line; none for a switch that is off.
    pub tokens: Vec<String>,
}

/// The settings that hold for a command beside what is `given`, and without those of switches that are `off`.
///
/// # Errors
///
/// If a value is none that its flag takes, or if two settings that stand side by side cannot be combined.
pub fn active<'a>(
    config: &'a Config,
    command: &'a Command,
    given: &[Id],
    off: &[Id],
) -> Result<Vec<Active<'a>>, CliError> {
    let path = config.path.as_deref().unwrap_or(Path::new(""));
    let mut held: Vec<Active<'a>> = Vec::new();
    for of_table in [true, false] {
        let level = config.settings.iter().filter(|setting| match &setting.table {
            None => !of_table,
            Some(table) => of_table && command_is(command, table),
        });
        for setting in level {
            let Some(arg) = flag(command, &setting.key) else { continue };
            let tokens = checked(path, setting, arg, command)?;
            let said = given.contains(arg.get_id()) || off.contains(arg.get_id());
            if said || given.iter().any(|id| conflict(command, arg, id)) {
                continue;
            }
            let active = Active { arg, setting, tokens };
            match held.iter().find(|other| excludes(command, other, &active)) {
                None => held.push(active),
                Some(other) if other.setting.table != setting.table => {}
                Some(other) => {
                    let (key, before) = (&setting.key, &other.setting.key);
                    let what =
                        format!("`{key}` cannot be combined with `{before}` of line {}", other.setting.line);
                    return Err(wrong(path, setting.line, what));
                }
            }
        }
    }
    drop_idle(command, given, &mut held);
    Ok(held)
}

fn command_is(command: &Command, name: &str) -> bool {
    command.get_name() == name || command.get_all_aliases().any(|alias| alias == name)
}

/// Whether the second has no place beside the first: it is the same flag, or both are on and exclude each other.
fn excludes(command: &Command, first: &Active<'_>, second: &Active<'_>) -> bool {
    let on = !first.tokens.is_empty() && !second.tokens.is_empty();
    first.arg.get_id() == second.arg.get_id() || (on && conflict(command, first.arg, second.arg.get_id()))
}

/// Whether the definitions forbid two arguments at once.
fn conflict(command: &Command, arg: &Arg, other: &Id) -> bool {
    let declared = |one: &Arg, other: &Id| {
        command.get_arg_conflicts_with(one).iter().any(|excluded| excluded.get_id() == other)
    };
    let by_group = || {
        command.get_groups().any(|group| {
            let has = |id: &Id| group.get_args().any(|member| member == id);
            !group.clone().is_multiple() && has(arg.get_id()) && has(other)
        })
    };
    let other_arg = command.get_arguments().find(|arg| arg.get_id() == other);
    arg.get_id() != other
        && (declared(arg, other) || other_arg.is_some_and(|one| declared(one, arg.get_id())) || by_group())
}

/// The setting as it would stand on the command line, if its flag takes that.
fn checked(path: &Path, setting: &Setting, arg: &Arg, command: &Command) -> Result<Vec<String>, CliError> {
    let wrong = |what: String| wrong(path, setting.line, format!("`{}`: {what}", setting.key));
    let tokens = tokens(arg, &setting.value).map_err(wrong)?;
    match alone(command, &tokens) {
        Err(error) if error.kind() != ErrorKind::MissingRequiredArgument && error.use_stderr() => {
            let text = mistake::explained(error).to_string();
            let first: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
            Err(wrong(first.join(" ").trim_start_matches("error: ").to_owned()))
        }
        _ => Ok(tokens),
    }
}

/// The command with nothing but these arguments.
fn alone(command: &Command, tokens: &[String]) -> Result<clap::ArgMatches, clap::Error> {
    command.clone().no_binary_name(true).arg_required_else_help(false).try_get_matches_from(tokens)
}

/// Drops the settings that need an argument which neither is given nor held.
fn drop_idle(command: &Command, given: &[Id], held: &mut Vec<Active<'_>>) {
    let always = missing(command, &[]);
    loop {
        let given = command.get_arguments().filter(|arg| given.contains(arg.get_id()));
        let there: Vec<String> =
            given.chain(held.iter().map(|active| active.arg)).map(|arg| bare(&arg.to_string())).collect();
        let before = held.len();
        held.retain(|active| {
            let needs = missing(command, &active.tokens);
            // Of a group, any will do.
            let is_there = |name: &str| there.iter().any(|other| other == name);
            needs.iter().all(|name| always.contains(name) || name.split('|').any(is_there))
        });
        if held.len() == before {
            return;
        }
    }
}

/// The arguments that the command lacks with these alone.
fn missing(command: &Command, tokens: &[String]) -> Vec<String> {
    let Err(error) = alone(command, tokens) else { return Vec::new() };
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(names)) if error.kind() == ErrorKind::MissingRequiredArgument => {
            names.iter().map(|name| bare(name)).collect()
        }
        _ => Vec::new(),
    }
}

/// The name of an argument without the brackets that tell whether it is required.
fn bare(name: &str) -> String {
    name.chars().filter(|c| !"<>[]".contains(*c)).collect()
}
