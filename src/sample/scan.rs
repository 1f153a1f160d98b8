//! The first look at the logits of a position: are they usable, and which is the largest? Called by the sampler.

use super::Error;
use siskin_simd::{Work, widest};

/// Lanes that are scanned side by side: two of the widest vector registers.
const LANES: usize = 32;

/// The largest logit.
///
/// # Errors
/// [`Error::NotANumber`] or [`Error::Infinite`] for the lowest token id whose logit is NaN or +inf;
/// [`Error::NothingFinite`] when every logit is -inf.
pub(super) fn peak(logits: &[f32], position: u64) -> Result<f32, Error> {
    let (peak, usable) = widest(Largest(logits));
    if !usable {
        return Err(first_unusable(logits, position));
    }
    if peak == f32::NEG_INFINITY {
        return Err(Error::NothingFinite { position, tokens: logits.len() });
    }
    Ok(peak)
}

/// The search for the largest logit; also tells whether all of them are below +inf (which no NaN is).
struct Largest<'a>(&'a [f32]);

impl Work for Largest<'_> {
    type Output = (f32, bool);

    #[inline(always)]
    fn run(self) -> (f32, bool) {
        let mut peaks = [f32::NEG_INFINITY; LANES];
        let mut usable = [true; LANES];
        let (chunks, rest) = self.0.as_chunks::<LANES>();
        for chunk in chunks {
            let chunk = *chunk;
            (0..LANES).for_each(|lane| {
                peaks[lane] = if chunk[lane] > peaks[lane] { chunk[lane] } else { peaks[lane] };
                usable[lane] &= chunk[lane] < f32::INFINITY;
            });
        }
        let peak = peaks.iter().chain(rest).fold(f32::NEG_INFINITY, |peak, &logit| peak.max(logit));
        (peak, usable == [true; LANES] && rest.iter().all(|logit| *logit < f32::INFINITY))
    }
}

#[cold]
fn first_unusable(logits: &[f32], position: u64) -> Error {
    let unusable = |logit: &f32| logit.is_nan() || *logit == f32::INFINITY;
    let token = logits.iter().position(unusable).unwrap_or_default();
    let is_nan = logits.get(token).is_some_and(|logit| logit.is_nan());
    let token = token as u32;
    if is_nan { Error::NotANumber { position, token } } else { Error::Infinite { position, token } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_logit() -> impl Strategy<Value = f32> {
        prop_oneof![
            20 => -30.0f32..30.0,
            1 => Just(f32::NEG_INFINITY),
            1 => Just(-0.0),
            1 => Just(f32::MAX),
        ]
    }

    proptest! {
        #[test]
        fn peak_is_the_maximum(logits in prop::collection::vec(any_logit(), 1..100)) {
            let expected = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            match peak(&logits, 0) {
                Ok(found) => prop_assert_eq!(found, expected),
                Err(error) => {
                    prop_assert_eq!(expected, f32::NEG_INFINITY);
                    prop_assert_eq!(error, Error::NothingFinite { position: 0, tokens: logits.len() });
                }
            }
        }

        #[test]
        fn the_lowest_bad_token_is_named(
            mut logits in prop::collection::vec(any_logit(), 1..100),
            first in any::<prop::sample::Index>(),
            second in any::<prop::sample::Index>(),
            nan in any::<bool>(),
        ) {
            let first = first.index(logits.len());
            let second = first + second.index(logits.len() - first);
            logits[second] = f32::NAN;
            logits[first] = if nan { f32::NAN } else { f32::INFINITY };
            let token = first as u32;
            let expected =
                if nan { Error::NotANumber { position: 9, token } } else { Error::Infinite { position: 9, token } };
            prop_assert_eq!(peak(&logits, 9), Err(expected));
        }
    }
}
