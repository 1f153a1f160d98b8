//! The command `siskin`: parse, run, exit code.

mod cli;
#[cfg(all(panic = "abort", target_env = "musl"))]
mod unwinder;

fn main() -> std::process::ExitCode {
    cli::main()
}
