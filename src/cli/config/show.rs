//! `siskin config`: the value of every flag, and where it comes from.

use super::apply::{self, Active};
use super::definitions::{flags, hint, is_list, is_switch};
use super::{Config, built, given, load};
use crate::cli::args::{self, Cli};
use crate::cli::output::Answer;
use crate::cli::{CliError, Outcome};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use serde_json::{Map, Value, json};

/// A flag's value for a command.
#[derive(Debug)]
struct Effective {
    flag: String,
    /// `None` where nothing is set and the program decides.
    value: Option<Value>,
    source: Source,
}

#[derive(Clone, Debug, PartialEq)]
enum Source {
    Environment(String),
    File(usize),
    Default,
}

impl Source {
    fn name(&self) -> &'static str {
        match self {
            Source::Environment(_) => "environment",
            Source::File(_) => "file",
            Source::Default => "default",
        }
    }

    /// Its name, and where exactly.
    fn place(&self) -> String {
        match self {
            Source::Environment(variable) => format!("environment, {variable}"),
            Source::File(line) => format!("file, line {line}"),
            Source::Default => self.name().to_owned(),
        }
    }
}

/// Runs `siskin config`.
///
/// # Errors
///
/// If there is no such command, the file is not as it must be, or stdout fails.
pub fn run(cli: &Cli, args: &args::Config) -> Result<Outcome, CliError> {
    let config = load(cli.config.as_ref(), cli.no_config)?;
    let commands = built();
    let shown = chosen(&commands, args.command.as_deref())?;
    let mut all = Vec::new();
    for command in shown {
        all.push((command.get_name(), effective(&config, command)?));
    }
    let text = if args.json { object(&config, &all).to_string() } else { table(&config, &all) };
    Answer::new().line(&text)?;
    Ok(Outcome::Done)
}

/// The command of a name, or all that have flags.
fn chosen<'a>(commands: &'a Command, name: Option<&str>) -> Result<Vec<&'a Command>, CliError> {
    let Some(name) = name else {
        return Ok(commands.get_subcommands().filter(|command| flags(command).next().is_some()).collect());
    };
    let Some(command) = commands.find_subcommand(name) else {
        let names = commands.get_subcommands().map(Command::get_name).filter(|name| *name != "help");
        let names: Vec<&str> = names.collect();
        let mut hint = hint(name, names.iter().copied());
        if hint.is_empty() {
            hint = format!(". Try one of {}", names.join(", "));
        }
        return Err(CliError::Usage(format!("there is no command `{name}`{hint}")));
    };
    Ok(vec![command])
}

/// The values that a command would have if it were given no flags.
fn effective(config: &Config, command: &Command) -> Result<Vec<Effective>, CliError> {
    let environment = bare(command, &[])?;
    let active = apply::active(config, command, &given(&environment), &[])?;
    let matches = bare(command, &active)?;
    Ok(flags(command)
        .map(|arg| Effective {
            flag: arg.get_long().unwrap_or_default().to_owned(),
            value: value(arg, &matches),
            source: source(arg, &matches, &active),
        })
        .collect())
}

/// A command's arguments with the settings alone; what it lacks does not matter.
fn bare(command: &Command, active: &[Active<'_>]) -> Result<ArgMatches, CliError> {
    let tokens = active.iter().flat_map(|active| &active.tokens);
    let command = command.clone().no_binary_name(true).arg_required_else_help(false).ignore_errors(true);
    command.try_get_matches_from(tokens).map_err(|error| CliError::Usage(error.to_string()))
}

fn value(arg: &Arg, matches: &ArgMatches) -> Option<Value> {
    let id = arg.get_id().as_str();
    if is_switch(arg) {
        return Some(matches.get_flag(id).into());
    }
    let raw = matches.get_raw(id);
    let mut texts = raw.into_iter().flatten().map(|text| text.to_string_lossy().into_owned());
    if is_list(arg) {
        let texts: Vec<String> = texts.collect();
        return (!texts.is_empty()).then(|| texts.into());
    }
    texts.next().map(Value::from)
}

fn source(arg: &Arg, matches: &ArgMatches, active: &[Active<'_>]) -> Source {
    if let Some(active) = active.iter().find(|active| active.arg.get_id() == arg.get_id()) {
        return Source::File(active.setting.line);
    }
    match matches.value_source(arg.get_id().as_str()) {
        Some(ValueSource::EnvVariable) => {
            let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned());
            Source::Environment(variable.unwrap_or_default())
        }
        _ => Source::Default,
    }
}

fn object(config: &Config, all: &[(&str, Vec<Effective>)]) -> Value {
    let flags = |values: &[Effective]| -> Map<String, Value> {
        let entry = |Effective { flag, value, source }: &Effective| {
            let mut entry = json!({"value": value, "source": source.name()});
            match source {
                Source::File(line) => entry["line"] = (*line).into(),
                Source::Environment(variable) => entry["variable"] = variable.as_str().into(),
                Source::Default => {}
            }
            (flag.clone(), entry)
        };
        values.iter().map(entry).collect()
    };
    let commands: Map<String, Value> =
        all.iter().map(|(name, values)| ((*name).to_owned(), flags(values).into())).collect();
    let path = config.path.as_ref().map(|path| path.to_string_lossy());
    json!({"file": path, "found": config.found, "commands": commands})
}

/// A line for each flag, value and source, with the commands that have them.
fn table(config: &Config, all: &[(&str, Vec<Effective>)]) -> String {
    let mut rows: Vec<([String; 3], Vec<&str>)> = Vec::new();
    for (name, values) in all {
        for effective in values {
            let shown = effective.value.as_ref().map_or("-".into(), plain);
            let row = [format!("--{}", effective.flag), shown, effective.source.place()];
            match rows.iter_mut().find(|(other, _)| *other == row) {
                Some((_, commands)) => commands.push(name),
                None => rows.push((row, vec![name])),
            }
        }
    }
    rows.sort_by(|(a, _), (b, _)| a[0].cmp(&b[0]));
    let width = |column: usize| {
        let widths = rows.iter().map(|(row, _)| row[column].chars().count());
        widths.max().unwrap_or_default().min(40)
    };
    let (a, b, c) = (width(0), width(1), width(2));
    let mut out = head(config);
    for ([flag, value, source], commands) in &rows {
        out.push_str(&format!("\n{flag:a$}  {value:b$}  {source:c$}  {}", commands.join(" ")));
    }
    out
}

/// Which file it is.
fn head(config: &Config) -> String {
    match &config.path {
        Some(path) if config.found => format!("file: {}\n", path.display()),
        Some(path) => format!("file: none ({} would be read)\n", path.display()),
        None => "file: none\n".to_owned(),
    }
}

/// A value as it would be written on the command line.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.escape_debug().collect(),
        Value::Array(texts) => texts.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_none_gets_the_nearest_or_all() {
        let commands = built();
        let said = |name| chosen(&commands, Some(name)).expect_err("no such command").to_string();
        assert_eq!(said("genrate"), "there is no command `genrate`. Try `generate`");
        let far = said("nope");
        assert!(far.contains("Try one of generate, ") && far.ends_with(", config"), "{far}");
        assert_eq!(chosen(&commands, Some("plan")).map(|found| found.len()).ok(), Some(1));
    }
}
