//! Colours and columns of the terminal that a trace is shown on.

use std::io::IsTerminal;

/// How the terminal wants it.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether to colour.
    pub colour: bool,
    /// Columns.
    pub width: usize,
}

impl Look {
    /// Colours for a terminal, unless NO_COLOR (no-color.org) is set, CLICOLOR is 0, or the terminal has none; for anything if CLICOLOR_FORCE
    /// is set (bixense.com/clicolors). As wide as the terminal, within reason.
    pub fn of_stdout() -> Look {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_zero = |name| std::env::var_os(name).is_some_and(|value| value == "0");
        let is_terminal = std::io::stdout().is_terminal();
        let forced = is_set("CLICOLOR_FORCE") && !is_zero("CLICOLOR_FORCE");
        let wanted = forced || (is_terminal && !is_dumb && !is_zero("CLICOLOR"));
        let width = terminal_width().filter(|_| is_terminal).unwrap_or(100);
        Look { colour: wanted && !is_set("NO_COLOR"), width: width.clamp(40, 160) }
    }

    /// Text in a colour, or another attribute of the terminal.
    pub fn paint(&self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Text that matters.
    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Text that matters less.
    pub fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Light for what was likely, dark and warm for what was not; of the 256 colours, ones that do not need red told from green.
    pub fn tinted(&self, text: &str, probability: Option<f32>) -> String {
        let colour = match probability {
            None => return text.to_owned(),
            Some(p) if p >= 0.5 => "1;38;5;39",
            Some(p) if p >= 0.1 => "1;38;5;214",
            Some(_) => "1;38;5;208;4",
        };
        self.paint(colour, text)
    }
}

/// Columns of the terminal, if the system or the shell tells.
fn terminal_width() -> Option<usize> {
    #[cfg(target_os = "linux")]
    if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout())
        && size.ws_col > 0
    {
        return Some(usize::from(size.ws_col));
    }
    std::env::var("COLUMNS").ok()?.parse().ok()
}
