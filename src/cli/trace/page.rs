//! The page for the browser: one file with its style, its script and the trace as JSON. What it looks like stands in `page/`.

use super::record::{BeamNode, Continuation, Distribution, End, Filter, Piece, Rest, Run, Seen, Step, Trace};
use super::scores::BETAS;
use crate::cli::{CliError, json};
use serde::Serialize;
use std::collections::BTreeMap;

/// The page, with places for the rest.
const PAGE: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/style.css");
/// Parts of one script, in order.
const SCRIPTS: [&str; 6] = [
    include_str!("page/reshape.js"),
    include_str!("page/dom.js"),
    include_str!("page/text.js"),
    include_str!("page/panel.js"),
    include_str!("page/tree.js"),
    include_str!("page/main.js"),
];

/// Candidates that the page has of each position, at least: enough for its sliders to mean something.
pub const CANDIDATES: usize = 64;

/// What the script reads. Texts of tokens stand in one list.
#[derive(Serialize)]
struct Data<'a> {
    version: &'static str,
    run: &'a Run,
    betas: [f64; BETAS.len()],
    tokens: BTreeMap<u32, Text<'a>>,
    steps: Vec<Row<'a>>,
    beams: &'a [BeamNode],
    continuations: &'a [Continuation],
    end: &'a End,
}

#[derive(Serialize)]
struct Text<'a> {
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    special: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<&'a [u8]>,
}

/// A position.
#[derive(Serialize)]
struct Row<'a> {
    position: usize,
    prompt: bool,
    token: u32,
    logit: Option<f32>,
    probability: Option<f32>,
    logprob: Option<f32>,
    rank: Option<usize>,
    drawn_with: Option<f32>,
    expected: Option<Expected<'a>>,
    filters: &'a [Filter],
    stops: &'a [Seen],
    held_bytes: usize,
    pass_ms: Option<f64>,
    sampling_ms: Option<f64>,
}

#[derive(Serialize)]
struct Expected<'a> {
    entropy: f32,
    log_sum_exp: f64,
    /// Token, logit, and the probability with which it would be drawn.
    top: Vec<(u32, f32, Option<f32>)>,
    /// Of those of `top` that do not directly follow the others in rank: the rank, and the probability of all tokens up to it.
    further: Vec<(usize, f32)>,
    rest: &'a Rest,
}

impl Expected<'_> {
    fn new(distribution: &Distribution) -> Expected<'_> {
        let Distribution { entropy_nats: entropy, log_sum_exp, ref top, ref rest, .. } = *distribution;
        let likeliest = (1..).zip(top).take_while(|(rank, candidate)| candidate.rank == *rank).count();
        let further =
            top[likeliest..].iter().map(|candidate| (candidate.rank, candidate.cumulative)).collect();
        let top = top.iter().map(|c| (c.piece.token, c.logit, c.drawn_with)).collect();
        Expected { entropy, log_sum_exp, top, further, rest }
    }
}

/// The page of a trace.
pub fn page(trace: &Trace) -> Result<String, CliError> {
    let data = embedded(&json::text(&data(trace))?);
    let parts = [("{{style}}", STYLE), ("{{data}}", &data), ("{{script}}", &SCRIPTS.join("\n"))];
    let (mut out, mut rest) = (String::new(), PAGE);
    for (place, part) in parts {
        // From the front to the back, so that nothing is looked for in what was put in.
        let (before, after) = rest.split_once(place).unwrap_or((rest, ""));
        out.push_str(before);
        out.push_str(part);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// JSON as it may stand in a `<script>` element: what could end the element or begin a comment only stands in strings, which may spell
/// it differently; likewise the line ends that JavaScript did not always allow in strings.
fn embedded(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + json.len() / 16);
    for c in json.chars() {
        match c {
            '<' => out.push_str("\\u003c"),
            '>' => out.push_str("\\u003e"),
            '&' => out.push_str("\\u0026"),
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out
}

fn data(trace: &Trace) -> Data<'_> {
    let mut tokens = BTreeMap::new();
    for step in &trace.steps {
        let candidates = step.distribution.iter().flat_map(|d| &d.top).map(|candidate| &candidate.piece);
        for piece in candidates.chain([&step.chosen.piece]) {
            tokens.entry(piece.token).or_insert_with(|| text(piece));
        }
    }
    let steps = trace.steps.iter().map(row).collect();
    let Trace { run, beams, continuations, end, .. } = trace;
    Data { version: env!("CARGO_PKG_VERSION"), run, betas: BETAS, tokens, steps, beams, continuations, end }
}

fn text(piece: &Piece) -> Text<'_> {
    let Piece { text, special, bytes, .. } = piece;
    Text { text, special: special.then_some(true), bytes: bytes.as_deref() }
}

fn row(step: &Step) -> Row<'_> {
    let chosen = &step.chosen;
    Row {
        position: step.position,
        prompt: step.prompt,
        token: chosen.piece.token,
        logit: chosen.logit,
        probability: chosen.probability,
        logprob: chosen.logprob,
        rank: chosen.rank,
        drawn_with: chosen.drawn_with,
        expected: step.distribution.as_ref().map(Expected::new),
        filters: &step.filters,
        stops: &step.stops,
        held_bytes: step.held_bytes,
        pass_ms: step.pass_ms,
        sampling_ms: step.sampling_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_breaks_out_of_the_script() {
        let text = "</script><!-- <script>&amp;\u{2028}\u{2029}\"\\ é";
        let json = serde_json::to_string(text).expect("json");
        let safe = embedded(&json);
        assert!(!safe.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).expect("json"), text);
    }

    #[test]
    fn the_page_has_its_places_and_reaches_out_to_nothing() {
        let places = ["{{style}}", "{{data}}", "{{script}}"].map(|place| PAGE.find(place).expect("a place"));
        assert!(places.is_sorted());
        assert!(PAGE.contains("default-src 'none'") && PAGE.contains("lang=\"en\""));
        for part in [PAGE, STYLE].iter().chain(&SCRIPTS) {
            let links = part.replace("http://www.w3.org/2000/svg", "");
            assert!(!links.contains("://") && !links.contains("@import") && !links.contains("innerHTML"));
            assert!(!part.contains("</script>") || *part == PAGE);
        }
    }
}
