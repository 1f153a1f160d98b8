//! Stopping after a time.

use super::{Before, Condition, Hit, Reason, Token};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What tells the time: by default the system's monotonic clock, in tests whatever they want.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

impl Clock {
    /// A clock that is read by calling `now`: the time since some fixed moment. It must not go back.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now))
    }

    fn now(&self) -> Duration {
        (self.0)()
    }
}

/// The system's monotonic clock.
impl Default for Clock {
    fn default() -> Clock {
        let start = Instant::now();
        Clock::new(move || start.elapsed())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Stops when a time is over, counted from when it is first asked: before the first token, behind the prompt.
///
/// The clock is read between tokens, so that a generation may take longer by one token; what was generated is printed.
#[derive(Debug, Clone)]
pub struct TimeLimit {
    limit: Duration,
    clock: Clock,
    start: Option<Duration>,
    elapsed: Duration,
}

impl TimeLimit {
    /// A condition for `limit` by `clock`. A limit of 0 ends the generation before the first token.
    pub fn new(limit: Duration, clock: Clock) -> TimeLimit {
        TimeLimit { limit, clock, start: None, elapsed: Duration::ZERO }
    }

    fn is_over(&mut self) -> bool {
        let now = self.clock.now();
        let start = *self.start.get_or_insert(now);
        self.elapsed = now.saturating_sub(start);
        self.elapsed >= self.limit
    }
}

impl Condition for TimeLimit {
    fn name(&self) -> &'static str {
        "time"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        let holds = self.is_over() && before.armed;
        holds.then(|| Hit::after(token, before, Reason::Time { limit: self.limit }))
    }

    fn between(&mut self, before: &Before) -> Option<Reason> {
        let holds = self.is_over() && before.armed;
        holds.then_some(Reason::Time { limit: self.limit })
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s of {} s", self.elapsed.as_secs_f64(), self.limit.as_secs_f64())
    }
}
