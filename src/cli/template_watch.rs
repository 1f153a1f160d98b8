//! Ends the program when a chat template takes more memory or time than any useful one. For `conversation`.
//!
//! The interpreter counts steps and the bytes of texts, but not what a list holds that is added to itself: after some thirty times it fills
//! any memory, in a single step that nothing can stop but the end of the program.

use super::output::message;
use super::report;
use siskin::ErrorKind;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that this process may grow by. The steps that a template may take are worth 32 MiB of texts, and it may write 16 MiB.
const MEMORY: u64 = 64 << 20;
/// How long it may take; all steps that it may take are done in a fraction of a second.
const TIME: Duration = Duration::from_secs(30);
/// How often it is looked at.
const PAUSE: Duration = Duration::from_millis(5);

/// Runs `render`. If that takes too much, the program ends with a message and the exit code of a bad model file.
///
/// # Errors
///
/// If the system gives no thread to watch from.
pub fn within_limits<T>(render: impl FnOnce() -> T) -> io::Result<T> {
    let (before, (running, watched)) = (report::anonymous(), channel::<()>());
    thread::scope(|scope| {
        let watch = move || watch(before, &watched);
        thread::Builder::new().name("template".into()).spawn_scoped(scope, watch)?;
        let rendered = render();
        drop(running);
        Ok(rendered)
    })
}

/// Looks at this process, which had `before` bytes, until the other end of the channel is gone.
fn watch(before: Option<u64>, watched: &Receiver<()>) {
    let start = Instant::now();
    while watched.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
        let grown = before.zip(report::anonymous()).map_or(0, |(before, now)| now.saturating_sub(before));
        if let Some(excess) = excess(grown, start.elapsed()) {
            message(&format!(
                "error: chat template: more than {excess}. It may be damaged or hostile; try another with --chat-template FILE"
            ));
            std::process::exit(super::exit_code(ErrorKind::BadModel).into());
        }
    }
}

/// What is exceeded, for people.
fn excess(grown: u64, elapsed: Duration) -> Option<String> {
    if grown > MEMORY {
        return Some(format!("{} of memory", report::bytes(MEMORY)));
    }
    (elapsed > TIME).then(|| format!("{} seconds", TIME.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_named() {
        assert_eq!(excess(MEMORY, TIME), None);
        assert_eq!(excess(MEMORY + 1, TIME).as_deref(), Some("64.0 MiB of memory"));
        assert_eq!(excess(0, TIME * 2).as_deref(), Some("30 seconds"));
    }

    #[test]
    fn what_is_rendered_comes_back() {
        assert_eq!(within_limits(|| 7).expect("a thread"), 7);
    }
}
