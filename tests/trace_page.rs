//! The page of `siskin trace --html` in headless Chromium, where that is installed: its numbers beside those computed here, its keyboard, its
//! contrast, and texts that try to break out. `SISKIN_REQUIRE=chromium` makes a missing browser a failure.

mod util;

use serde_json::Value;
use siskin::sample::{Candidate, Context, Observer, Options, Sampler};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use util::Siskin;

/// What runs in the page to check it.
const CHECK: &str = include_str!("data/trace_check.js");

/// The browser; `None`, with a word about it, where there is none.
fn chromium() -> Option<PathBuf> {
    if siskin_tools::emulated() {
        eprintln!("skipped: the page is the same from every CPU");
        return None;
    }
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name))).find(|p| p.is_file());
    let required = std::env::var("SISKIN_REQUIRE").unwrap_or_default();
    assert!(found.is_some() || !required.split(',').any(|word| word == "chromium"), "chromium is missing");
    if found.is_none() {
        eprintln!("skipped: chromium is missing");
    }
    found
}

/// The document as it is once the page's script has run.
fn dom(browser: &Path, siskin: &Siskin, page: &Path, fragment: &str) -> String {
    let profile = siskin.dir.path().join("profile");
    let mut command = Command::new(browser);
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--hide-scrollbars",
    ]);
    command.args([
        "--disable-background-networking",
        "--disable-component-update",
        "--virtual-time-budget=2000",
    ]);
    command.arg(format!("--user-data-dir={}", profile.display()));
    command.args(["--dump-dom", &format!("file://{}{fragment}", page.display())]);
    let output = command.output().expect("the browser starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a document in UTF-8")
}

/// The page of a run with these flags, and its path.
fn page(siskin: &Siskin, flags: &[&str]) -> PathBuf {
    let model = util::model();
    let model = model.to_str().expect("a UTF-8 path");
    siskin.run([&["trace", "-m", model, "--html", "page.html"], flags].concat()).ok();
    siskin.dir.path().join("page.html")
}

#[derive(Default)]
struct Last(Vec<Candidate>);

impl Observer for Last {
    fn after(&mut self, _step: &'static str, candidates: &[Candidate]) {
        self.0 = candidates.to_vec();
    }
}

/// Temperature, top-k, top-p, min-p: as in the run; exact without a filter; between two known points; filters that cut; greedy.
const SETTINGS: [(f32, u32, f32, f32); 5] =
    [(0.8, 40, 0.95, 0.05), (0.5, 0, 1.0, 0.0), (0.9, 0, 1.0, 0.0), (1.3, 12, 0.9, 0.02), (0.0, 0, 1.0, 0.0)];

/// Goes to one address after the other, and reports the table that each shows.
const VISIT: &str = r##"
addEventListener("load", async () => {
  const found = [];
  for (const hash of HASHES) {
    location.hash = hash;
    await new Promise((done) => setTimeout(done, 20));
    const rows = [...document.querySelectorAll("#candidates tr[data-drawn]")];
    found.push({
      heading: document.getElementById("token-heading").textContent,
      error: Number(document.getElementById("exactness").dataset.error),
      rest: ["low", "high"].map((name) => Number(document.getElementById("rest").dataset[name])),
      rows: rows.map(({ dataset }) => [dataset.token, dataset.drawn].map(Number)),
    });
  }
  document.body.append(Object.assign(document.createElement("pre"), { textContent: JSON.stringify(found) }));
});
"##;

/// The page with another script behind its own.
fn with_script(siskin: &Siskin, page: &Path, script: &str) -> PathBuf {
    let text = std::fs::read_to_string(page).expect("the page");
    let checked = text.replace("</body>", &format!("<script>{script}</script></body>"));
    siskin.file("checked.html", checked.as_bytes())
}

/// The JSON texts that a document has in `<pre>` elements.
fn reports(dom: &str) -> Vec<Value> {
    let texts = dom.split("<pre>").skip(1).map(|rest| rest.split_once("</pre>").expect("its end").0);
    let json = texts.map(|text| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"));
    json.map(|json| serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))).collect()
}

#[test]
fn sliders_reshape_the_recorded_logits_as_the_sampler_would() {
    let Some(browser) = chromium() else { return };
    let siskin = Siskin::new();
    let flags = ["--seed", "5", "-n", "6", "--ignore-eos", "Once upon a time, there was a"];
    let page = page(&siskin, &flags);
    let model = util::model();
    let model = model.to_str().expect("a UTF-8 path");
    siskin.run([&["generate", "-m", model, "--logits", "l.npy"], &flags[..]].concat()).ok();
    let all = util::npy(&siskin.dir.path().join("l.npy"));
    let position = all.len() - 5;
    let row = &all[position - 1];
    let hash = |(temp, top_k, top_p, min_p)| {
        format!("#token={position}&temp={temp}&top_k={top_k}&top_p={top_p}&min_p={min_p}")
    };
    let hashes = serde_json::to_string(&SETTINGS.map(hash)).expect("json");
    let checked = with_script(&siskin, &page, &VISIT.replace("HASHES", &hashes));
    let found = reports(&dom(&browser, &siskin, &checked, "")).remove(0);
    for (i, (temp, top_k, top_p, min_p)) in SETTINGS.into_iter().enumerate() {
        let mut options = Options::default();
        (options.temperature, options.top_k, options.top_p, options.min_p) = (temp, top_k, top_p, min_p);
        let mut last = Last::default();
        let mut sampler = Sampler::new(options, row.len()).expect("options");
        let choice = sampler.sample_observed(row, &Context::default(), &mut last).expect("a choice");
        let expected: HashMap<u64, f64> = match temp {
            0.0 => HashMap::from([(u64::from(choice.token), 1.0)]),
            _ => last.0.iter().map(|c| (u64::from(c.token), f64::from(c.probability))).collect(),
        };
        let (found, number) = (&found[i], |value: &Value| value.as_f64().expect("a number"));
        assert!(
            found["heading"].as_str().is_some_and(|text| text.starts_with(&format!("Token {position}:")))
        );
        let (error, rows) = (number(&found["error"]), found["rows"].as_array().expect("rows"));
        assert!(error < 0.02 && rows.len() >= 12, "{found}");
        for row in rows {
            let expected = row[0].as_u64().and_then(|token| expected.get(&token)).copied().unwrap_or(0.0);
            assert!((number(&row[1]) - expected).abs() <= error + 2e-6, "{temp} {top_k} {row}: {expected}");
        }
        if temp == 0.9 {
            let recorded: f64 = last.0.iter().take(64).map(|c| f64::from(c.probability)).sum();
            let [low, high] = [0, 1].map(|end| number(&found["rest"][end]));
            assert!(
                low < high && (low - 1e-6..=high + 1e-6).contains(&(1.0 - recorded)),
                "{found} {recorded}"
            );
        }
    }
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
