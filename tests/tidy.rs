//! The rules of the house, as far as a program can check them: headers, arrows between rooms, where `unsafe` may stand, sizes, and
//! commands, flags and tests that the documents name or should name.

mod util;

use std::path::{Path, PathBuf};
use util::Siskin;

/// Rooms of the library and the rooms that each may import; `error` wraps all of them for callers.
const ARROWS: &[(&str, &[&str])] = &[
    ("unwinder", &[]),
    ("gguf", &[]),
    ("tensor", &[]),
    ("machine", &[]),
    ("topology", &["machine"]),
    ("threads", &["topology"]),
    ("kv", &[]),
    ("sample", &[]),
    ("stop", &[]),
    ("builtin", &["gguf"]),
    ("tokenizer", &["gguf"]),
    ("chat", &["gguf", "tokenizer"]),
    ("grammar", &["tokenizer"]),
    ("ops", &["tensor", "threads", "topology"]),
    ("model", &["gguf", "kv", "ops", "tensor", "threads", "topology"]),
    ("perplexity", &["kv", "model", "ops"]),
    ("quantize", &["gguf", "threads"]),
    ("score", &["kv", "model", "ops", "sample", "threads", "tokenizer"]),
    ("search", &["sample", "session", "stop", "tokenizer"]),
    ("session", &["gguf", "grammar", "kv", "machine", "model", "ops", "sample", "stop", "tokenizer"]),
    ("batch", &["kv", "machine", "model", "ops", "sample", "session", "stop", "tokenizer"]),
    ("memory", &["gguf", "kv", "machine", "model", "session", "threads", "tokenizer"]),
    ("download", &["gguf"]),
    (
        "open",
        &[
            "batch",
            "builtin",
            "chat",
            "error",
            "gguf",
            "kv",
            "memory",
            "model",
            "ops",
            "score",
            "session",
            "tokenizer",
            "topology",
        ],
    ),
    (
        "error",
        &[
            "chat",
            "download",
            "gguf",
            "grammar",
            "memory",
            "model",
            "perplexity",
            "quantize",
            "sample",
            "score",
            "session",
            "stop",
            "tokenizer",
        ],
    ),
];

/// Longest source file, in lines.
const MAX_LINES: usize = 600;

/// Folders with Rust.
const FOLDERS: &[&str] = &[
    "src",
    "simd/src",
    "simd/tests",
    "simd/benches",
    "simd/examples",
    "tools/src",
    "tools/tests",
    "tests",
    "examples",
    "benches",
    "fuzz/fuzz_targets",
];

/// Where `unsafe` may stand outside of `simd`. `fault.rs`: a signal handler cannot be set without; `meter.rs`: nor an allocator that counts;
/// `unwinder.rs`: nor can functions have names that the linker knows.
const UNSAFE: &[&str] =
    &["src/gguf/fault.rs", "src/gguf/map.rs", "src/threads.rs", "src/unwinder.rs", "tools/src/meter.rs"];

/// Flags of other programs that the README and the book name.
const OTHERS: &[&str] = &[
    "--bench",
    "--bin",
    "--check",
    "--check-reproducible",
    "--container",
    "--example",
    "--features",
    "--ignore-missing",
    "--install",
    "--isa",
    "--no-default-features",
    "--no-install-recommends",
    "--nocapture",
    "--notes",
    "--now",
    "--open",
    "--path",
    "--profile",
    "--release",
    "--small",
    "--target",
    "--test",
    "--workspace",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under a folder.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut folders = vec![root().join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a source file")
}

/// A path as it is below the root, with `/`.
fn below_root(path: &Path) -> String {
    let below = path.strip_prefix(root()).expect("a path below the root");
    below.to_str().expect("a name").replace('\\', "/")
}

/// The pages of the book.
fn book() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("docs/src")).expect("the book");
    let mut pages: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages
}

#[test]
fn every_file_opens_with_its_purpose_and_is_of_bearable_size() {
    for path in FOLDERS.iter().flat_map(|folder| sources(folder)) {
        let text = read(&path);
        assert!(text.starts_with("//! "), "{}: no //! header", path.display());
        let lines = text.lines().count();
        assert!(lines <= MAX_LINES, "{}: {lines} lines, at most {MAX_LINES}", path.display());
    }
}

#[test]
fn nothing_is_left_unfinished() {
    for path in FOLDERS.iter().flat_map(|folder| sources(folder)) {
        let text = read(&path);
        for word in [
            concat!("todo", "!("),
            concat!("unimplemented", "!("),
            concat!("dbg", "!("),
            concat!("#[ign", "ore"),
            concat!("// TO", "DO"),
            concat!("// FIX", "ME"),
        ] {
            assert!(!text.contains(word), "{}: {word}", path.display());
        }
    }
}

/// The identifier that a text begins with.
fn identifier(text: &str) -> &str {
    let text = text.trim_start();
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// The first names of a path, several if it is a group: of `{a::b, c}`, `a` and `c`.
fn first_names(path: &str) -> Vec<&str> {
    let Some(group) = path.strip_prefix('{') else { return vec![identifier(path)] };
    let (mut names, mut deep) = (vec![identifier(group)], 0);
    for (at, c) in group.char_indices() {
        match c {
            '{' => deep += 1,
            '}' if deep == 0 => break,
            '}' => deep -= 1,
            ',' if deep == 0 => names.push(identifier(&group[at + 1..])),
            _ => {}
        }
    }
    names
}

/// The rooms that a text of a module so deep in the crate names: behind `crate::`, and behind as many `super::` as lead there.
fn named_rooms(text: &str, depth: usize) -> Vec<&str> {
    let mut names: Vec<&str> =
        text.match_indices("crate::").flat_map(|(at, word)| first_names(&text[at + word.len()..])).collect();
    // how far in the modules begin that stand in the file itself, and are not yet closed
    let (mut inner, mut at): (Vec<usize>, usize) = (Vec::new(), 0);
    for line in text.split_inclusive('\n') {
        let (code, indent) = (line.trim(), line.len() - line.trim_start().len());
        if code == "}" && inner.last() == Some(&indent) {
            inner.pop();
        }
        let up = "super::".repeat(depth + inner.len());
        let starts = line.match_indices(&up).filter(|(start, _)| !line[..*start].ends_with("super::"));
        names.extend(starts.flat_map(|(start, _)| first_names(&text[at + start + up.len()..])));
        if code.ends_with('{') && code.split(' ').take(2).any(|word| word == "mod") {
            inner.push(indent);
        }
        at += line.len();
    }
    names
}

#[test]
fn every_way_to_name_a_room_is_seen() {
    assert_eq!(first_names("a::B;"), ["a"]);
    assert_eq!(first_names("{a::{self, b}, c,\n    d::E as F};\nuse x;"), ["a", "c", "d"]);
    let text = [
        "use crate::a::B;",
        "use super::super::{b, c::D};",
        "use super::own::E;",
        "pub(crate) mod inner {",
        "    use super::super::own;",
        "    use super::super::super::d::F;",
        "}",
        "use super::super::e;",
    ]
    .join("\n");
    assert_eq!(named_rooms(&text, 2), ["a", "b", "c", "d", "e"]);
    assert_eq!(named_rooms("use super::a;", 1), ["a"]);
}

#[test]
fn imports_point_downward() {
    for path in sources("src") {
        let below = path.strip_prefix(root().join("src")).expect("a path below src");
        let parts: Vec<&str> = below.iter().map(|part| part.to_str().expect("a name")).collect();
        let room = parts[0].trim_end_matches(".rs");
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == room) else {
            assert!(["lib", "main", "cli"].contains(&room), "{}: a room without arrows", path.display());
            continue;
        };
        let depth = parts.len() - usize::from(parts.last() == Some(&"mod.rs"));
        for name in named_rooms(&read(&path), depth) {
            let known = ARROWS.iter().any(|(other, _)| *other == name);
            let fine = !known || name == room || allowed.contains(&name);
            assert!(fine, "{}: {room} must not know {name}", path.display());
        }
    }
}

#[test]
fn unsafe_stands_only_where_it_is_allowed() {
    for path in FOLDERS.iter().filter(|folder| !folder.starts_with("simd")).flat_map(|folder| sources(folder))
    {
        let name = below_root(&path);
        let found = read(&path).lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            [concat!("unsafe", " "), concat!("unsafe", "(")].iter().any(|word| code.contains(word))
        });
        assert_eq!(found, UNSAFE.contains(&name.as_str()), "{name}: unsafe, or allowed to be and is not");
    }
}

/// Whether a text has a flag as a word of its own: `--stop-regex` is no `--stop`.
fn has_flag(text: &str, flag: &str) -> bool {
    let goes_on = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || c == '-');
    text.match_indices(flag).any(|(at, _)| !goes_on(&text[at + flag.len()..]))
}

/// The names of the commands, as the help lists them.
fn commands(siskin: &Siskin) -> Vec<String> {
    let help = siskin.run(["--help"]).ok();
    let listed = help.split_once("Commands:").expect("a list of commands").1.lines().skip(1);
    // a name has two blanks before it, what it does has more
    let names = listed.take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_whitespace().next());
    let commands: Vec<String> = names.filter(|name| *name != "help").map(str::to_owned).collect();
    assert!(commands.iter().any(|name| name == "generate") && commands.len() > 8, "{help}");
    commands
}

#[test]
fn the_page_of_each_command_knows_its_flags_and_the_readme_knows_the_page() {
    let siskin = Siskin::new();
    let page = |name: &str| read(&root().join("docs/src").join(name).with_extension("md"));
    let (readme, everywhere) = (read(&root().join("README.md")), page("commands"));
    for command in commands(&siskin) {
        assert!(readme.contains(&format!("(docs/src/{command}.md)")), "README.md: {command} is missing");
        let mut text = page(&command);
        // their pages have what they add to the flags of `generate`
        if ["trace", "chat", "batch"].contains(&command.as_str()) {
            text += &page("generate");
        }
        let help = siskin.run([&command, "-h"]).ok();
        let flags = help.split_whitespace().filter(|word| word.starts_with("--") && word.len() > 2);
        // such as `--flag,` and `--flag[=<VALUE>]`
        let names = flags.filter_map(|flag| flag.split(|c: char| !c.is_alphanumeric() && c != '-').next());
        for flag in names {
            assert!(
                ["--help", "--model"].contains(&flag) || has_flag(&text, flag) || has_flag(&everywhere, flag),
                "docs/src/{command}.md: {flag} is missing"
            );
        }
    }
}

/// The flags that a text names.
fn flags(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    words.filter(|word| {
        word.strip_prefix("--").is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
    })
}

/// The flags that the tables of a page explain: those in the first cells of rows.
fn explained(page: &str) -> impl Iterator<Item = &str> {
    let rows = page.lines().filter(|line| line.starts_with("| `-"));
    rows.filter_map(|row| row.split('|').nth(1)).flat_map(flags)
}

#[test]
fn no_page_has_a_flag_that_does_not_exist() {
    // a smaller command has fewer
    if !cfg!(all(
        feature = "builtin",
        feature = "chat",
        feature = "download",
        feature = "grammar",
        feature = "quantize",
        feature = "regex"
    )) {
        return;
    }
    let siskin = Siskin::new();
    let help = |command: &String| (command.clone(), siskin.run([command.as_str(), "--help"]).ok());
    let helps: Vec<(String, String)> = commands(&siskin).iter().map(help).collect();
    let all: String = helps.iter().map(|(_, help)| help.as_str()).collect();
    for path in book().into_iter().chain([root().join("README.md")]) {
        let (name, text) = (below_root(&path), read(&path));
        for flag in flags(&text) {
            let known = has_flag(&all, flag) || OTHERS.contains(&flag) || flag == "--version";
            assert!(known, "{name}: {flag} is no flag of siskin, nor of another program that OTHERS has");
        }
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        let Some((command, help)) = helps.iter().find(|(command, _)| command == stem) else { continue };
        for flag in explained(&text) {
            assert!(has_flag(help, flag), "{name}: {flag} is no flag of {command}");
        }
    }
}

#[test]
fn no_link_leaves_the_book() {
    for page in book() {
        let text = read(&page);
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let inside = !target.starts_with('/') && !target.split('/').any(|part| part == "..");
            assert!(inside || target.contains("://"), "{}: {target} leaves the book", below_root(&page));
        }
    }
}

#[test]
fn every_member_promises_the_same_compiler_and_keeps_the_same_lints() {
    let manifest = read(&root().join("Cargo.toml"));
    assert!(manifest.contains("\nrust-version = ") && manifest.contains("\nincompatible_msrv = \"deny\""));
    for member in ["simd", "tools"] {
        let text = read(&root().join(member).join("Cargo.toml"));
        assert!(text.contains("rust-version.workspace = true"), "{member}: another rust-version");
        assert!(text.contains("[lints]\nworkspace = true"), "{member}: other lints");
    }
}

/// What the repository tells its readers.
fn documents() -> Vec<PathBuf> {
    let pages = std::fs::read_dir(root().join("docs/src"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let pages = pages.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.chain(["README.md", "SECURITY.md", "CONTRIBUTING.md"].map(|name| root().join(name))).collect()
}

/// Files and tests of a text, where it says `FILE.rs::TEST`.
fn named_tests(text: &str) -> Vec<(String, &str)> {
    let named = text.split(['`', '\n']).filter_map(|code| code.split_once(".rs::"));
    named.map(|(file, name)| (format!("{file}.rs"), name)).collect()
}

/// Whether a source file has a test of this name, for the harness or for a list of its own.
fn has_test(source: &str, name: &str) -> bool {
    let with_attribute =
        source.split_once(&format!("fn {name}(")).is_some_and(|(before, _)| before.trim_end().ends_with(']'));
    let is_test = with_attribute && source.contains("#[test]");
    is_test || source.contains(&format!("(\"{name}\", {name})"))
}

#[test]
fn tests_that_documents_name_are_there() {
    for page in documents() {
        for (file, name) in named_tests(&read(&page)) {
            let source = std::fs::read_to_string(root().join(&file));
            let source = source.unwrap_or_else(|error| panic!("{}: {file}: {error}", page.display()));
            assert!(has_test(&source, name), "{}: {file} has no test {name}", page.display());
        }
    }
    assert_eq!(named_tests("see `tests/a.rs::b`, `c::d`"), [("tests/a.rs".to_owned(), "b")]);
    let source = "#[test]\nfn a() {}\nfn b() {}\n &[(\"c\", c)]";
    assert_eq!(["a", "b", "c", "d"].map(|name| has_test(source, name)), [true, false, true, false]);
}

#[test]
fn every_fault_in_the_documents_has_its_test() {
    for page in ["docs/src/memory.md", "docs/src/exit-codes.md"] {
        let text = read(&root().join(page));
        let (_, table) = text.split_once("\n| fault |").expect("a table of faults");
        let rows: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
        assert!(rows.len() > 8, "{page}: {rows:?}");
        for row in rows {
            assert!(!named_tests(row).is_empty(), "{page}: no test in {row}");
        }
    }
}
