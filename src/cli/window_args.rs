//! `--window` and `--sinks`: text without an end.

use clap::Args;
use siskin::session::Window;

/// What stays of text that goes on without an end.
#[derive(Debug, Args)]
#[command(next_help_heading = "Machine")]
pub struct WindowArgs {
    /// Go on when N positions are used up, in their memory: each further token takes the place of the oldest
    #[arg(long, value_name = "N", conflicts_with = "context")]
    pub window: Option<usize>,
    /// How many of the first tokens stay in the window for good
    #[arg(long, value_name = "S", default_value_t = SINKS, requires = "window")]
    pub sinks: usize,
}

/// As many as models need that were not trained with a token to that end (Xiao et al. 2023).
const SINKS: usize = 4;

impl WindowArgs {
    /// The window that is asked for.
    pub fn window(&self) -> Option<Window> {
        self.window.map(|positions| Window { positions, sinks: self.sinks })
    }
}
