//! Stop conditions. An input is options, stop texts, a regular expression and generated text, with the byte 0xff between them.

use super::{SOME_MEMORY, split};
use crate::fuzz::{Target, seeds};
use siskin::stop::{Options, Reason, Stops, Token};

/// Whatever is asked for and generated: what is printed is a beginning of the text, and does not depend on how tokens cut it.
pub const STOP: Target = Target {
    name: "stop",
    run,
    seeds: seeds::stops,
    words: &[
        "END", "\n", "\n\n", ". ", "!", "e.g. ", "Mr. ", "{", "}", "[", "]", "\"", "\\", "(a|b)*", "[a-z]+",
        "(?m)^x$", "{2,9}", "\u{3002}", "\u{e9}",
    ],
    memory: |_| SOME_MEMORY,
};

/// Reads options byte by byte; an input that ends is zeros from there.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn flag(&mut self) -> bool {
        self.next() & 1 == 1
    }

    /// A number for every other byte.
    fn number(&mut self) -> Option<usize> {
        let byte = self.next();
        (byte & 1 == 1).then_some(usize::from(byte >> 1))
    }
}

fn run(bytes: Vec<u8>) {
    let (settings, rest) = split(&bytes);
    let (texts, rest) = split(rest);
    let (regex, text) = split(rest);
    let mut settings = Bytes(settings);
    let cut = 1 + usize::from(settings.next() % 7);
    let options = options(&mut settings, texts, regex);
    let (Ok(pieces), Ok(bytes)) = (Stops::new(options.clone()), Stops::new(options)) else { return };
    let (printed, reason) = generate(pieces, text, cut);
    let (again, same) = generate(bytes, text, 1);
    assert_eq!(printed, text[..printed.len().min(text.len())], "not what was generated");
    assert_eq!(printed, again, "cut by {cut}: {reason:?}, cut by 1: {same:?}");
    assert_eq!(reason, same);
}

/// Those whose verdict depends on the text alone.
fn options(settings: &mut Bytes<'_>, texts: &[u8], regex: &[u8]) -> Options {
    let mut options = Options::default();
    options.rules.keep_stop = settings.flag();
    options.rules.all = settings.flag();
    options.rules.json = settings.flag();
    options.rules.sentences = settings.number();
    options.rules.paragraphs = settings.number();
    options.rules.lines = settings.number();
    options.rules.bytes = settings.number();
    let texts = texts.split(|&byte| byte == b'\n').filter(|text| !text.is_empty());
    options.texts = texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    if !regex.is_empty() {
        options.rules.regexes = vec![String::from_utf8_lossy(regex).into_owned()];
    }
    options
}

fn generate(mut stops: Stops, text: &[u8], cut: usize) -> (Vec<u8>, Option<Reason>) {
    let mut printed = Vec::new();
    let mut reason = stops.check();
    for (id, piece) in text.chunks(cut).enumerate() {
        if reason.is_some() {
            break;
        }
        reason = stops.step(&Token::new(id as u32, piece), &mut printed);
    }
    stops.finish(&mut printed);
    (printed, reason)
}
