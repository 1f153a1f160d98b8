//! `manual OUT`: writes a manual page for each command and completions for bash, zsh and fish, from the definitions of the command line.

use clap::{Command, Parser};
use clap_complete::{Shell, generate_to};
use clap_mangen::Man;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The definitions of the real command, which is another crate's: the same files.
#[allow(dead_code, rustdoc::broken_intra_doc_links)] // nothing here acts on the flags, and the help of flags is for terminals
#[path = "../../../src/cli"]
mod cli {
    pub mod args;
    pub mod ask_args;
    pub mod batch_args;
    pub mod bench_args;
    #[cfg(feature = "chat")]
    pub mod chat_args;
    #[cfg(feature = "grammar")]
    pub mod grammar_args;
    pub mod help;
    pub mod ids_args;
    pub mod perplexity_args;
    pub mod plan_args;
    #[cfg(feature = "quantize")]
    pub mod quantize_args;
    pub mod run_args;
    pub mod sample_args;
    pub mod score_args;
    pub mod search_args;
    pub mod stop_args;
    pub mod trace_args;
    pub mod window_args;
}

/// Writes the manual pages and the completions of siskin.
#[derive(Parser)]
struct Args {
    /// Folder to write into: pages to man/man1, completions to completions
    out: PathBuf,
}

/// The page of a command. What stands below its help is all examples at first; no day is named, so that the same source gives the same page.
fn page(command: &Command) -> Result<(String, String), Box<dyn Error>> {
    let man = Man::new(command.clone()).date(" ").manual("User Commands");
    let man = man.source(format!("siskin {}", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    man.render(&mut text)?;
    let text = String::from_utf8(text)?.replace(".SH EXTRA\nExamples:\n", ".SH EXAMPLES\n");
    Ok((man.get_filename(), text))
}

/// The pages, one for the whole and one for each command, and what completes the command line in each shell.
fn write(mut command: Command, out: &Path) -> Result<(), Box<dyn Error>> {
    let (pages, completions) = (out.join("man/man1"), out.join("completions"));
    std::fs::create_dir_all(&pages)?;
    std::fs::create_dir_all(&completions)?;
    // before the shells' generators add `help COMMAND` for every command
    let mut built = command.clone().disable_help_subcommand(true);
    built.build();
    let shown = built.get_subcommands().filter(|command| !command.is_hide_set());
    for command in shown.chain([&built]) {
        let (name, text) = page(command)?;
        std::fs::write(pages.join(name), text)?;
    }
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut command, "siskin", &completions)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    match write(cli::help::command(), &Args::parse().out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn every_command_has_a_page_and_every_flag_is_in_it_and_in_the_completions() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        write(cli::help::command(), dir.path()).expect("pages are written");
        let completions = ["siskin.bash", "_siskin", "siskin.fish"];
        let completions = completions.map(|name| read(&dir.path().join("completions").join(name)));
        let command = cli::help::command();
        assert!(command.get_subcommands().count() > 5);
        for subcommand in command.get_subcommands() {
            let name = subcommand.get_name();
            let page = read(&dir.path().join(format!("man/man1/siskin-{name}.1")));
            assert!(page.contains(".SH EXAMPLES\n"), "{name}: no examples");
            assert!(page.contains(&format!(".TH siskin-{name} 1 \" \" \"siskin 0.")), "{name}: no heading");
            for flag in subcommand.get_arguments().filter_map(|arg| arg.get_long()) {
                // a hyphen is escaped in a page
                let shown = format!("--{flag}").replace('-', "\\-");
                assert!(page.contains(&shown), "siskin-{name}.1: no --{flag}");
                assert!(
                    completions.iter().all(|text| text.contains(flag)),
                    "no completion of {name} --{flag}"
                );
            }
        }
        let page = read(&dir.path().join("man/man1/siskin.1"));
        assert!(command.get_subcommands().all(|subcommand| page.contains(subcommand.get_name())), "{page}");
    }
}
