//! Which values of the sampler's options make sense. Called when a sampler is made.

use super::{Dry, Dynamic, Error, Mirostat, Options, Penalties, Xtc};

impl Options {
    /// # Errors
    /// When a setting is out of its range.
    pub(super) fn check(&self, vocab: usize) -> Result<(), Error> {
        self.check_filters()?;
        self.check_edits(vocab)?;
        if let Some(Mirostat { tau, eta, .. }) = self.mirostat {
            positive("mirostat tau", tau, "Try 5")?;
            positive("mirostat eta", eta, "Try 0.1")?;
        }
        positive("dynamic temperature exponent", self.dynamic.exponent, "Try 1")
    }

    fn check_filters(&self) -> Result<(), Error> {
        let Options { temperature, top_p, min_p, typical, top_n_sigma, .. } = *self;
        if !(temperature >= 0.0 && temperature.is_finite()) {
            return Err(Error::Temperature { found: temperature });
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(Error::TopP { found: top_p });
        }
        if !(0.0..1.0).contains(&min_p) {
            return Err(Error::MinP { found: min_p });
        }
        share("typical", typical, "Try 0.95, or 1 to turn it off")?;
        not_negative("top-n-sigma", top_n_sigma, "Try 1, or 0 to turn it off")?;
        let (Xtc { probability, threshold }, Dynamic { range, .. }) = (self.xtc, self.dynamic);
        let (in_range, hint) = ((0.0..=1.0).contains(&probability), "Try 0.5, or 0 to turn it off");
        require(in_range, "xtc probability", probability, "a number from 0 to 1", hint)?;
        share("xtc threshold", threshold, "Try 0.1")?;
        not_negative("dynamic temperature range", range, "Try 0.5, or 0 to turn it off")
    }

    fn check_edits(&self, vocab: usize) -> Result<(), Error> {
        for &(token, found) in &self.logit_bias {
            if token as usize >= vocab {
                return Err(Error::BiasToken { token, tokens: vocab });
            }
            if found.is_nan() || found == f32::INFINITY {
                return Err(Error::Bias { token, found });
            }
        }
        let Penalties { repeat, presence, frequency, .. } = self.penalties;
        positive("repetition penalty", repeat, "Try 1.1, or 1 to turn it off")?;
        finite("presence penalty", presence, "Try 0 to turn it off")?;
        finite("frequency penalty", frequency, "Try 0 to turn it off")?;
        let Dry { multiplier, base, allowed_length, .. } = self.dry;
        not_negative("dry multiplier", multiplier, "Try 0.8, or 0 to turn it off")?;
        let in_range = base >= 1.0 && base.is_finite();
        require(in_range, "dry base", base, "a finite number of at least 1", "Try 1.75")?;
        require(allowed_length > 0, "dry allowed length", 0.0, "at least 1 token", "Try 2")
    }
}

fn finite(name: &'static str, found: f32, hint: &'static str) -> Result<(), Error> {
    require(found.is_finite(), name, found, "a finite number", hint)
}

fn positive(name: &'static str, found: f32, hint: &'static str) -> Result<(), Error> {
    require(found > 0.0 && found.is_finite(), name, found, "a finite number above 0", hint)
}

fn not_negative(name: &'static str, found: f32, hint: &'static str) -> Result<(), Error> {
    require(found >= 0.0 && found.is_finite(), name, found, "a finite number of at least 0", hint)
}

/// A part of the whole.
fn share(name: &'static str, found: f32, hint: &'static str) -> Result<(), Error> {
    require(found > 0.0 && found <= 1.0, name, found, "a number above 0 and at most 1", hint)
}

fn require(
    holds: bool,
    name: &'static str,
    found: f32,
    expected: &'static str,
    hint: &'static str,
) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Setting { name, found, expected, hint }) }
}
