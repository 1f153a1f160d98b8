//! Ctrl-C and its like: end an answer, and the program where there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Signals (SIGINT, SIGTERM, SIGHUP) as flags.
#[derive(Debug)]
pub struct Signals {
    cancelled: Arc<AtomicBool>,
    /// Nothing is under way that could be cancelled.
    idle: Arc<AtomicBool>,
}

impl Signals {
    /// From now on a signal sets a flag, so that what is under way can end in order; a second one ends the program at once.
    pub fn new() -> Signals {
        let signals = Signals { cancelled: Arc::default(), idle: Arc::default() };
        let (cancelled, idle) = (Arc::clone(&signals.cancelled), Arc::clone(&signals.idle));
        let terminal = Terminal::now();
        let handler = move || {
            if cancelled.swap(true, Ordering::SeqCst) || idle.load(Ordering::SeqCst) {
                terminal.restore();
                std::process::exit(130);
            }
        };
        if let Err(error) = ctrlc::set_handler(handler) {
            log::warn!("Ctrl-C will not stop cleanly: {error}");
        }
        signals
    }

    /// The flag that a signal sets.
    pub fn cancelled(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.cancelled)
    }
}

#[cfg(feature = "chat")]
impl Signals {
    /// Waits for somebody: meanwhile the first signal ends the program.
    pub fn idle<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.idle.store(true, Ordering::SeqCst);
        let result = wait();
        self.idle.store(false, Ordering::SeqCst);
        self.cancelled.store(false, Ordering::SeqCst);
        result
    }
}

/// The terminal's modes, which line editing changes while it waits.
#[cfg(target_os = "linux")]
struct Terminal(Option<rustix::termios::Termios>);

#[cfg(target_os = "linux")]
impl Terminal {
    fn now() -> Terminal {
        Terminal(rustix::termios::tcgetattr(std::io::stdin()).ok())
    }

    fn restore(&self) {
        if let Some(modes) = &self.0 {
            // Nobody is left to be told of a failure.
            let _ =
                rustix::termios::tcsetattr(std::io::stdin(), rustix::termios::OptionalActions::Now, modes);
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct Terminal;

#[cfg(not(target_os = "linux"))]
impl Terminal {
    fn now() -> Terminal {
        Terminal
    }

    fn restore(&self) {}
}
