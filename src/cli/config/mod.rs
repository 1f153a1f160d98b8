//! Settings from `siskin.toml`: every flag by its long name, for all commands or for one. What flags there are and what they take stands
//! in the definitions alone. A flag goes before the environment, the environment before the file, and the file before the default.

mod apply;
mod definitions;
mod file;
mod show;
mod switches;

pub use show::run;

use super::args::Cli;
use super::{CliError, folders, help, input, mistake};
use apply::Active;
use clap::parser::ValueSource;
use clap::{ArgMatches, Command, FromArgMatches, Id};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use switches::Resolved;

/// The variable that names another file; set but empty, there is none.
const VARIABLE: &str = "SISKIN_CONFIG";

/// The file's settings, and where it is.
#[derive(Debug, Default)]
struct Config {
    /// The file that was read, or that would be if it existed; `None` if none is wanted.
    path: Option<PathBuf>,
    /// Whether it was read.
    found: bool,
    settings: Vec<file::Setting>,
}

/// The command line of this process with the settings of the file under it. Help, versions and mistakes on the command line end the program.
///
/// # Errors
///
/// If the file cannot be read, is no TOML, or has a setting that no flag takes; and if help that was asked for cannot be written.
pub fn command_line() -> Result<Cli, CliError> {
    let args: Vec<OsString> = std::env::args_os().collect();
    let args = with_settings(args)?;
    let parsed = help::command().try_get_matches_from(&args);
    parsed.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| mistake::end(error, &args))
}

/// The command line with what the file adds to it, if it can be read at all.
fn with_settings(args: Vec<OsString>) -> Result<Vec<OsString>, CliError> {
    let commands = built();
    let (before, after) = args.split_at(after_command(&args));
    let name = before.last().and_then(|name| name.to_str()).unwrap_or_default();
    let Some(command) = commands.find_subcommand(name) else { return Ok(args) };
    let Resolved { args: after, off } = switches::resolve(command, after);
    let line = |added: Vec<Active<'_>>| {
        let added = added.into_iter().flat_map(|active| active.tokens).map(OsString::from);
        before.iter().cloned().chain(added).chain(after.iter().cloned()).collect::<Vec<_>>()
    };
    let args = line(Vec::new());
    let Some((matches, given)) = probe(&args) else { return Ok(args) };
    let config = load(matches.get_one("config"), matches.get_flag("no_config"))?;
    if command.is_arg_required_else_help_set() && given.is_empty() {
        return Ok(args);
    }
    Ok(line(apply::active(&config, command, &given, &off)?))
}

/// The definitions with all that clap adds to them before it parses; only then do arguments know how they are written.
fn built() -> Command {
    let mut commands = help::command();
    commands.build();
    commands
}

/// What the command line and the environment alone say of a command: everything, and its arguments that are given. `None` where help, a
/// version or a message about the command is all that there will be.
fn probe(args: &[OsString]) -> Option<(ArgMatches, Vec<Id>)> {
    let mut matches = help::command().ignore_errors(true).try_get_matches_from(args).ok()?;
    let (_, inner) = matches.remove_subcommand()?;
    let given = given(&inner);
    Some((inner, given))
}

/// The arguments, groups included, that the command line or the environment give.
fn given(matches: &ArgMatches) -> Vec<Id> {
    let explicit = |id: &Id| {
        matches!(matches.value_source(id.as_str()), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    };
    matches.ids().filter(|id| explicit(id)).cloned().collect()
}

/// The place after the command's name: only `--config FILE` and `--no-config` can stand before it.
fn after_command(args: &[OsString]) -> usize {
    let mut at = 1;
    while let Some(arg) = args.get(at) {
        if !arg.as_encoded_bytes().starts_with(b"-") {
            return at + 1;
        }
        at += if arg == "--config" { 2 } else { 1 };
    }
    args.len()
}

/// Reads the file and checks it against the definitions.
fn load(named: Option<&PathBuf>, without: bool) -> Result<Config, CliError> {
    let variable = std::env::var_os(VARIABLE);
    if without || (named.is_none() && variable.as_ref().is_some_and(|value| value.is_empty())) {
        return Ok(Config::default());
    }
    let named = named.cloned().or_else(|| variable.map(PathBuf::from));
    let Some(path) = named.clone().or_else(usual_path) else { return Ok(Config::default()) };
    let found = named.is_some() || path.exists();
    let settings = if found { file::parse(&path, &input::read(&path)?)? } else { Vec::new() };
    definitions::check(&path, &settings, &built())?;
    Ok(Config { path: Some(path), found, settings })
}

/// `siskin/siskin.toml` below `XDG_CONFIG_HOME`, else below `~/.config`. `None` where there is neither.
fn usual_path() -> Option<PathBuf> {
    Some(folders::of_user("XDG_CONFIG_HOME", ".config")?.join("siskin/siskin.toml"))
}

/// An error about a line of the file.
fn wrong(path: &Path, line: usize, what: impl std::fmt::Display) -> CliError {
    CliError::Usage(format!("{}, line {line}: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_found_behind_what_may_stand_before_it() {
        let after = |line: &str| {
            let args: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
            after_command(&args)
        };
        assert_eq!(after("siskin generate -n 3"), 2);
        assert_eq!(after("siskin --config generate generate -n 3"), 4);
        assert_eq!(after("siskin --config=x --no-config bench"), 4);
        assert_eq!((after("siskin"), after("siskin --config")), (1, 2));
    }
}
