//! Headless Chromium on the page of `siskin trace --html`, with scripts behind the page's own.

use super::run;
use crate::util::Siskin;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The browser; `None`, with a word about it, where there is none. `SISKIN_REQUIRE=chromium` makes that a failure.
pub fn chromium() -> Option<PathBuf> {
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
pub fn dom(browser: &Path, siskin: &Siskin, page: &Path, fragment: &str) -> String {
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
pub fn page(siskin: &Siskin, flags: &[&str]) -> PathBuf {
    run(siskin, "trace", &[&["--html", "page.html"], flags].concat()).ok();
    siskin.dir.path().join("page.html")
}

/// The page with another script behind its own.
pub fn with_script(siskin: &Siskin, page: &Path, script: &str) -> PathBuf {
    let text = std::fs::read_to_string(page).expect("the page");
    let checked = text.replace("</body>", &format!("<script>{script}</script></body>"));
    siskin.file("checked.html", checked.as_bytes())
}

/// The JSON texts that a document has in `<pre>` elements.
pub fn reports(dom: &str) -> Vec<Value> {
    let texts = dom.split("<pre>").skip(1).map(|rest| rest.split_once("</pre>").expect("its end").0);
    let json = texts.map(|text| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"));
    json.map(|json| serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))).collect()
}

/// What a script finds in a page at an address; `parts` stand in place of capitals in the script.
pub fn found(
    browser: &Path,
    siskin: &Siskin,
    page: &Path,
    fragment: &str,
    script: &str,
    parts: &[(&str, &Value)],
) -> Value {
    let mut script = format!("{}\n{script}", include_str!("../data/trace_table.js"));
    for (name, value) in parts {
        script = script.replace(name, &value.to_string());
    }
    let checked = with_script(siskin, page, &script);
    let mut reports = reports(&dom(browser, siskin, &checked, fragment));
    assert_eq!(reports.len(), 1, "the script came to no end");
    reports.remove(0)
}
