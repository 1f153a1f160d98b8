//! What a stop condition is: the trait, and what passes between conditions and [`Stops`](super::Stops).

use super::Reason;
use std::any::Any;
use std::fmt;

/// A generated token, as conditions see it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Token<'a> {
    /// Its id.
    pub id: u32,
    /// Whether it is an end-of-generation token of the model.
    pub is_eog: bool,
    /// The bytes it adds to the text; may end inside a character.
    pub piece: &'a [u8],
    /// Natural log of its probability, by the softmax over all logits; `None` where nobody asked for it ([`Needs`]).
    pub logprob: Option<f32>,
    /// Entropy of that softmax in nats; `None` where nobody asked for it.
    pub entropy: Option<f32>,
}

impl<'a> Token<'a> {
    /// A token of which only text matters.
    pub fn new(id: u32, piece: &'a [u8]) -> Token<'a> {
        Token { id, piece, ..Token::default() }
    }

    /// Its probability, in `[0, 1]`, if known.
    pub fn probability(&self) -> Option<f32> {
        self.logprob.map(f32::exp)
    }
}

/// What came before a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Before {
    /// Tokens generated before it.
    pub tokens: usize,
    /// Bytes of text generated before it: the offset of its first byte.
    pub bytes: usize,
    /// Whether a hit would end the generation. Below the minimum of tokens it would not: a condition then only keeps count, and
    /// returns nothing. What it returns all the same is dropped.
    pub armed: bool,
}

impl Before {
    /// Offset behind the last byte of `token`.
    pub fn end(&self, token: &Token<'_>) -> usize {
        self.bytes + token.piece.len()
    }
}

/// A condition that holds. Offsets are bytes of the generated text, from 0, with `from <= to <= at`.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// How many bytes of text it took to know.
    pub at: usize,
    /// Where the printed text ends.
    pub from: usize,
    /// Where it ends if the stop text is to be printed too.
    pub to: usize,
    /// Why.
    pub reason: Reason,
}

impl Hit {
    /// A hit after which the token is printed in full.
    pub fn after(token: &Token<'_>, before: &Before, reason: Reason) -> Hit {
        let end = before.end(token);
        Hit { at: end, from: end, to: end, reason }
    }

    /// A hit whose token is the stop text: it is removed.
    pub fn without(token: &Token<'_>, before: &Before, reason: Reason) -> Hit {
        Hit { from: before.bytes, ..Hit::after(token, before, reason) }
    }

    /// Whether this one wins over `other`: it is complete at an earlier byte, or at the same byte and removes more.
    pub(super) fn beats(&self, other: &Hit) -> bool {
        (self.at, self.from) < (other.at, other.from)
    }
}

/// What a condition says of bytes that may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreseen {
    /// It would hold after so many of them, or sooner.
    After(usize),
    /// It would not hold.
    No,
    /// That depends on more than the bytes.
    Unknown,
}

impl Foreseen {
    /// After how many bytes it certainly holds.
    pub fn after(self) -> Option<usize> {
        match self {
            Foreseen::After(bytes) => Some(bytes),
            Foreseen::No | Foreseen::Unknown => None,
        }
    }
}

/// After so many bytes, or not.
impl From<Option<usize>> for Foreseen {
    fn from(after: Option<usize>) -> Foreseen {
        after.map_or(Foreseen::No, Foreseen::After)
    }
}

/// When a hit would be too late beside other conditions: because the text ends before it, or because it does not count any more.
#[derive(Clone, Copy)]
pub struct TooLate<'a> {
    /// After how many of the bytes that it is given.
    pub after: &'a dyn Fn(&[u8]) -> Option<usize>,
    /// After how many bytes, whatever they are.
    pub always: Option<usize>,
}

/// What conditions want to know of each token, beyond its id and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// [`Token::logprob`].
    pub logprob: bool,
    /// [`Token::entropy`]; it costs a pass over the vocabulary.
    pub entropy: bool,
}

impl Needs {
    /// What either wants.
    pub fn or(self, other: Needs) -> Needs {
        Needs { logprob: self.logprob || other.logprob, entropy: self.entropy || other.entropy }
    }
}

/// Something that can end a generation.
///
/// A condition sees every generated token once, in order, until it returns a hit. It must not look at text in another way than byte by
/// byte: tokens cut text anywhere. [`when`](super::when) makes one of a closure, [`any`](super::any) and [`all`](super::all) one of
/// several.
///
/// ```
/// use siskin::stop::{Before, Condition, Hit, Needs, Reason, Rules, Options, Stops, Token};
/// use std::fmt;
///
/// /// Stops before the second question mark.
/// #[derive(Clone, Default)]
/// struct Questions(usize);
///
/// impl Condition for Questions {
///     fn name(&self) -> &'static str {
///         "questions"
///     }
///     fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
///         for (i, _) in token.piece.iter().enumerate().filter(|(_, byte)| **byte == b'?') {
///             self.0 += 1;
///             if self.0 >= 2 && before.armed {
///                 let from = before.bytes + i;
///                 let reason = Reason::Custom { text: "two questions".to_string() };
///                 return Some(Hit { at: from + 1, from, to: from + 1, reason });
///             }
///         }
///         None
///     }
///     fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         write!(f, "{} of 2", self.0)
///     }
/// }
///
/// let mut options = Options::default();
/// options.rules.also.push(Box::new(Questions::default()));
/// let mut stops = Stops::new(options)?;
/// let mut out = Vec::new();
/// assert_eq!(stops.step(&Token::new(5, b"Who? Wh"), &mut out), None);
/// let reason = stops.step(&Token::new(6, b"y? Oh"), &mut out);
/// assert_eq!((reason.unwrap().name(), out.as_slice()), ("custom", b"Who? Why".as_slice()));
/// # Ok::<(), siskin::stop::Error>(())
/// ```
pub trait Condition: Duplicate + Send + Sync {
    /// One word for it.
    fn name(&self) -> &'static str;

    /// Takes the next token. `Some` when the condition holds after it, or after one of its bytes.
    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit>;

    /// How many of the last bytes seen a later hit may remove: they are held back. `keep_stop` says that a hit will remove only what
    /// is behind [`Hit::to`]. A hit never removes what was not held.
    fn hold(&self, keep_stop: bool) -> usize {
        let _ = keep_stop;
        0
    }

    /// Whether it would hold if these bytes came next, in any tokens. Only asked where a hit would end the generation, or count for
    /// [`all`](super::all).
    fn foresee(&self, next: &[u8], before: &Before) -> Foreseen {
        let _ = (next, before);
        Foreseen::Unknown
    }

    /// After how many bytes it holds at the latest, whatever they are. Asked where [`foresee`](Self::foresee) is.
    fn within(&self, before: &Before) -> Option<usize> {
        let _ = before;
        None
    }

    /// As [`hold`](Self::hold), beside other conditions: what can only be removed when it is `too_late` need not be held.
    fn hold_beside(&self, keep_stop: bool, before: &Before, too_late: &TooLate<'_>) -> usize {
        let _ = (before, too_late);
        self.hold(keep_stop)
    }

    /// Asked between tokens, also before the first: a reason to generate no other one. `before` is what came before the next.
    fn between(&mut self, before: &Before) -> Option<Reason> {
        let _ = before;
        None
    }

    /// What it wants to know of each token.
    fn needs(&self) -> Needs {
        Needs::default()
    }

    /// Bytes that a copy of it allocates beside itself, so that plans of searches, which follow many continuations with a copy for each, have them. What
    /// is shared between copies does not count.
    fn owned_bytes(&self) -> usize {
        0
    }

    /// What it has seen so far, in a few words such as `1 of 2`.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// Copies of a condition with all it has seen; every `Clone` condition has it.
pub trait Duplicate: Any {
    /// A copy that goes its own way.
    fn duplicate(&self) -> Box<dyn Condition>;

    /// Becomes a copy of another condition, by [`Clone::clone_from`], if that is of the same type; whether it is.
    fn copy_from(&mut self, other: &dyn Condition) -> bool;
}

impl<T: Condition + Clone + 'static> Duplicate for T {
    fn duplicate(&self) -> Box<dyn Condition> {
        Box::new(self.clone())
    }

    fn copy_from(&mut self, other: &dyn Condition) -> bool {
        let other: Option<&T> = (other as &dyn Any).downcast_ref();
        other.map(|other| self.clone_from(other)).is_some()
    }
}

impl Clone for Box<dyn Condition> {
    fn clone(&self) -> Box<dyn Condition> {
        // On the condition itself: the box is no `Condition`.
        (**self).duplicate()
    }

    /// In the memory that is there, if both are of one type.
    fn clone_from(&mut self, other: &Box<dyn Condition>) {
        if !(**self).copy_from(&**other) {
            *self = other.clone();
        }
    }
}

/// Bytes that a copy allocates of a condition in a list with entries of type `E`.
pub(super) fn listed_bytes<E>(condition: &dyn Condition) -> usize {
    size_of::<E>() + size_of_val(condition) + condition.owned_bytes()
}

impl fmt::Debug for dyn Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name(), Described(self))
    }
}

/// Shows what a condition has seen.
pub(super) struct Described<'a>(pub(super) &'a dyn Condition);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe(f)
    }
}
