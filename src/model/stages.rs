//! How long the stages of a pass take, for programs that show where time goes. Kept by the decoder.

use std::time::{Duration, Instant};

/// Time of each stage, of all passes since [`Decoder::time_stages`](super::Decoder::time_stages).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Passes that were timed.
    pub passes: u32,
    /// Looking up the vectors of tokens.
    pub embedding: Duration,
    /// Attention of all layers, or what they have in its place, with its norms.
    pub attention: Duration,
    /// Feed-forward parts of all layers, with their norms.
    pub feed_forward: Duration,
    /// The last norm and the output projection.
    pub output: Duration,
}

impl StageTimes {
    /// What came since `earlier`.
    pub fn since(self, earlier: StageTimes) -> StageTimes {
        StageTimes {
            passes: self.passes.saturating_sub(earlier.passes),
            embedding: self.embedding.saturating_sub(earlier.embedding),
            attention: self.attention.saturating_sub(earlier.attention),
            feed_forward: self.feed_forward.saturating_sub(earlier.feed_forward),
            output: self.output.saturating_sub(earlier.output),
        }
    }
}

/// Takes the times, once it is switched on.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    times: Option<StageTimes>,
    /// When the stage that is under way began.
    began: Option<Instant>,
}

impl Stopwatch {
    pub fn switch_on(&mut self) {
        self.times = Some(StageTimes::default());
    }

    pub fn times(&self) -> Option<StageTimes> {
        self.times
    }

    /// A pass begins, with its first stage.
    pub fn start_pass(&mut self) {
        if let Some(times) = &mut self.times {
            times.passes += 1;
        }
        self.start();
    }

    /// A stage begins.
    pub fn start(&mut self) {
        self.began = self.times.map(|_| Instant::now());
    }

    /// The stage under way ends, and the next begins.
    pub fn lap(&mut self, stage: fn(&mut StageTimes) -> &mut Duration) {
        if let (Some(times), Some(began)) = (&mut self.times, self.began) {
            let now = Instant::now();
            *stage(times) += now - began;
            self.began = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopwatch_runs_when_it_is_on() {
        let mut watch = Stopwatch::default();
        watch.start();
        watch.lap(|times| &mut times.output);
        assert_eq!(watch.times(), None);
        watch.switch_on();
        watch.start();
        std::thread::sleep(Duration::from_millis(2));
        watch.lap(|times| &mut times.attention);
        let first = watch.times().unwrap();
        assert!(first.attention >= Duration::from_millis(2) && first.output.is_zero(), "{first:?}");
        watch.lap(|times| &mut times.output);
        let later = watch.times().unwrap().since(first);
        assert!(later.attention.is_zero() && !later.output.is_zero(), "{later:?}");
    }
}
