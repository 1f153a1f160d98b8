//! Runs cases of a target and keeps what was worst: panics, time, memory.

use super::{Target, mutate};
use crate::meter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Which cases to run.
#[derive(Clone, Copy, Debug)]
pub struct Cases {
    /// Chooses the damage.
    pub seed: u64,
    /// Number of the first.
    pub first: u64,
    /// How many.
    pub count: u64,
}

/// What was worst.
#[derive(Debug, Default)]
pub struct Report {
    /// Cases that were run.
    pub cases: u64,
    /// The longest, and its number.
    pub slowest: (Duration, u64),
    /// The most bytes held at once, and the number of that case. 0 without [`meter::Counting`].
    pub most_memory: (usize, u64),
    /// Cases that went wrong.
    pub failures: Vec<Failure>,
}

/// A case that went wrong.
#[derive(Debug)]
pub struct Failure {
    /// Its number.
    pub number: u64,
    /// The input.
    pub input: Vec<u8>,
    /// What happened.
    pub reason: String,
}

/// Failures after which a run gives up.
const ENOUGH: usize = 10;

/// Which case is running since when, for a thread that looks after it.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    number: Arc<AtomicU64>,
    since: Arc<Mutex<Option<Instant>>>,
}

impl Watch {
    /// The number of the case that is running for longer than `limit`.
    pub fn overdue(&self, limit: Duration) -> Option<u64> {
        let since = *self.since.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        since.is_some_and(|since| since.elapsed() > limit).then(|| self.number.load(Ordering::Relaxed))
    }

    fn set(&self, number: u64, since: Option<Instant>) {
        self.number.store(number, Ordering::Relaxed);
        *self.since.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = since;
    }
}

/// Runs cases one after the other, in this thread.
pub fn run(target: &Target, cases: Cases, watch: &Watch) -> Report {
    let seeds = (target.seeds)();
    let mut report = Report::default();
    for number in cases.first..cases.first.saturating_add(cases.count) {
        let input = mutate::case(&seeds, target.words, cases.seed, number);
        let start = Instant::now();
        watch.set(number, Some(start));
        let outcome = attempt(target, input);
        let time = start.elapsed();
        watch.set(number, None);
        report.cases += 1;
        report.slowest = report.slowest.max((time, number));
        match outcome {
            Ok(memory) => report.most_memory = report.most_memory.max((memory, number)),
            Err(reason) => {
                let input = mutate::case(&seeds, target.words, cases.seed, number);
                report.failures.push(Failure { number, input, reason });
            }
        }
        if report.failures.len() >= ENOUGH {
            break;
        }
    }
    report
}

/// The most memory that the input took, or what it broke.
fn attempt(target: &Target, input: Vec<u8>) -> Result<usize, String> {
    let limit = (target.memory)(input.len());
    let (outcome, memory) = meter::peak(|| catch_unwind(AssertUnwindSafe(|| (target.run)(input))));
    match outcome {
        Err(panic) => Err(words(&*panic)),
        Ok(()) if memory > limit => Err(format!("{memory} bytes of memory, expected at most {limit}")),
        Ok(()) => Ok(memory),
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target that dislikes a byte.
    const TOUCHY: Target = Target {
        name: "touchy",
        run: |bytes| assert!(!bytes.contains(&b'!'), "found a mark"),
        seeds: || vec![b"sound".to_vec()],
        words: &["!"],
        memory: |_| 1 << 20,
    };

    #[test]
    fn what_goes_wrong_is_found_and_can_be_repeated() {
        let report = run(&TOUCHY, Cases { seed: 1, first: 0, count: 1000 }, &Watch::default());
        let failure = report.failures.first().expect("a failure");
        assert!(failure.input.contains(&b'!') && failure.reason.contains("found a mark"), "{failure:?}");
        let again = run(&TOUCHY, Cases { seed: 1, first: failure.number, count: 1 }, &Watch::default());
        assert_eq!(again.failures[0].input, failure.input);
        assert_eq!(report.failures.len(), ENOUGH);
    }

    #[test]
    fn a_watch_knows_what_is_overdue() {
        let watch = Watch::default();
        assert_eq!(watch.overdue(Duration::ZERO), None);
        watch.set(7, Some(Instant::now() - Duration::from_secs(2)));
        assert_eq!(
            (watch.overdue(Duration::from_secs(1)), watch.overdue(Duration::from_secs(60))),
            (Some(7), None)
        );
    }
}
