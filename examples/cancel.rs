//! Ends a generation from another thread: `cargo run --release --example cancel`.

use siskin::stop::Reason;
use siskin::{Model, session::Options};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::builtin()?;
    let cancelled = Arc::new(AtomicBool::new(false));
    let options = Options {
        max_tokens: 400,
        ignore_eos: true,
        cancelled: Some(cancelled.clone()),
        ..Options::default()
    };
    let mut session = model.session("Once upon a time", &options)?;

    let timer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(5));
        cancelled.store(true, Ordering::Relaxed);
    });
    let tokens: Vec<_> = session.steps().collect::<Result<_, _>>()?;
    timer.join().map_err(|_| "the timer failed")?;
    let text: String = tokens.iter().map(|token| &*token.text).collect();
    match session.ended() {
        Some(Reason::Cancelled) => println!("{text}\n[cancelled after {} tokens]", tokens.len()),
        reason => println!("{text}\n[ended by itself: {reason:?}]"),
    }
    Ok(())
}
