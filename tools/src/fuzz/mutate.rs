//! Damage: a sound input becomes a hostile one, the same everywhere for the same seed and number.

use crate::synth::Rng;

/// Integers that break arithmetic.
const NASTY: [u64; 14] = [
    0,
    1,
    4,
    9,
    127,
    255,
    1 << 16,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 33,
    1 << 62,
    1 << 63,
    u64::MAX,
];

/// Bytes that an input has at most.
const MAX_LEN: usize = 1 << 20;

/// Times that an input is damaged, at most.
const MAX_DAMAGES: u64 = 6;

/// The input with this number: one of `seeds`, damaged.
pub fn case(seeds: &[Vec<u8>], words: &[&str], seed: u64, number: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed ^ number.rotate_left(32), "fuzz");
    let mut bytes = pick(seeds, &mut rng).cloned().unwrap_or_default();
    for _ in 0..=below(&mut rng, MAX_DAMAGES as usize) {
        damage(&mut bytes, seeds, words, &mut rng);
    }
    bytes.truncate(MAX_LEN);
    bytes
}

fn below(rng: &mut Rng, limit: usize) -> usize {
    (rng.next() % limit.max(1) as u64) as usize
}

fn pick<'a, T>(items: &'a [T], rng: &mut Rng) -> Option<&'a T> {
    items.get(below(rng, items.len()))
}

/// A place in the input, its end included; mostly near the front, where headers are.
fn place(bytes: &[u8], rng: &mut Rng) -> usize {
    let near = if below(rng, 3) == 0 { 64 } else { usize::MAX };
    below(rng, bytes.len().saturating_add(1).min(near))
}

fn damage(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&str], rng: &mut Rng) {
    let at = place(bytes, rng);
    match below(rng, 12) {
        0 | 1 => overwrite(bytes, at, |byte, rng| byte ^ (1 << below(rng, 8)), rng),
        2 => overwrite(bytes, at, |_, rng| rng.next() as u8, rng),
        3..=5 => smash(bytes, at, rng),
        6 => bytes.truncate(at),
        7 => drop(bytes.drain(at..(at + below(rng, 40)).min(bytes.len()))),
        8 => repeat(bytes, at, rng),
        9 => splice(bytes, at, seeds, rng),
        10 => insert_word(bytes, at, words, rng),
        _ => {
            let new: Vec<u8> = (0..below(rng, 24)).map(|_| rng.next() as u8).collect();
            bytes.splice(at..at, new);
        }
    }
}

fn overwrite(bytes: &mut [u8], at: usize, new: impl Fn(u8, &mut Rng) -> u8, rng: &mut Rng) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = new(*byte, rng);
    }
}

/// A nasty or a small integer of any width and byte order.
fn smash(bytes: &mut [u8], at: usize, rng: &mut Rng) {
    let small = rng.next() % 64;
    let value = if below(rng, 3) == 0 { small } else { NASTY[below(rng, NASTY.len())] };
    let width = [1, 2, 4, 4, 8, 8][below(rng, 6)];
    let mut number = value.to_le_bytes();
    let number = &mut number[..width];
    if below(rng, 4) == 0 {
        number.reverse();
    }
    for (byte, &new) in bytes.iter_mut().skip(at).zip(&*number) {
        *byte = new;
    }
}

/// A stretch again, behind itself.
fn repeat(bytes: &mut Vec<u8>, at: usize, rng: &mut Rng) {
    let end = (at + below(rng, 64)).min(bytes.len());
    let times = 1 + below(rng, 8);
    let stretch = bytes[at..end].repeat(times);
    if bytes.len() + stretch.len() <= MAX_LEN {
        bytes.splice(end..end, stretch);
    }
}

/// The end of another input.
fn splice(bytes: &mut Vec<u8>, at: usize, seeds: &[Vec<u8>], rng: &mut Rng) {
    if let Some(other) = pick(seeds, rng) {
        bytes.truncate(at);
        bytes.extend_from_slice(&other[place(other, rng)..]);
    }
}

fn insert_word(bytes: &mut Vec<u8>, at: usize, words: &[&str], rng: &mut Rng) {
    if let Some(word) = pick(words, rng) {
        let end = if below(rng, 2) == 0 { at } else { (at + word.len()).min(bytes.len()) };
        bytes.splice(at..end, word.bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_depend_on_seed_and_number_alone_and_differ() {
        let seeds = [b"one sound input".to_vec(), (0..200).collect()];
        let make = |seed, number| case(&seeds, &["word"], seed, number);
        assert_eq!(make(1, 7), make(1, 7));
        let mut all: Vec<_> = (0..1000).flat_map(|number| [make(1, number), make(2, number)]).collect();
        assert!(all.iter().all(|bytes| bytes.len() <= MAX_LEN));
        all.sort();
        all.dedup();
        assert!(all.len() > 1500, "{}", all.len());
    }

    #[test]
    fn nothing_to_begin_with_is_fine() {
        (0..500).for_each(|number| drop(case(&[], &[], 1, number)));
        (0..500).for_each(|number| drop(case(&[Vec::new()], &[""], 1, number)));
    }
}
