//! Penalties for tokens that were there before: repetition, presence, frequency. Called by the chain.
//!
//! Time is that of sorting the window; the vocabulary is not looked at.

use super::edits::Touched;
use super::options::Penalties;

/// The last `last_n` tokens of a history.
pub(super) fn window(history: &[u32], last_n: u32) -> &[u32] {
    &history[history.len().saturating_sub(last_n as usize)..]
}

/// Counts how often each token is in the window.
pub(super) fn count(touched: &mut Touched, window: &[u32]) {
    touched.list.clear();
    touched.list.extend(window.iter().map(|&token| (token, 1.0)));
    touched.settle(|kept, later| *kept += later);
}

impl Penalties {
    /// The logit of a token that was there `count` times, of logits that are to be divided by `temperature`:
    /// `(x > 0 ? x / repeat : x * repeat) - presence - count * frequency`.
    ///
    /// Repetition: N. S. Keskar et al., "CTRL: a conditional transformer language model for controllable generation", 2019,
    /// arXiv:1909.05858, section 4.1, which divides all; that negative logits are multiplied instead is the custom since, because a
    /// division would make those likelier. Presence and frequency: OpenAI's API reference.
    pub(super) fn apply(self, logit: f32, count: f32, temperature: f64) -> f32 {
        let (logit, repeat) = (f64::from(logit), f64::from(self.repeat));
        let repeated = if logit > 0.0 { logit / repeat } else { logit * repeat };
        let subtracted = f64::from(self.presence) + f64::from(count) * f64::from(self.frequency);
        (repeated - subtracted * temperature) as f32
    }
}
