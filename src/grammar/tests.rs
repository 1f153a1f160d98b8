//! Masks against an oracle that tries every token by itself, and grammars against texts that they accept and refuse.

use super::*;
use crate::tokenizer::TokenId;
use proptest::prelude::*;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::{Anchored, MatchKind};
use std::collections::HashSet;
use std::sync::LazyLock;

/// A vocabulary of single bytes, and one token at the end that ends the generation.
static BYTES: LazyLock<Vocabulary> = LazyLock::new(|| {
    let mut words: Vec<Vec<u8>> = (0..=254u8).map(|byte| vec![byte]).collect();
    words.push(b"\xff<end>".to_vec());
    Vocabulary::of(words, &[255]).expect("a small vocabulary")
});

fn contains(mask: &[u32], token: TokenId) -> bool {
    mask.get(token as usize / 32).is_some_and(|word| word >> (token % 32) & 1 == 1)
}

/// Whether a text can be written, and whether it may end there.
fn read(grammar: &Grammar, text: &str) -> Option<bool> {
    let mut constraint = Constraint::new(grammar, &BYTES).expect("a sound grammar");
    for byte in text.bytes() {
        if constraint.is_over() || !contains(constraint.mask().expect("a mask"), byte.into()) {
            return None;
        }
        constraint.accept(byte.into()).expect("an allowed token");
    }
    Some(constraint.is_accepting())
}

#[track_caller]
fn check(grammar: &Grammar, good: &[&str], bad: &[&str]) {
    good.iter().for_each(|text| assert_eq!(read(grammar, text), Some(true), "{text:?} of {grammar:?}"));
    bad.iter().for_each(|text| assert_ne!(read(grammar, text), Some(true), "{text:?} of {grammar:?}"));
}

/// A regular expression as a table, in which tokens are tried byte by byte.
struct Oracle {
    dfa: dense::DFA<Vec<u32>>,
    /// States from which a match can be reached.
    alive: HashSet<StateID>,
}

impl Oracle {
    fn new(pattern: &str) -> Oracle {
        let config = dense::Config::new().match_kind(MatchKind::All).start_kind(StartKind::Anchored);
        let dfa = dense::Builder::new().configure(config).build(pattern).expect("a pattern");
        let mut oracle = Oracle { dfa, alive: HashSet::new() };
        let mut states = vec![oracle.start()];
        let mut seen = HashSet::from([oracle.start()]);
        for i in 0.. {
            let Some(&state) = states.get(i) else { break };
            states.extend(oracle.next(state).filter(|&next| seen.insert(next)));
        }
        // A match is reported one byte late, so being at one says nothing about what follows.
        oracle.alive = states.iter().copied().filter(|&state| oracle.accepts(state)).collect();
        loop {
            let before = oracle.alive.len();
            for &state in states.iter().rev() {
                if oracle.next(state).any(|next| oracle.alive.contains(&next)) {
                    oracle.alive.insert(state);
                }
            }
            if oracle.alive.len() == before {
                return oracle;
            }
        }
    }

    fn start(&self) -> StateID {
        self.dfa.universal_start_state(Anchored::Yes).expect("no look-behind")
    }

    /// The states after one more byte.
    fn next(&self, state: StateID) -> impl Iterator<Item = StateID> {
        (0..=255).map(move |byte| self.dfa.next_state(state, byte))
    }

    /// The state after these bytes, if the text can still become a match.
    fn after(&self, state: StateID, bytes: &[u8]) -> Option<StateID> {
        let state = bytes.iter().fold(state, |state, &byte| self.dfa.next_state(state, byte));
        self.alive.contains(&state).then_some(state)
    }

    fn accepts(&self, state: StateID) -> bool {
        self.dfa.is_match_state(self.dfa.next_eoi_state(state))
    }
}

const PATTERNS: [&str; 9] = [
    "yes|no",
    "a|ab|abc",
    "[a-z ]{3,8}",
    "([0-9]{1,3}\\.){3}[0-9]{1,3}",
    "(the|a) (cat|dog)( and (the|a) (cat|dog))*",
    "\"[^\"\\\\]*\"",
    ".{0,4}",
    "[^a]+é",
    "\\s*[A-Z][a-z]+(, [A-Z][a-z]+)*\\.",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A random walk: at every step, each token of the vocabulary is allowed exactly if the automaton can go on after its bytes.
    #[test]
    fn masks_are_those_of_trying_every_token(pattern in prop::sample::select(&PATTERNS[..]), seed in any::<u64>()) {
        let model = crate::Model::open("models/builtin.gguf").unwrap();
        let tokenizer = model.tokenizer();
        let vocabulary = Vocabulary::new(tokenizer).unwrap();
        let mut constraint = Constraint::new(&Grammar::regex(pattern), &vocabulary).unwrap();
        let oracle = Oracle::new(pattern);
        let (mut state, mut random) = (oracle.start(), seed);
        for _ in 0..12 {
            let mut fits = Vec::new();
            let is_accepting = oracle.accepts(state);
            prop_assert_eq!(constraint.is_accepting(), is_accepting);
            let mask = constraint.mask().unwrap().to_vec();
            for id in 0..tokenizer.len() as TokenId {
                let mut bytes = Vec::new();
                tokenizer.piece(id, &mut bytes);
                let next = if bytes.is_empty() { None } else { oracle.after(state, &bytes) };
                let expected = if tokenizer.is_eog(id) { is_accepting } else { next.is_some() };
                prop_assert_eq!(contains(&mask, id), expected, "{} {:?}", id, String::from_utf8_lossy(&bytes));
                fits.extend(next.map(|next| (id, next)));
            }
            prop_assert_eq!(constraint.is_over(), fits.is_empty());
            if fits.is_empty() {
                break;
            }
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (id, next) = fits[(random >> 33) as usize % fits.len()];
            constraint.accept(id).unwrap();
            state = next;
        }
    }
}

#[test]
fn json_fits_its_schema() {
    let schema = r#"{"type": "object", "properties": {"n": {"type": "integer", "minimum": 3, "maximum": 12}, "s": {"enum": ["a", "b"]}},
        "required": ["n", "s"], "additionalProperties": false}"#;
    let good = [r#"{"n":3,"s":"a"}"#, r#"{"n": 12, "s": "b"}"#];
    let bad = [
        r#"{"n":13,"s":"a"}"#,
        r#"{ "n":3,"s":"a"}"#,
        r#"{"n":3}"#,
        r#"{"n":3,"s":"a"} "#,
        r#"{"n":  3,"s":"a"}"#,
    ];
    check(&Grammar::json_schema(schema), &good, &bad);
    check(&Grammar::json_schema("true"), &["{}", "[1,2]", "null"], &["x"]);
}

#[test]
fn lark_and_gbnf_are_told_apart() {
    let lark = "start: \"a\" | \"b\" start\n";
    let gbnf = "# a comment\nroot ::= \"a\" | \"b\" root\n";
    assert_eq!((Grammar::of(lark).kind(), Grammar::of(gbnf).kind()), (Kind::Lark, Kind::Gbnf));
    for grammar in [Grammar::of(lark), Grammar::of(gbnf)] {
        check(&grammar, &["a", "ba", "bba"], &["", "b", "ab"]);
    }
}

#[test]
fn gbnf_without_recursion_is_exact() {
    let each = [
        ("root ::= [a-z]+ \"b\"", &["ab", "bb", "abcb"][..], &["b", "abc", "a"][..]),
        ("root ::= (\"a\" | \"ab\") (\"c\" | \"bc\")", &["ac", "abc", "abbc"], &["a", "ab", "abb"]),
        (
            "root ::= x{2} y{1,} z{0,2}\nx ::= \"x\"\ny ::= \"y\" # why\nz::=[^xy\\n]",
            &["xxy", "xxyyé1"],
            &["xx", "xy", "xxy\n"],
        ),
        ("root ::= (\n  \"a\"\n  | \"b\"\n) .?\n  | \"c\"", &["a", "b!", "c"], &["cc", ""]),
        ("root ::= \"\\x41\\u00e9\\\"\\\\\" [\\]\\-a-]", &["Aé\"\\]", "Aé\"\\-", "Aé\"\\a"], &["Aé\"\\b"]),
        ("root ::= \"\" | \"a\" end\nend ::= \"\"", &["", "a"], &["aa"]),
    ];
    for (text, good, bad) in each {
        check(&Grammar::gbnf(text), good, bad);
    }
}

#[test]
fn gbnf_with_recursion() {
    let json = r#"
root   ::= value
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array  ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= "-"? ([0-9] | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [-+]? [0-9]+)? ws
ws     ::= [ \t\n]*
"#;
    let good = ["{}", "[1, 2.5e-3 ,null]", "{ \"a\\n\": [ {\"b\":\"\"} ]}\n", "\"é\"", "true "];
    check(&Grammar::gbnf(json), &good, &["{", "[1,]", "{\"a\"}", "01", "tru", "\"\n\""]);
    let sum = "root ::= sum\nsum ::= term ([-+] term)*\nterm ::= [0-9]+ | \"(\" sum \")\"\n";
    check(&Grammar::gbnf(sum), &["1", "1+(22-3)", "((7))"], &["1+", "(1", "()", ""]);
}

#[test]
fn gbnf_names_its_mistakes() {
    let each = [
        ("", 1, "no rule root"),
        ("root ::= a\nb ::= \"b\"", 1, "a, which is not defined"),
        ("root ::= \"a\nb", 1, "'\\n'"),
        ("root ::= [b-a]", 1, "']'"),
        ("root ::= \"a\"\nroot ::= \"b\"", 2, "':'"),
        ("root = \"a\"", 1, "'='"),
        ("root ::= (\"a\"", 1, "the end"),
        ("root ::= \"a\"{3,2}", 1, "'{'"),
        ("root ::= \"\\q\"", 1, "'q'"),
        ("root ::= \"a\" )", 1, "')'"),
    ];
    for (text, at, what) in each {
        match Constraint::new(&Grammar::gbnf(text), &BYTES) {
            Err(Error::Gbnf { line, found, .. }) => assert_eq!((line, found.as_str()), (at, what), "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let deep = format!("root ::= {}", "(".repeat(100_000));
    assert!(matches!(Constraint::new(&Grammar::gbnf(deep), &BYTES), Err(Error::Gbnf { .. })));
}

#[test]
fn what_is_no_grammar_is_refused() {
    let each = [
        Grammar::json_schema("{"),
        Grammar::json_schema("7"),
        Grammar::json_schema(r#"{"type": "nothing"}"#),
        Grammar::json_schema(r#"{"type": "integer", "minimum": 5, "maximum": 4}"#),
        Grammar::regex("(a"),
        Grammar::lark("start: a"),
        Grammar::lark("begin: \"a\""),
        Grammar::lark(""),
    ];
    for grammar in each {
        let error = Constraint::new(&grammar, &BYTES).expect_err("a mistake").to_string();
        assert!(error.starts_with(&grammar.kind().to_string()) && !error.contains("backtrace"), "{error}");
        let (reason, hint) = error.rsplit_once("Try ").expect("a hint");
        let lines = reason.trim_end().lines().count();
        assert!(reason.ends_with(if lines > 1 { "\n" } else { ". " }) && !hint.contains('\n'), "{error}");
    }
}

#[test]
fn a_clone_goes_on_by_itself() {
    let mut one = Constraint::new(&Grammar::regex("a(b|c)"), &BYTES).unwrap();
    one.accept(b'a'.into()).unwrap();
    let mut other = one.clone();
    one.accept(b'b'.into()).unwrap();
    assert!(one.is_over() && one.is_accepting() && !other.is_over());
    assert_eq!(one.accept(b'b'.into()), Err(Error::NotAllowed { token: b'b'.into() }));
    assert_eq!(other.accept(255), Err(Error::NotAllowed { token: 255 }));
    other.accept(b'c'.into()).unwrap();
    other.accept(255).unwrap();
    assert!(other.is_over());
}
