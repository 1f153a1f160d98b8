//! Which reason wins when several conditions hold after the same token: every pair of kinds, by the rule.

use crate::stop::{any, *};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The tokens before the last one. There are 23, all the same but for their text: one more is a loop.
fn beginning() -> Vec<&'static [u8]> {
    [vec![b"[".as_slice()], vec![b"a".as_slice(); 21], vec![b"!".as_slice()]].concat()
}

/// Bytes of them.
const BEFORE: usize = 23;
/// The token after which everything holds. `]` closes the JSON array and belongs to the sentence; then the line ends, and then the paragraph.
const LAST: &[u8] = b"]\n\n";
/// The end of that token.
const END: usize = BEFORE + LAST.len();

/// A condition, after how many bytes it is complete, and where the text ends then.
type Kind = (&'static str, fn() -> Box<dyn Condition>, usize, usize);

fn boxed(condition: impl Condition + 'static) -> Box<dyn Condition> {
    Box::new(condition)
}

/// The kinds in the order of the rule.
fn kinds() -> Vec<Kind> {
    let kinds: &[Kind] = &[
        ("stop_text", || boxed(StopTexts::new(["\n\n"]).unwrap()), END, BEFORE + 1),
        #[cfg(feature = "regex")]
        ("regex", || boxed(Regexes::new(&["\n\n"]).unwrap()), END, BEFORE + 1),
        ("json", || boxed(Json::new()), BEFORE + 1, BEFORE + 1),
        ("sentences", || boxed(Sentences::new(1).unwrap()), END, BEFORE + 1),
        ("paragraphs", || boxed(Paragraphs::new(1).unwrap()), END, BEFORE + 1),
        ("lines", || boxed(Lines::new(1).unwrap()), BEFORE + 2, BEFORE + 1),
        ("bytes", || boxed(Bytes::new(END).unwrap()), END, END),
        ("confidence", || boxed(Below::new(0.25).unwrap()), END, BEFORE),
        ("confidence of 24", || boxed(BelowMean::new(0.99, 24).unwrap()), END, BEFORE),
        ("entropy", || boxed(Entropy::new(2.0).unwrap()), END, BEFORE),
        ("loop", || boxed(Repetition::new(2).unwrap()), END, END),
        ("custom", || boxed(when("custom", |_, before| before.tokens == 23)), END, END),
        ("max_tokens", || boxed(MaxTokens::new(24).unwrap()), END, END),
    ];
    kinds.to_vec()
}

/// What a reason is called in [`kinds`].
fn called(reason: &Reason) -> &'static str {
    match reason {
        Reason::Confidence { window: 24, .. } => "confidence of 24",
        other => other.name(),
    }
}

/// The reason, after the last token and not before, and what was printed.
fn run(options: Options, last_is_eog: bool) -> (Reason, Vec<u8>) {
    let (mut stops, mut out) = (Stops::new(options).unwrap(), Vec::new());
    let token = |piece| Token { logprob: Some(0.0), entropy: Some(1.0), ..Token::new(7, piece) };
    assert_eq!(stops.check(), None);
    for piece in beginning() {
        assert_eq!(stops.step(&token(piece), &mut out), None);
    }
    let unlikely = Token { logprob: Some(-2.0), entropy: Some(3.0), is_eog: last_is_eog, ..token(LAST) };
    let reason = stops.step(&unlikely, &mut out).expect("a reason");
    stops.finish(&mut out);
    (reason, out)
}

fn also(condition: Box<dyn Condition>) -> Options {
    let mut options = Options::default();
    options.rules.also = vec![condition];
    options
}

#[test]
fn each_kind_holds_there_alone() {
    for (name, condition, _, from) in kinds() {
        let (reason, out) = run(also(condition()), false);
        assert_eq!((called(&reason), out.len()), (name, from));
    }
}

/// The one that is complete first, of those the one that removes most, of those the one given first.
#[test]
fn of_any_two_the_first() {
    for (a, one, at, from) in kinds() {
        for (b, other, other_at, other_from) in kinds() {
            let (reason, out) = run(also(boxed(any([one(), other()]))), false);
            let first = (at, from) <= (other_at, other_from);
            let expected = if first { (a, from) } else { (b, other_from) };
            assert_eq!((called(&reason), out.len()), expected, "any of {a} and {b}");
        }
    }
}

/// The one that is complete last, of those the one that removes most, of those the one given first.
#[test]
fn of_all_two_the_last() {
    for (a, one, at, from) in kinds() {
        for (b, other, other_at, other_from) in kinds() {
            let (reason, out) = run(also(boxed(all([one(), other()]))), false);
            let first = (other_at, from) <= (at, other_from);
            let expected = if first { (a, from) } else { (b, other_from) };
            assert_eq!((called(&reason), out.len()), expected, "all of {a} and {b}");
        }
    }
}

/// As plain data, where ties are broken in the order of the rule, whichever is set first.
fn set(options: &mut Options, name: &str, condition: fn() -> Box<dyn Condition>) {
    let rules = &mut options.rules;
    match name {
        "stop_text" => options.texts = vec!["\n\n".into()],
        #[cfg(feature = "regex")]
        "regex" => rules.regexes = vec!["\n\n".into()],
        "json" => rules.json = true,
        "sentences" => rules.sentences = Some(1),
        "paragraphs" => rules.paragraphs = Some(1),
        "lines" => rules.lines = Some(1),
        "bytes" => rules.bytes = Some(END),
        "confidence" => rules.below = Some(0.25),
        "confidence of 24" => rules.below_mean = Some((0.99, 24)),
        "entropy" => rules.entropy = Some(2.0),
        "loop" => rules.repeats = Some(2),
        _ => rules.also.push(condition()),
    }
}

#[test]
fn of_two_settings_the_first_by_the_rule() {
    for (i, (a, one, at, from)) in kinds().into_iter().enumerate() {
        for (b, other, other_at, other_from) in kinds().split_off(i + 1) {
            // The caller's own are in the order given.
            let orders: &[bool] = if (a, b) == ("custom", "max_tokens") { &[false] } else { &[false, true] };
            for reversed in orders {
                let mut options = Options::default();
                let mut pair = [(a, one), (b, other)];
                if *reversed {
                    pair.reverse();
                }
                pair.into_iter().for_each(|(name, condition)| set(&mut options, name, condition));
                let (reason, out) = run(options, false);
                let first = (at, from) <= (other_at, other_from);
                let expected = if first { (a, from) } else { (b, other_from) };
                assert_eq!((called(&reason), out.len()), expected, "{a} and {b}");
            }
        }
    }
}

/// Limits in their order: each after those before it, and after every condition.
const LIMITS: [&str; 4] = ["max_tokens", "context", "cancelled", "time"];

/// Adds a limit that is reached with the last token.
fn limit(options: &mut Options, name: &str) {
    match name {
        "max_tokens" => options.max_tokens = Some(24),
        "context" => options.context = Some(24),
        "cancelled" => {
            let flag = Arc::new(AtomicBool::new(false));
            options.cancelled = Some(flag.clone());
            let cancel = move |_: &Token<'_>, before: &Before| {
                flag.store(before.tokens == 23, Ordering::Relaxed);
                false
            };
            options.rules.also.push(boxed(when("cancels", cancel)));
        }
        _ => {
            let now = Arc::new(AtomicU64::new(0));
            let clock = now.clone();
            options.rules.clock = Clock::new(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
            options.rules.time = Some(Duration::from_secs(1));
            let wait = move |_: &Token<'_>, before: &Before| {
                now.store(u64::from(before.tokens == 23), Ordering::Relaxed);
                false
            };
            options.rules.also.push(boxed(when("waits", wait)));
        }
    }
}

#[test]
fn limits_come_last_in_their_order() {
    for (i, first) in LIMITS.into_iter().enumerate() {
        for second in &LIMITS[i..] {
            let mut options = Options::default();
            limit(&mut options, first);
            if *second != first {
                limit(&mut options, second);
            }
            let (reason, out) = run(options, false);
            assert_eq!((reason.name(), out.len()), (first, END), "{first} and {second}");
        }
        for (name, condition, _, from) in kinds() {
            let mut options = also(condition());
            limit(&mut options, first);
            let (reason, out) = run(options, false);
            assert_eq!((called(&reason), out.len()), (name, from), "{name} and {first}");
        }
    }
}

/// An end-of-generation token has no text; whatever else would hold after it does not count.
#[test]
fn the_end_of_the_text_goes_before_everything() {
    let with = |set: &dyn Fn(&mut Options)| {
        let mut options = Options::default();
        set(&mut options);
        let (reason, out) = run(options, true);
        assert_eq!((reason, out.len()), (Reason::Eos { token: 7 }, BEFORE));
    };
    kinds()
        .into_iter()
        .for_each(|(_, condition, ..)| with(&|options| options.rules.also = vec![condition()]));
    LIMITS.into_iter().for_each(|name| with(&|options| limit(options, name)));
}
