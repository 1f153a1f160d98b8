//! Ctrl-C and its like: end an answer, and the program where there is none. Also the signals that would end the program without a word.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// Ctrl-C.
const INTERRUPT: u8 = 2;

/// The last signal that asked for an end.
static LAST: AtomicU8 = AtomicU8::new(INTERRUPT);

/// The exit code of a program that a signal ended, as shells count: 128 and the signal's number, 130 for Ctrl-C.
pub fn exit_code() -> u8 {
    128 + LAST.load(Ordering::SeqCst)
}

/// Whether the signal wants all of the program to end, and not only what is under way: anything but Ctrl-C.
#[cfg(feature = "chat")]
pub fn ends_program() -> bool {
    LAST.load(Ordering::SeqCst) != INTERRUPT
}

/// Calls `handler`, in a thread of its own, when a signal asks for an end: SIGINT, SIGTERM, SIGHUP.
pub fn on_end(handler: impl Fn() + Send + 'static) {
    let handler = move |signal| {
        LAST.store(signal, Ordering::SeqCst);
        handler();
    };
    if let Err(error) = listen(handler) {
        log::warn!("Ctrl-C will not stop cleanly: {error}");
    }
}

#[cfg(unix)]
fn listen(handler: impl Fn(u8) + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let wait = move || signals.forever().for_each(|signal| handler(signal as u8));
    std::thread::Builder::new().name("signals".into()).spawn(wait).map(drop)
}

#[cfg(not(unix))]
fn listen(handler: impl Fn(u8) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || handler(INTERRUPT)).map_err(io::Error::other)
}

/// Makes errors of what would otherwise end the program: a model file that is shortened while it is used ends it with a message and exit
/// code 1, a file that grows beyond what `ulimit -f` allows is an error of the write.
pub fn tame() {
    let outcome = siskin::gguf::exit_on_lost_page("siskin: error: ", 1);
    #[cfg(unix)]
    let outcome = outcome
        .and_then(|()| signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default()).map(drop));
    if let Err(error) = outcome {
        log::warn!("some failures will end the program without a message: {error}");
    }
}

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
        on_end(move || {
            if cancelled.swap(true, Ordering::SeqCst) || idle.load(Ordering::SeqCst) {
                terminal.restore();
                std::process::exit(exit_code().into());
            }
        });
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
