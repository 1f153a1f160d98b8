//! Conditions against slow oracles that see the whole text at once, over every way to cut it into tokens.

mod conditions;
mod hold;
mod limits;
#[cfg(feature = "regex")]
mod regex;
mod sentences;
mod texts;
mod ties;
mod together;

/// Cuts `stream` after byte `i` wherever bit `i` of `cuts` is set.
pub(super) fn cut(stream: &[u8], cuts: u128) -> Vec<&[u8]> {
    let mut pieces = vec![];
    let mut start = 0;
    for end in 1..=stream.len() {
        if end == stream.len() || cuts >> (end - 1) & 1 == 1 {
            pieces.push(&stream[start..end]);
            start = end;
        }
    }
    pieces
}

/// What a condition does to a whole text: how many bytes it took to know, where the printed text ends, and where with the stop text.
pub(super) type Ending = (usize, usize, usize);

/// Gives `pieces` to conditions, and compares each step with what `oracle` says of the text so far:
///
/// - the generation ends at the same token, and the text at the same byte;
/// - nothing is printed that one of `endings`, coming next, would remove;
/// - no whole character is held back, unless one of `endings` would remove it; of several conditions that is not asked, because one may
///   hold back for a match that another will always precede.
pub(super) fn compare(
    options: &crate::stop::Options,
    pieces: &[&[u8]],
    endings: &[&str],
    oracle: &dyn Fn(&[u8]) -> Option<Ending>,
) {
    for keep in [false, true] {
        let mut options = options.clone();
        options.rules.keep_stop = keep;
        let end = |text: &[u8]| oracle(text).map(|(_, from, to)| if keep { to } else { from });
        let mut stops = crate::stop::Stops::new(options).unwrap();
        let is_one = stops.describe().len() == 1;
        let (mut seen, mut out) = (Vec::new(), Vec::new());
        for (id, piece) in (0..).zip(pieces) {
            let reason = stops.step(&crate::stop::Token::new(id, piece), &mut out);
            seen.extend_from_slice(piece);
            let shown = || (String::from_utf8_lossy(&seen).into_owned(), pieces, keep);
            let expected = end(&seen);
            assert_eq!(reason.is_some(), expected.is_some(), "{reason:?} {:?}", shown());
            assert_eq!(
                seen.len() - out.len(),
                stops.held_len() + expected.map_or(0, |_| seen.len() - out.len())
            );
            if let Some(expected) = expected {
                assert_eq!(out, seen[..expected], "{:?}", shown());
                break;
            }
            assert!(seen.starts_with(&out), "{:?}", shown());
            let next = |ending: &&str| end(&[&seen, ending.as_bytes()].concat());
            let whole = str::from_utf8(&seen).map_or_else(|error| error.valid_up_to(), str::len);
            let ends: Vec<usize> =
                if whole == seen.len() { endings.iter().filter_map(next).collect() } else { vec![] };
            assert!(ends.iter().all(|end| *end >= out.len()), "printed too early: {out:?} {:?}", shown());
            if is_one && whole == seen.len() && out.len() < whole {
                assert!(
                    ends.contains(&out.len()),
                    "held back too long: {} {ends:?} {:?}",
                    out.len(),
                    shown()
                );
            }
        }
        let all = end(&seen).unwrap_or(seen.len());
        stops.finish(&mut out);
        stops.finish(&mut out);
        assert_eq!(out, seen[..all]);
    }
}
