//! A session as an iterator.

use super::{Error, Session};
use crate::sample;
use crate::stop::Reason;

impl<'m> Session<'m> {
    /// The steps that are left, as an iterator: it ends after the step that says why generation stops, or after an error.
    ///
    /// ```
    /// # fn main() -> Result<(), siskin::Error> {
    /// let model = siskin::Model::builtin()?;
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
