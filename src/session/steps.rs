//! A session as an iterator.

use super::{Error, Session};
use crate::sample;
use crate::stop::Reason;
use crate::tokenizer::TokenId;
use std::fmt;

impl<'m> Session<'m> {
    /// The steps that are left, as an iterator: it ends after the step that says why generation stops, or after an error.
    ///
    /// ```
    /// # fn main() -> Result<(), siskin::Error> {
    /// let model = siskin::Model::open("models/builtin.gguf")?;
    /// let mut options = siskin::session::Options::default();
    /// options.max_tokens = 12;
    /// let mut session = model.session("Once upon a time", &options)?;
    /// for token in session.steps() {
    ///     let token = token?;
    ///     print!("{}", token.text);
    ///     if let Some(reason) = token.stop {
    ///         println!("\nstopped: {reason}");
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn steps(&mut self) -> Steps<'_, 'm> {
        Steps { session: self, is_over: false }
    }

    /// All steps that are left, and the text of them; [`Session::ended`] then says why it ended there.
    ///
    /// ```
    /// # fn main() -> Result<(), siskin::Error> {
    /// let model = siskin::Model::open("models/builtin.gguf")?;
    /// let options = siskin::session::Options { max_tokens: 12, ..Default::default() };
    /// let mut session = model.session("Once upon a time", &options)?;
    /// println!("{} ({:?})", session.generate()?, session.ended());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Session::step`]. What was generated before is lost then: whoever wants it takes the [steps](Session::steps).
    pub fn generate(&mut self) -> Result<String, Error> {
        let mut text = String::new();
        loop {
            let step = self.step(None)?;
            text.push_str(step.text);
            if step.stop.is_some() {
                return Ok(text);
            }
        }
    }

    /// Reads another prompt, usually the last one with its answer and more behind them, and stands ready to go on with it: [`Session::resume`] and
    /// [`Session::prefill`] in one. Returns how many tokens of it were kept from before.
    ///
    /// ```
    /// # fn main() -> Result<(), siskin::Error> {
    /// let model = siskin::Model::open("models/builtin.gguf")?;
    /// let options = siskin::session::Options { max_tokens: 8, ..Default::default() };
    /// let mut session = model.conversation(100, &options)?;
    /// let mut text = "The cat sat on the".to_owned();
    /// session.read(&model.encode(&text))?;
    /// text += &session.generate()?;
    /// text += " One day, a dog";
    /// let kept = session.read(&model.encode(&text))?;
    /// assert!(kept >= 5);
    /// println!("{text}{}", session.generate()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Session::resume`]: for a prompt that has become too long, [`Error::PromptTooLong`]. Then nothing has changed.
    pub fn read(&mut self, prompt: &[TokenId]) -> Result<usize, Error> {
        let kept = self.resume(prompt)?;
        self.prefill(prompt, |_| {}, None)?;
        Ok(kept)
    }
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("tokens", &self.seen.end())
            .field("ended", &self.ended)
            .field("plan", &self.plan)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

/// One generated token, with its text: a [`Step`](super::Step) that owns what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The token; `None` when generation ended before one was chosen.
    pub choice: Option<sample::Choice>,
    /// Text that is now certain to be part of the answer; whole characters, often empty or of several tokens.
    pub text: String,
    /// Why this was the last one, if it was.
    pub stop: Option<Reason>,
}

/// The steps of a session, one at a time; see [`Session::steps`].
#[derive(Debug)]
#[must_use = "nothing is generated until it is asked for the next step"]
pub struct Steps<'s, 'm> {
    session: &'s mut Session<'m>,
    is_over: bool,
}

impl Iterator for Steps<'_, '_> {
    type Item = Result<Generated, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let step = self.session.step(None).map(|step| Generated {
            choice: step.choice,
            text: step.text.to_owned(),
            stop: step.stop.cloned(),
        });
        self.is_over = step.as_ref().map_or(true, |token| token.stop.is_some());
        Some(step)
    }
}
