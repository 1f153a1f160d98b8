//! The steps of the chain by name, and chains as lists of them. Called by options and the command line.

use super::Error;
use std::fmt;
use std::str::FromStr;

/// One step of the chain; what each does, and off at which setting, stands in the [module's table](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// Repetition, presence and frequency penalties.
    Penalties,
    /// DRY: a penalty for tokens that would go on with a sequence that was there before.
    Dry,
    /// top-n-sigma.
    TopNSigma,
    /// top-k.
    TopK,
    /// Locally typical.
    Typical,
    /// top-p, or nucleus.
    TopP,
    /// min-p.
    MinP,
    /// XTC: exclude top choices.
    Xtc,
    /// Temperature, fixed or dynamic.
    Temperature,
}

impl Step {
    /// Every step, in the order of the default chain, which is llama.cpp's.
    pub const ALL: [Step; 9] = [
        Step::Penalties,
        Step::Dry,
        Step::TopNSigma,
        Step::TopK,
        Step::Typical,
        Step::TopP,
        Step::MinP,
        Step::Xtc,
        Step::Temperature,
    ];

    /// The step's name in `--samplers` and for [observers](super::Observer).
    pub const fn name(self) -> &'static str {
        match self {
            Step::Penalties => "penalties",
            Step::Dry => "dry",
            Step::TopNSigma => "top_n_sigma",
            Step::TopK => "top_k",
            Step::Typical => "typical",
            Step::TopP => "top_p",
            Step::MinP => "min_p",
            Step::Xtc => "xtc",
            Step::Temperature => "temperature",
        }
    }

    /// Whether the step changes logits of single tokens: then it works without a random draw too.
    pub(super) const fn is_edit(self) -> bool {
        matches!(self, Step::Penalties | Step::Dry)
    }
}

/// The steps in the order in which they run, none of them twice. A step that is left out does not run, whatever its setting.
///
/// As text, names with `;` between them:
///
/// ```
/// use siskin::sample::{Chain, Step};
///
/// let chain: Chain = "top_k;temperature;min_p".parse()?;
/// assert_eq!(chain.steps(), [Step::TopK, Step::Temperature, Step::MinP]);
/// assert_eq!(
///     Chain::default().to_string(),
///     "penalties;dry;top_n_sigma;top_k;typical;top_p;min_p;xtc;temperature"
/// );
/// # Ok::<(), siskin::sample::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    /// Behind the last step the first of all, so that equal chains have equal bytes.
    steps: [Step; Step::ALL.len()],
    len: usize,
}

impl Chain {
    /// A chain of these steps.
    ///
    /// # Errors
    /// When a step is there twice.
    pub fn new(steps: &[Step]) -> Result<Chain, Error> {
        match steps.iter().enumerate().find(|(index, step)| steps[..*index].contains(step)) {
            Some((_, step)) => Err(Error::StepTwice { step: step.name() }),
            None => Ok(Chain::of(steps.iter().copied())),
        }
    }

    /// These steps, of which none is there twice.
    pub(super) fn of(steps: impl Iterator<Item = Step>) -> Chain {
        let mut chain = Chain { steps: [Step::Penalties; Step::ALL.len()], len: 0 };
        for (to, step) in chain.steps.iter_mut().zip(steps) {
            *to = step;
            chain.len += 1;
        }
        chain
    }

    /// The steps, first to last.
    pub fn steps(&self) -> &[Step] {
        &self.steps[..self.len]
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.steps()).finish()
    }
}

impl Default for Chain {
    /// [`Step::ALL`].
    fn default() -> Chain {
        Chain::of(Step::ALL.into_iter())
    }
}

impl FromStr for Chain {
    type Err = Error;

    /// Names with `;` between them; an empty text is the empty chain, which draws from the model's own distribution.
    fn from_str(text: &str) -> Result<Chain, Error> {
        let named = |name: &str| {
            let step = Step::ALL.into_iter().find(|step| step.name() == name);
            step.ok_or_else(|| Error::UnknownStep { found: name.to_owned() })
        };
        let names = text.split(';').map(str::trim).filter(|name| !name.is_empty());
        Chain::new(&names.map(named).collect::<Result<Vec<Step>, Error>>()?)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.steps().iter().map(|step| step.name()).collect();
        f.write_str(&names.join(";"))
    }
}
