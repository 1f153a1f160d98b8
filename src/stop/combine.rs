//! Conditions made of conditions, and of closures.

use super::condition::{Described, listed_bytes};
use super::{Before, Condition, Foreseen, Hit, Needs, Reason, Token, TooLate};
use std::fmt;

/// A condition that holds when the first of several does; [`Stops`](super::Stops) keeps its own conditions in one.
///
/// After one token the hit is that which is complete at the earliest byte; of these the one that removes most; of these the one given
/// first.
pub fn any(conditions: impl IntoIterator<Item = Box<dyn Condition>>) -> Any {
    Any { conditions: conditions.into_iter().collect() }
}

/// A condition that holds once each of several has held, at the same time or one after the other.
///
/// The text ends where the last of them ends it, and the reason is that one's: of those that hold after the same token, the one that is complete at
/// the latest byte; of these the one that removes most; of these the one given first. A condition that has held is not asked again. All of none
/// never holds.
///
/// ```
/// use siskin::stop::{MaxTokens, Options, Reason, Sentences, Stops, Token, all};
///
/// // At least three tokens and at least one sentence.
/// let mut options = Options::default();
/// let both = all([Box::new(MaxTokens::new(3)?) as _, Box::new(Sentences::new(1)?) as _]);
/// options.rules.also.push(Box::new(both));
/// let mut stops = Stops::new(options)?;
/// let mut out = Vec::new();
/// assert_eq!(stops.step(&Token::new(1, b"Ah."), &mut out), None);
/// assert_eq!(stops.step(&Token::new(2, b" Good"), &mut out), None);
/// assert_eq!(stops.step(&Token::new(3, b" day"), &mut out), Some(Reason::MaxTokens { n: 3 }));
/// assert_eq!(out, b"Ah. Good day");
/// # Ok::<(), siskin::stop::Error>(())
/// ```
pub fn all(conditions: impl IntoIterator<Item = Box<dyn Condition>>) -> All {
    All { conditions: conditions.into_iter().map(|condition| (condition, false)).collect() }
}

/// A condition of a closure that is given each token, and what came before it, and says whether to stop after it.
///
/// The token is printed. The reason is [`Reason::Custom`] with `name` for its text.
///
/// ```
/// use siskin::stop::{Options, Reason, Stops, Token, when};
///
/// let mut options = Options::default();
/// options.rules.also.push(Box::new(when("token 7", |token, _| token.id == 7)));
/// let mut stops = Stops::new(options)?;
/// let reason = stops.step(&Token::new(7, b"!"), &mut Vec::new());
/// assert_eq!(reason, Some(Reason::Custom { text: "token 7".to_string() }));
/// # Ok::<(), siskin::stop::Error>(())
/// ```
pub fn when<F>(name: &'static str, holds: F) -> When<F>
where
    F: FnMut(&Token<'_>, &Before) -> bool + Clone + Send + Sync,
{
    When { name, holds }
}

/// See [`any`].
#[derive(Debug, Default)]
pub struct Any {
    conditions: Vec<Box<dyn Condition>>,
}

impl Clone for Any {
    fn clone(&self) -> Any {
        Any { conditions: self.conditions.clone() }
    }

    fn clone_from(&mut self, other: &Any) {
        self.conditions.clone_from(&other.conditions);
    }
}

impl Any {
    /// The conditions, in the order given.
    pub fn conditions(&self) -> impl ExactSizeIterator<Item = &dyn Condition> {
        self.conditions.iter().map(|condition| &**condition)
    }

    /// How many of the last bytes a hit after `before` may remove.
    pub(super) fn hold_after(&self, keep_stop: bool, before: &Before) -> usize {
        // Below the minimum of tokens, none ends the generation before another one.
        if !before.armed {
            return self.hold(keep_stop);
        }
        let after = |next: &[u8]| self.foresee(next, before).after();
        self.hold_beside(keep_stop, before, &TooLate { after: &after, always: self.within(before) })
    }
}

impl Condition for Any {
    fn name(&self) -> &'static str {
        "any"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        let hits = self.conditions.iter_mut().filter_map(|condition| condition.see(token, before));
        hits.reduce(|best, hit| if hit.beats(&best) { hit } else { best })
    }

    fn hold(&self, keep_stop: bool) -> usize {
        self.conditions.iter().map(|condition| condition.hold(keep_stop)).max().unwrap_or(0)
    }

    fn foresee(&self, next: &[u8], before: &Before) -> Foreseen {
        let each = || self.conditions.iter().map(|condition| condition.foresee(next, before));
        match each().filter_map(Foreseen::after).min() {
            None if each().any(|seen| seen == Foreseen::Unknown) => Foreseen::Unknown,
            first => first.into(),
        }
    }

    fn within(&self, before: &Before) -> Option<usize> {
        self.conditions.iter().filter_map(|condition| condition.within(before)).min()
    }

    fn hold_beside(&self, keep_stop: bool, before: &Before, too_late: &TooLate<'_>) -> usize {
        let each = self.conditions.iter();
        each.map(|condition| condition.hold_beside(keep_stop, before, too_late)).max().unwrap_or(0)
    }

    fn between(&mut self, before: &Before) -> Option<Reason> {
        self.conditions.iter_mut().find_map(|condition| condition.between(before))
    }

    fn needs(&self) -> Needs {
        self.conditions.iter().fold(Needs::default(), |needs, condition| needs.or(condition.needs()))
    }

    fn owned_bytes(&self) -> usize {
        self.conditions().map(listed_bytes::<Box<dyn Condition>>).sum()
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for condition in &self.conditions {
            write!(f, "{separator}{} {}", condition.name(), Described(&**condition))?;
            separator = "; ";
        }
        Ok(())
    }
}

/// See [`all`].
#[derive(Debug)]
pub struct All {
    /// Each with whether it has held.
    conditions: Vec<(Box<dyn Condition>, bool)>,
}

impl Clone for All {
    fn clone(&self) -> All {
        All { conditions: self.conditions.clone() }
    }

    fn clone_from(&mut self, other: &All) {
        if self.conditions.len() != other.conditions.len() {
            return *self = other.clone();
        }
        for ((condition, held), (from, has_held)) in self.conditions.iter_mut().zip(&other.conditions) {
            condition.clone_from(from);
            *held = *has_held;
        }
    }
}

impl All {
    fn waiting(&self) -> impl Iterator<Item = &dyn Condition> {
        self.conditions.iter().filter(|(_, held)| !held).map(|(condition, _)| &**condition)
    }
}

impl Condition for All {
    fn name(&self) -> &'static str {
        "all"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        let mut last: Option<Hit> = None;
        for (condition, held) in self.conditions.iter_mut().filter(|(_, held)| !held) {
            let Some(hit) = condition.see(token, before).filter(|_| before.armed) else { continue };
            *held = true;
            let later = |last: &Hit| (hit.at, last.from) > (last.at, hit.from);
            if last.as_ref().is_none_or(later) {
                last = Some(hit);
            }
        }
        if self.waiting().next().is_none() { last } else { None }
    }

    fn hold(&self, keep_stop: bool) -> usize {
        self.waiting().map(|condition| condition.hold(keep_stop)).max().unwrap_or(0)
    }

    fn foresee(&self, next: &[u8], before: &Before) -> Foreseen {
        let each = || self.waiting().map(|condition| condition.foresee(next, before));
        if each().any(|seen| seen == Foreseen::No) {
            return Foreseen::No;
        }
        let last = each().map(Foreseen::after).try_fold(0, |last, after| Some(last.max(after?)));
        last.map_or(Foreseen::Unknown, Foreseen::After)
    }

    fn within(&self, before: &Before) -> Option<usize> {
        let each = self.waiting().map(|condition| condition.within(before));
        each.reduce(|last, within| Some(last?.max(within?))).flatten()
    }

    /// The last of them ends the text. So it is too late for one that has held before, and none counts while another certainly does not hold.
    fn hold_beside(&self, keep_stop: bool, before: &Before, too_late: &TooLate<'_>) -> usize {
        let holds = self.waiting().map(|condition| {
            let after = |next: &[u8]| match self.foresee(next, before) {
                Foreseen::No => Some(0),
                Foreseen::After(_) | Foreseen::Unknown => {
                    (too_late.after)(next).into_iter().chain(condition.foresee(next, before).after()).min()
                }
            };
            let always = too_late.always.into_iter().chain(condition.within(before)).min();
            condition.hold_beside(keep_stop, before, &TooLate { after: &after, always })
        });
        holds.max().unwrap_or(0)
    }

    fn between(&mut self, before: &Before) -> Option<Reason> {
        let mut last = None;
        for (condition, held) in self.conditions.iter_mut().filter(|(_, held)| !held) {
            if let Some(reason) = condition.between(before).filter(|_| before.armed) {
                *held = true;
                last = Some(reason);
            }
        }
        if self.waiting().next().is_none() { last } else { None }
    }

    fn needs(&self) -> Needs {
        self.waiting().fold(Needs::default(), |needs, condition| needs.or(condition.needs()))
    }

    fn owned_bytes(&self) -> usize {
        let bytes = |(condition, _): &(Box<dyn Condition>, _)| {
            listed_bytes::<(Box<dyn Condition>, bool)>(&**condition)
        };
        self.conditions.iter().map(bytes).sum()
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.conditions.iter().filter(|(_, held)| *held).count();
        write!(f, "{held} of {} held", self.conditions.len())?;
        for (condition, held) in &self.conditions {
            let mark = if *held { " (held)" } else { "" };
            write!(f, "; {} {}{mark}", condition.name(), Described(&**condition))?;
        }
        Ok(())
    }
}

/// See [`when`].
#[derive(Clone)]
pub struct When<F> {
    name: &'static str,
    holds: F,
}

impl<F> fmt::Debug for When<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("When").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<F> Condition for When<F>
where
    F: FnMut(&Token<'_>, &Before) -> bool + Clone + Send + Sync + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        let holds = (self.holds)(token, before) && before.armed;
        holds.then(|| Hit::after(token, before, Reason::Custom { text: self.name.to_string() }))
    }

    /// A closure may look at anything.
    fn needs(&self) -> Needs {
        Needs { logprob: true, entropy: true }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("waiting")
    }
}
