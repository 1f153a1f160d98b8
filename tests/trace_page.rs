//! The page of `siskin trace --html` in headless Chromium, where that is installed: its numbers beside those computed here, its keyboard, its
//! pointer and its sliders, its contrast, and texts that try to break out. `SISKIN_REQUIRE=chromium` makes a missing browser a failure.

mod trace_util;
mod util;

use serde_json::{Value, json};
use siskin::sample::{Candidate, Context, Distribution, Observer, Options, Sampler, TokenSet};
use std::collections::HashMap;
use std::path::Path;
use trace_util::browser::{chromium, dom, found, page, reports, with_script};
use trace_util::{array, lines, number, of_type, steps};
use util::Siskin;

/// What runs in the page to check it.
const CHECK: &str = include_str!("data/trace_check.js");

#[derive(Default)]
struct Last(Vec<Candidate>);

impl Observer for Last {
    fn after(&mut self, _step: &'static str, candidates: &[Candidate]) {
        self.0 = candidates.to_vec();
    }
}

/// Temperature, top-k, top-p, min-p.
type Settings = (f32, u32, f32, f32);

/// What the flags have, unless they say something else.
const RUN: Settings = (0.8, 40, 0.95, 0.05);

/// As in the run; exact without a filter; between two known points; filters that cut; greedy.
const SETTINGS: [Settings; 5] =
    [RUN, (0.5, 0, 1.0, 0.0), (0.9, 0, 1.0, 0.0), (1.3, 12, 0.9, 0.02), (0.0, 0, 1.0, 0.0)];

/// Goes to one address after the other, and reports the whole table that each shows.
const VISIT: &str = r##"
addEventListener("load", async () => {
  const found = [];
  document.getElementById("more").click();
  for (const hash of HASHES) {
    location.hash = hash;
    await new Promise((done) => setTimeout(done, 20));
    found.push(shownTable());
  }
  tell(found);
});
"##;

/// The address of a position at some settings.
fn hash(position: &Value, (temp, top_k, top_p, min_p): Settings) -> String {
    format!("#token={position}&temp={temp}&top_k={top_k}&top_p={top_p}&min_p={min_p}")
}

/// With which probability the sampler itself draws each token.
fn sampled(
    logits: &[f32],
    (temp, top_k, top_p, min_p): Settings,
    allowed: Option<&[u32]>,
) -> HashMap<u64, f64> {
    let mut options = Options::default();
    (options.temperature, options.top_k, options.top_p, options.min_p) = (temp, top_k, top_p, min_p);
    let mut last = Last::default();
    let mut sampler = Sampler::new(options, logits.len()).expect("options");
    let context = Context { allowed, ..Context::default() };
    let choice = sampler.sample_observed(logits, &context, &mut last).expect("a choice");
    if temp == 0.0 {
        return HashMap::from([(u64::from(choice.token), 1.0)]);
    }
    if last.0.is_empty() {
        // no step is on
        let own = Distribution::new(logits, 0).expect("finite logits");
        let of = |token| f64::from(own.probability(token).expect("a token"));
        return (0..logits.len() as u32).map(|token| (u64::from(token), of(token))).collect();
    }
    last.0.iter().map(|c| (u64::from(c.token), f64::from(c.probability))).collect()
}

/// A table that the page shows, all of it, says what the sampler does, as exactly as it claims to.
#[track_caller]
fn is_as_sampled(table: &Value, expected: &HashMap<u64, f64>) {
    let (error, rows, mut others) = (number(&table["error"]), array(&table["rows"]), expected.clone());
    assert!(error < 0.02 && rows.len() >= 64, "{table}");
    for row in rows {
        let expected = row["token"].as_u64().and_then(|token| others.remove(&token)).unwrap_or(0.0);
        assert!((number(&row["drawn"]) - expected).abs() <= error + 2e-6, "{row}: {expected}\n{table:#}");
    }
    let (others, rest): (f64, _) = (others.values().sum(), [0, 1].map(|end| number(&table["rest"][end])));
    assert!((rest[0] - 1e-5..=rest[1] + 1e-5).contains(&others), "{rest:?}: {others}\n{table:#}");
}

/// The step with the largest entropy, and its logits.
fn most_uncertain(steps: &[(Value, Vec<f32>)]) -> &(Value, Vec<f32>) {
    let entropy = |step: &Value| number(&step["distribution"]["entropy_nats"]);
    steps.iter().max_by(|a, b| entropy(&a.0).total_cmp(&entropy(&b.0))).expect("a step")
}

const STORY: [&str; 6] = ["--seed", "5", "-n", "6", "--ignore-eos", "Once upon a time, there was a"];

#[test]
fn addresses_reshape_the_recorded_logits_as_the_sampler_would() {
    let Some(browser) = chromium() else { return };
    let siskin = Siskin::new();
    let (page, steps) = (page(&siskin, &STORY), steps(&STORY));
    let (step, logits) = most_uncertain(&steps);
    let hashes = json!(SETTINGS.map(|settings| hash(&step["position"], settings)));
    let tables = found(&browser, &siskin, &page, "", VISIT, &[("HASHES", &hashes)]);
    for (table, settings) in array(&tables).iter().zip(SETTINGS) {
        is_of(table, step);
        is_as_sampled(table, &sampled(logits, settings, None));
        let [low, high] = [0, 1].map(|end| number(&table["rest"][end]));
        assert!(settings.0 != 0.9 || low < high, "between two known points: {table}");
    }
}

/// Each slider down and up, and whether the distribution is another one for it: without top-k or top-p, min-p still cuts.
const MOVES: [(&str, f32, bool); 8] = [
    ("temp", 0.3, true),
    ("temp", 1.5, true),
    ("top_k", 2.0, true),
    ("top_k", 0.0, false),
    ("top_p", 0.5, true),
    ("top_p", 1.0, false),
    ("min_p", 0.4, true),
    ("min_p", 0.0, true),
];
const TOGETHER: [(&str, f32); 4] = [("temp", 1.3), ("top_k", 12.0), ("top_p", 0.9), ("min_p", 0.02)];

/// Settings with one of them moved.
fn moved((temp, top_k, top_p, min_p): Settings, (name, value): (&str, f32)) -> Settings {
    match name {
        "temp" => (value, top_k, top_p, min_p),
        "top_k" => (temp, value as u32, top_p, min_p),
        "top_p" => (temp, top_k, value, min_p),
        "min_p" => (temp, top_k, top_p, value),
        other => panic!("no slider {other}"),
    }
}

/// The largest difference between the probabilities of two tables of the same tokens.
fn difference(a: &Value, b: &Value) -> f64 {
    let rows = array(&a["rows"]).iter().zip(array(&b["rows"]));
    rows.map(|(a, b)| (number(&a["drawn"]) - number(&b["drawn"])).abs()).fold(0.0, f64::max)
}

#[test]
fn each_slider_reshapes_an_uncertain_position() {
    let Some(browser) = chromium() else { return };
    let siskin = Siskin::new();
    let (page, steps) = (page(&siskin, &STORY), steps(&STORY));
    // open, and cut by each of the filters
    let (step, logits) = &steps[1];
    assert!(number(&step["distribution"]["entropy_nats"]) > 1.5, "{step}");
    let parts = [("MOVES", &json!(MOVES.map(|(name, to, _)| (name, to)))), ("TOGETHER", &json!(TOGETHER))];
    let place = format!("#token={}", step["position"]);
    let script = include_str!("data/trace_sliders.js");
    let found = found(&browser, &siskin, &page, &place, script, &parts);
    is_of(&found["start"], step);
    assert_eq!(found["start"]["exactness"], "As it was in the run.");
    is_as_sampled(&found["start"], &sampled(logits, RUN, None));
    for (table, (name, value, changes)) in array(&found["moves"]).iter().zip(MOVES) {
        is_of(table, step);
        is_as_sampled(table, &sampled(logits, moved(RUN, (name, value)), None));
        let difference = difference(table, &found["start"]);
        assert_eq!(difference > 0.01, changes, "{name} {value}: {difference}");
        assert!((number(&table["slider"]) - f64::from(value)).abs() < 1e-6, "{table}");
        assert!(table["hash"].as_str().is_some_and(|hash| hash.ends_with(&format!("&{name}={value}"))));
        let said = table["value"].as_str().expect("a text");
        assert!(value == 0.0 || said.starts_with(&value.to_string()), "{said}");
        assert_eq!(table["spoken"], said);
    }
    assert_eq!(found["back"], found["start"]);
    let together = TOGETHER.into_iter().fold(RUN, moved);
    is_as_sampled(&found["together"], &sampled(logits, together, None));
    is_as_sampled(&found["model"], &sampled(logits, (1.0, 0, 1.0, 0.0), None));
}

/// Of a run where not all tokens are allowed: at the run's own settings the page shows the run's own probabilities, as they were recorded and
/// as it computes them at a temperature that is hardly another; and what is forbidden comes at no settings.
fn forbidden_stays_out(
    browser: &Path,
    flags: &[&str],
    allowed: impl Fn(&[(Value, Vec<f32>)]) -> Vec<Vec<u32>>,
) {
    let siskin = Siskin::new();
    let (page, steps) = (page(&siskin, flags), steps(flags));
    let allowed = allowed(&steps);
    let own = |step: &Value| format!("#token={}", step["position"]);
    let addresses = |step: &Value| {
        let almost = format!("{}&temp=0.80000001", own(step));
        [own(step), almost].into_iter().chain(SETTINGS.map(|settings| hash(&step["position"], settings)))
    };
    let hashes: Vec<String> = steps.iter().flat_map(|(step, _)| addresses(step)).collect();
    let tables = found(browser, &siskin, &page, "", VISIT, &[("HASHES", &json!(hashes))]);
    let all = array(&tables).chunks(2 + SETTINGS.len());
    for (((step, logits), words), tables) in steps.iter().zip(&allowed).zip(all) {
        let settings = [RUN, RUN].into_iter().chain(SETTINGS);
        for (table, settings) in tables.iter().zip(settings) {
            is_of(table, step);
            is_as_sampled(table, &sampled(logits, settings, Some(words)));
            for row in array(&table["rows"]) {
                let token = row["token"].as_u64().expect("an id");
                let is_allowed = words[token as usize / 32] >> (token % 32) & 1 == 1;
                assert_eq!(row["last"] == "not allowed", !is_allowed, "{row}");
            }
        }
        is_recorded(&tables[0], step);
        let said = tables[1]["exactness"].as_str().expect("a text");
        let has_forbidden = array(&tables[1]["rows"]).iter().any(|row| row["last"] == "not allowed");
        assert_eq!(said.contains("that were allowed"), has_forbidden, "{said}");
        assert!(said.starts_with("Computed") && !said.contains("left out"), "{said}");
    }
}

/// What the page shows is what the run drew with, and ranks are those among all tokens.
fn is_recorded(table: &Value, step: &Value) {
    assert_eq!(table["exactness"], "As it was in the run.");
    let top = array(&step["distribution"]["top"]);
    for row in array(&table["rows"]) {
        let rank = row["rank"].as_u64().expect("a rank") as usize;
        let Some(candidate) = top.get(rank - 1) else { continue };
        assert_eq!(candidate["token"], row["token"], "{row}");
        let drawn = candidate["drawn_with"].as_f64().unwrap_or(0.0);
        assert!((number(&row["drawn"]) - drawn).abs() < 1e-6, "{row}: {candidate}");
        let sum = row["sum"].as_str().and_then(|sum| sum.trim_end_matches(" %").parse::<f64>().ok());
        let cumulative = 100.0 * number(&candidate["cumulative"]);
        assert!(sum.is_some_and(|sum| (sum - cumulative).abs() < 0.06), "{row}: {candidate}");
    }
    let chosen: Vec<_> = array(&table["rows"]).iter().filter(|row| row["chosen"] == true).collect();
    assert_eq!(chosen.len(), 1, "{table}");
    assert_eq!(
        (&chosen[0]["token"], &chosen[0]["rank"]),
        (&step["chosen"]["token"], &step["chosen"]["rank"])
    );
}

/// One that allows ten tokens, none of them likely; and one that allows some of the likeliest, and more than are recorded.
#[cfg(all(feature = "grammar", feature = "builtin"))]
#[test]
fn what_a_grammar_forbids_comes_at_no_settings() {
    use siskin::grammar::{Constraint, Grammar, Vocabulary};
    let Some(browser) = chromium() else { return };
    for (regex, prompt) in [("[0-9]{3}", "The answer is"), (" [a-h][a-z ]+[.]", "The cat saw a")] {
        let flags = ["--regex-output", regex, "--seed", "5", "-n", "4", prompt];
        forbidden_stays_out(&browser, &flags, |steps| {
            let model = siskin::Model::builtin().expect("the built-in model");
            let vocabulary = Vocabulary::new(model.tokenizer()).expect("a vocabulary");
            let mut constraint = Constraint::new(&Grammar::regex(regex), &vocabulary).expect("a grammar");
            let mut words = |(step, _): &(Value, Vec<f32>)| {
                let words = constraint.mask().expect("tokens").to_vec();
                let chosen = step["chosen"]["token"].as_u64().expect("an id");
                constraint.accept(chosen as u32).expect("it is allowed");
                words
            };
            steps.iter().map(&mut words).collect()
        });
    }
}

/// The end of text, while there are too few tokens.
#[test]
fn what_a_stop_condition_forbids_comes_at_no_settings() {
    let Some(browser) = chromium() else { return };
    let flags = ["--min-tokens", "3", "--seed", "5", "-n", "3", "The cat sat on the"];
    forbidden_stays_out(&browser, &flags, |steps| {
        let words = |(step, logits): &(Value, Vec<f32>)| {
            let mut tokens = TokenSet::full(logits.len());
            // </s> and <|im_end|>
            [2, 4].into_iter().for_each(|token| tokens.remove(token));
            assert_eq!(step["filters"][0]["left"], logits.len() - 2);
            tokens.words().to_vec()
        };
        steps.iter().map(words).collect()
    });
}

/// A table that the page shows is that of a step: its heading, and its likeliest tokens with the model's probabilities.
#[track_caller]
fn is_of(table: &Value, step: &Value) {
    let heading = format!("Token {}: ", step["position"]);
    assert!(table["heading"].as_str().is_some_and(|text| text.starts_with(&heading)), "{heading}\n{table}");
    let rows = array(&table["rows"]);
    assert!(rows.len() >= 12, "{table}");
    for (row, candidate) in rows.iter().zip(array(&step["distribution"]["top"])).take(12) {
        assert_eq!(row["token"], candidate["token"]);
        assert!(
            (number(&row["model"]) - number(&candidate["probability"])).abs() < 1e-6,
            "{row} {candidate}"
        );
    }
}

#[test]
fn a_token_that_is_pointed_at_or_tapped_shows_its_distribution() {
    let Some(browser) = chromium() else { return };
    let siskin = Siskin::new();
    let flags = ["--seed", "5", "-n", "12", "--ignore-eos", "The cat sat on the"];
    let page = page(&siskin, &flags);
    let lines = lines(&[&["--top", "64"], &flags[..]].concat());
    let steps = of_type(&lines, "step");
    let found = found(&browser, &siskin, &page, "", include_str!("data/trace_pointer.js"), &[]);
    let shows = |table: &Value, shown: usize, selected: usize| {
        is_of(table, steps[shown]);
        for (row, candidate) in array(&table["rows"]).iter().zip(array(&steps[shown]["distribution"]["top"]))
        {
            let drawn = candidate["drawn_with"].as_f64().unwrap_or(0.0);
            assert!(row["chosen"] == true || (number(&row["drawn"]) - drawn).abs() < 1e-6, "{row}");
        }
        assert_eq!(table["selected"], format!("token-{selected}"));
        assert_eq!(table["hash"], format!("#token={}", steps[selected]["position"]));
    };
    shows(&found["start"], 0, 0);
    let hovers = array(&found["hovers"]);
    assert_eq!(hovers.len(), steps.len());
    hovers.iter().enumerate().for_each(|(shown, table)| shows(table, shown, 0));
    shows(&found["between"], 0, 0);
    shows(&found["left"], 0, 0);
    for click in array(&found["clicks"]) {
        let index = click["index"].as_u64().expect("an index") as usize;
        shows(&click["clicked"], index, index);
        assert_eq!(click["clicked"]["focus"], format!("token-{index}"));
        shows(&click["hovered"], 1, index);
        shows(&click["left"], index, index);
    }
    let mut selected = 0;
    for tap in array(&found["taps"]) {
        shows(&tap["before"], selected, selected);
        selected = tap["index"].as_u64().expect("an index") as usize;
        shows(&tap["after"], selected, selected);
        assert_eq!(tap["after"]["focus"], format!("token-{selected}"));
    }
    shows(&found["chart"], 4, 4);
}

/// What the check found in a page, in frames of these widths, of which some are dark: a frame prefers what its element has for a scheme.
fn checked(browser: &Path, siskin: &Siskin, page: &Path, frames: &[(u32, bool)]) -> Vec<Value> {
    with_script(siskin, page, CHECK);
    let frame = |(width, is_dark): &(u32, bool)| {
        let scheme = if *is_dark { "dark" } else { "light" };
        format!(
            "<iframe src='checked.html' style='border:0;width:{width}px;height:1200px;color-scheme:{scheme}'></iframe>"
        )
    };
    let all: String = frames.iter().map(frame).collect();
    let document = format!(
        "<!doctype html><body style='margin:0'><script>addEventListener('message', (event) => {{ \
         document.body.append(Object.assign(document.createElement('pre'), {{ textContent: event.data }})); }});</script>{all}"
    );
    let document = siskin.file("frame.html", document.as_bytes());
    let reports = reports(&dom(browser, siskin, &document, ""));
    assert_eq!(reports.len(), frames.len());
    for (width, is_dark) in frames {
        let is_it = |report: &&Value| report["width"] == *width && report["dark"] == *is_dark;
        assert!(reports.iter().any(|report| is_it(&report)), "{width}: {reports:?}");
    }
    reports
}

/// Names, contrast, width.
fn can_be_read(report: &Value) {
    assert_eq!(report["overflow"], 0, "wider than {}", report["width"]);
    assert_eq!(report["nameless"].as_array().map(Vec::len), Some(0), "{:#}", report["nameless"]);
    assert_eq!(report["faint"].as_array().map(Vec::len), Some(0), "{:#}", report["faint"]);
    assert!(report["least"].as_f64().is_some_and(|least| (4.5..22.0).contains(&least)), "{report}");
}

/// Arrow keys, one stop for the tabulator key, what is said, the address, a slider.
fn can_be_operated(report: &Value) {
    let ids = |key: &str| -> Vec<&str> {
        report["keys"][key].as_array().expect("presses").iter().filter_map(|p| p["id"].as_str()).collect()
    };
    assert_eq!((ids("Home"), ids("ArrowLeft")), (vec!["token-0"], vec!["token-1"]));
    assert_eq!(ids("ArrowRight"), ["token-1", "token-2"]);
    assert_eq!((ids("End"), ids("PageUp")), (vec!["token-29"], vec!["token-19"]));
    for press in report["keys"].as_object().expect("keys").values().filter_map(Value::as_array).flatten() {
        assert_eq!((&press["focus"], press["stops"].as_u64()), (&press["id"], Some(1)), "{press}");
    }
    assert!(report["live"].as_str().is_some_and(|text| text.contains("Other candidates")), "{report}");
    assert!(report["hash"].as_str().is_some_and(|hash| hash.starts_with("#token=19")), "{report}");
    let [before, after, back] = [&report["sharpened"][0], &report["sharpened"][1], &report["back"]]
        .map(|v| v.as_f64().expect("a number"));
    assert!(after >= before && back == before, "{report}");
}

#[test]
fn everything_can_be_read_and_reached() {
    let Some(browser) = chromium() else { return };
    let siskin = Siskin::new();
    let flags = ["--seed", "5", "-n", "24", "--ignore-eos", "--with-prompt", "--stop", "zebra"];
    let page = page(&siskin, &[&flags[..], &["The cat sat on the"]].concat());
    let reports = checked(&browser, &siskin, &page, &[(1300, false), (360, false), (800, true)]);
    reports.iter().for_each(can_be_read);
    reports.iter().for_each(can_be_operated);
}

#[test]
fn no_token_breaks_out_of_the_page() {
    let Some(browser) = chromium() else { return };
    let siskin = Siskin::new();
    let hostile = "</script><img src=x onerror=document.title='broken'><b>&lt;{{script}}\u{2028}\u{202e}";
    let page = page(&siskin, &["--temp", "0", "-n", "3", "--with-prompt", "--stop", "</title><i>", hostile]);
    let source = std::fs::read_to_string(&page).expect("the page");
    assert_eq!(source.matches("</script>").count(), 2, "the data's and the script's");
    let dom = dom(&browser, &siskin, &page, "#token=%3Cimg%3E&tint=%3Cb%3E&temp=-1&top_k=x");
    assert!(dom.contains("<span id=\"clipped\">"), "a surprise beyond the axis");
    assert!(!dom.contains("<img") && !dom.contains("<title>broken") && !dom.contains("<i>x"), "{dom}");
    let part =
        dom.split_once("id=\"text\"").expect("the text").1.split_once("id=\"legend\"").expect("its end").0;
    let without_tags: String =
        part.split('<').filter_map(|rest| rest.split_once('>')).map(|(_, text)| text).collect();
    let text = without_tags.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    assert!(text.contains("</script><img src=x onerror=") && text.contains("<b>&lt;{{script}}"), "{text}");
    assert!(!text.contains(['\u{2028}', '\u{202e}']), "{text}");
}

#[test]
fn beams_are_drawn() {
    let Some(browser) = chromium() else { return };
    let siskin = Siskin::new();
    let page = page(&siskin, &["--beams", "4", "-n", "12", "--num-return", "3", "The little dog wanted to"]);
    let dom = dom(&browser, &siskin, &page, "");
    let tree = dom.split_once("id=\"tree\"").expect("a tree").1.split_once("</svg>").expect("its end").0;
    assert!(
        tree.matches("<rect").count() >= 6 && tree.contains("<g class=\"best\"") && tree.contains("<circle"),
        "{tree}"
    );
    let list =
        dom.split_once("id=\"tree-list\"").expect("a list").1.split_once("</details>").expect("its end").0;
    assert_eq!(list.matches("<li>").count(), tree.matches("<rect").count(), "{list}");
    let table =
        dom.split_once("id=\"continuations\"").expect("a table").1.split_once("</tbody>").expect("its end").0;
    assert_eq!(table.matches("<tr").count(), 3, "{table}");
    assert!(dom.contains("id=\"beams-part\" aria-labelledby=\"beams-heading\">"), "shown");
    assert!(dom.contains("<span id=\"clipped\" hidden"), "all dots are within the axis");
}

/// Whether the first box of the best path can be seen, and whether it all can.
const LOOK: &str = r##"
addEventListener("load", () => {
  const tree = document.getElementById("tree"), outer = tree.getBoundingClientRect();
  const inner = tree.querySelector("g.best rect").getBoundingClientRect();
  const found = { seen: inner.top >= outer.top && inner.bottom <= outer.bottom, all: tree.scrollHeight <= tree.clientHeight };
  document.body.append(Object.assign(document.createElement("pre"), { textContent: JSON.stringify(found) }));
});
"##;

#[test]
fn a_large_tree_begins_at_the_best() {
    let Some(browser) = chromium() else { return };
    let siskin = Siskin::new();
    let page = page(&siskin, &["--beams", "24", "-n", "16", "Once upon a time"]);
    let checked = with_script(&siskin, &page, LOOK);
    let found = reports(&dom(&browser, &siskin, &checked, "")).remove(0);
    assert_eq!((&found["seen"], &found["all"]), (&true.into(), &false.into()));
}
