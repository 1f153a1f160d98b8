//! Which of a repository's files make up which model, by their names alone: the format that a name states, the parts of a split
//! model, and the choice when the user named no file.

/// Which of a repository's models is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The first of [`DEFAULT_ORDER`] that there is.
    Default,
    /// A format such as `Q4_K_M`, in any case.
    Quant(String),
    /// A file, by its path in the repository.
    File(String),
}

/// Formats in the order in which one is chosen when none is named: small and good first, then what is merely near to it.
pub const DEFAULT_ORDER: [&str; 20] = [
    "Q4_K_M", "Q4_0", "Q8_0", "Q4_K_S", "Q5_K_M", "Q4_1", "IQ4_NL", "IQ4_XS", "MXFP4", "Q5_K_S", "Q5_0",
    "Q5_1", "Q6_K", "Q4_K_L", "Q3_K_M", "Q3_K_L", "Q2_K", "F16", "BF16", "F32",
];

/// How names of block formats begin; a number of bits follows.
const FAMILIES: [&str; 5] = ["IQ", "TQ", "Q", "MXFP", "NVFP"];
/// Plain floats.
const FLOATS: [&str; 5] = ["F16", "F32", "BF16", "FP16", "FP32"];

/// One model among the files: a file, or all parts of a split one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The format that its name states, in upper case; empty if it states none.
    pub quant: String,
    /// Path of the (first) file.
    pub path: String,
    /// Indices of its files, in order.
    pub files: Vec<usize>,
    /// The first of its parts that is not among the files.
    pub missing: Option<String>,
}

/// Why there is no choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoChoice {
    /// No model is among the files.
    NoModels,
    /// No model is of this format, or no file has this name; the formats or names that there are.
    NotFound(Vec<String>),
    /// Several are; their paths.
    Ambiguous(Vec<String>),
    /// A part of a split model is not among the files.
    MissingPart(String),
}

/// Chooses one of the models among `paths`.
pub fn choose<S: AsRef<str>>(paths: &[S], wanted: &Wanted) -> Result<Candidate, NoChoice> {
    let candidates = candidates(paths);
    if candidates.is_empty() {
        return Err(NoChoice::NoModels);
    }
    let matching = match wanted {
        Wanted::Default => by_default_order(&candidates),
        Wanted::Quant(quant) => by_quant(&candidates, quant),
        Wanted::File(path) => candidates.iter().filter(|c| has_file(c, paths, path)).collect(),
    };
    match matching[..] {
        [Candidate { missing: Some(part), .. }] => Err(NoChoice::MissingPart(part.clone())),
        [one] => Ok(one.clone()),
        [] => Err(NoChoice::NotFound(match wanted {
            Wanted::Quant(_) => quants(&candidates),
            _ => candidates.into_iter().map(|candidate| candidate.path).collect(),
        })),
        _ => Err(NoChoice::Ambiguous(matching.iter().map(|candidate| candidate.path.clone()).collect())),
    }
}

/// The formats of candidates, each once, sorted; of those that state none, the paths.
fn quants(candidates: &[Candidate]) -> Vec<String> {
    let name = |c: &Candidate| if c.quant.is_empty() { c.path.clone() } else { c.quant.clone() };
    let mut names: Vec<String> = candidates.iter().map(name).collect();
    names.sort();
    names.dedup();
    names
}

fn by_default_order(candidates: &[Candidate]) -> Vec<&Candidate> {
    let found = DEFAULT_ORDER.iter().map(|quant| by_quant(candidates, quant)).find(|found| !found.is_empty());
    found.unwrap_or_else(|| candidates.iter().collect())
}

/// Those of exactly this format, or else of a variant of it, such as `UD-Q4_K_XL` for `Q4_K_XL`.
fn by_quant<'a>(candidates: &'a [Candidate], quant: &str) -> Vec<&'a Candidate> {
    let quant = quant.to_ascii_uppercase();
    let exact: Vec<&Candidate> = candidates.iter().filter(|c| c.quant == quant).collect();
    if !exact.is_empty() {
        return exact;
    }
    let variant = |c: &&Candidate| c.quant.strip_prefix("UD-").is_some_and(|rest| rest == quant);
    candidates.iter().filter(variant).collect()
}

fn has_file<S: AsRef<str>>(candidate: &Candidate, paths: &[S], wanted: &str) -> bool {
    let is_it = |path: &str| path == wanted || file_name(path) == wanted;
    candidate.files.iter().filter_map(|&i| paths.get(i)).any(|path| is_it(path.as_ref()))
}

/// Every model among the files, in their order.
pub fn candidates<S: AsRef<str>>(paths: &[S]) -> Vec<Candidate> {
    let mut out: Vec<Candidate> = Vec::new();
    for (index, path) in paths.iter().map(AsRef::as_ref).enumerate().filter(|(_, path)| is_model(path)) {
        let quant = quant_of(path).unwrap_or_default();
        let Some(split) = split_name(path) else {
            out.push(Candidate { quant, path: path.to_owned(), files: vec![index], missing: None });
            continue;
        };
        let first = split.path(1);
        if out.iter().any(|candidate| candidate.path == first) {
            continue;
        }
        let place = |name: &String| paths.iter().position(|path| path.as_ref() == name);
        let names = || (1..=split.count).map(|no| split.path(no));
        let files = names().filter_map(|name| place(&name)).collect();
        out.push(Candidate {
            quant,
            path: first,
            files,
            missing: names().find(|name| place(name).is_none()),
        });
    }
    out
}

/// GGUF files that hold something else than a language model are left out: image projectors and importance matrices.
fn is_model(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    name.ends_with(".gguf") && !name.starts_with("mmproj") && !name.contains("imatrix")
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A path of the form `PREFIX-00002-of-00003.gguf`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitName {
    prefix: String,
    /// From 1.
    no: u32,
    /// Parts.
    pub count: u32,
}

impl SplitName {
    /// The path of part `no`, from 1.
    pub fn path(&self, no: u32) -> String {
        format!("{}-{no:05}-of-{:05}.gguf", self.prefix, self.count)
    }
}

/// More parts than any model has: bounds what a name can ask for.
const MAX_PARTS: u32 = 1000;

/// `None` for a path that is not one of several parts.
pub fn split_name(path: &str) -> Option<SplitName> {
    let (rest, count) = path.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    let (prefix, no) = rest.rsplit_once('-')?;
    let number = |digits: &str| digits.len() == 5 && digits.bytes().all(|b| b.is_ascii_digit());
    let (no, count) = (number(no).then(|| no.parse().ok())??, number(count).then(|| count.parse().ok())??);
    let sensible = (1..=count).contains(&no) && (2..=MAX_PARTS).contains(&count);
    sensible.then(|| SplitName { prefix: prefix.to_owned(), no, count })
}

/// The format that a file's name states, in upper case: the last part of the name, between `-`, `.` and `/`, that reads like one.
pub fn quant_of(path: &str) -> Option<String> {
    let stem = match split_name(path) {
        Some(split) => split.prefix,
        None => path.get(..path.len().checked_sub(".gguf".len())?)?.to_owned(),
    };
    let name = stem.rsplit('/').next()?.to_ascii_uppercase();
    let parts: Vec<&str> = name.split(['-', '.']).collect();
    let (index, quant) = (0..parts.len()).rev().find_map(|i| Some((i, quant_in(parts.get(i)?)?)))?;
    let dynamic = index > 0 && parts.get(index - 1) == Some(&"UD");
    Some(if dynamic { format!("UD-{quant}") } else { quant.to_owned() })
}

/// The end of a part that reads like a format: `Q4_K_M`, or the end of `MODEL_Q4_K_M`.
fn quant_in(part: &str) -> Option<&str> {
    let starts = std::iter::once(0).chain(part.match_indices('_').map(|(at, _)| at + 1));
    starts.filter_map(|at| part.get(at..)).find(|text| reads_like_a_quant(text))
}

/// A float, or a family, one digit, and then nothing but parts after underscores.
fn reads_like_a_quant(text: &str) -> bool {
    let is_block = |family: &&str| {
        let Some(rest) = text.strip_prefix(*family) else { return false };
        let mut rest = rest.chars();
        rest.next().is_some_and(|c| c.is_ascii_digit()) && rest.next().is_none_or(|c| c == '_')
    };
    FLOATS.contains(&text) || FAMILIES.iter().any(is_block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_in_names() {
        for (path, quant) in [
            ("tinyllama-1.1b-chat-v1.0.Q4_K_M.gguf", "Q4_K_M"),
            ("Phi-3-mini-4k-instruct-q4.gguf", "Q4"),
            ("gemma-3-1b-it-qat-q4_0.gguf", "Q4_0"),
            ("Qwen3-0.6B-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
            ("Meta_Llama_Q8_0.gguf", "Q8_0"),
            ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
            ("Qwen3-4B-IQ4_XS.gguf", "IQ4_XS"),
            ("model-bf16.gguf", "BF16"),
            ("SmolLM2-360M-Instruct-f16.gguf", "F16"),
            ("BitNet-TQ2_0.gguf", "TQ2_0"),
            ("Q8_0/Big-Q8_0-00001-of-00003.gguf", "Q8_0"),
            ("a.Q4_K_M-imat.gguf", "Q4_K_M"),
        ] {
            assert_eq!(quant_of(path).as_deref(), Some(quant), "{path}");
        }
        for path in ["model.gguf", "Qwen3-4B.gguf", "F1-score.gguf", ".gguf", "x", "Q-16.gguf", "\u{e9}.gguf"]
        {
            assert_eq!(quant_of(path), None, "{path}");
        }
    }

    const FILES: [&str; 9] = [
        "README.md",
        "m-Q8_0.gguf",
        "m-Q4_0.gguf",
        "mmproj-m-Q4_K_M.gguf",
        "m-q4_k_m.gguf",
        "m-UD-Q2_K_XL.gguf",
        "big/m-F16-00002-of-00002.gguf",
        "big/m-F16-00001-of-00002.gguf",
        "m.imatrix.gguf",
    ];

    fn chosen(files: &[&str], wanted: Wanted) -> Vec<usize> {
        choose(files, &wanted).unwrap_or_else(|error| panic!("{wanted:?}: {error:?}")).files
    }

    #[test]
    fn the_default_and_what_is_named() {
        assert_eq!(chosen(&FILES, Wanted::Default), [4]);
        assert_eq!(chosen(&FILES[..4], Wanted::Default), [2]);
        assert_eq!(chosen(&["x.gguf"], Wanted::Default), [0]);
        assert_eq!(chosen(&FILES, Wanted::Quant("q8_0".into())), [1]);
        assert_eq!(chosen(&FILES, Wanted::Quant("Q2_K_XL".into())), [5]);
        assert_eq!(chosen(&FILES, Wanted::Quant("F16".into())), [7, 6]);
        assert_eq!(chosen(&FILES, Wanted::File("m-Q8_0.gguf".into())), [1]);
        assert_eq!(chosen(&FILES, Wanted::File("m-F16-00002-of-00002.gguf".into())), [7, 6]);
    }

    #[test]
    fn what_cannot_be_chosen_says_what_there_is() {
        let not = |files: &[&str], wanted| choose(files, &wanted).expect_err("no choice");
        assert_eq!(not(&["README.md"], Wanted::Default), NoChoice::NoModels);
        let NoChoice::NotFound(names) = not(&FILES, Wanted::Quant("Q3_K".into())) else { panic!("found") };
        assert_eq!(names, ["F16", "Q4_0", "Q4_K_M", "Q8_0", "UD-Q2_K_XL"]);
        let two = ["a-Q4_0.gguf", "b-Q4_0.gguf"];
        assert!(matches!(not(&two, Wanted::Default), NoChoice::Ambiguous(files) if files == two));
        let missing = not(&["m-00001-of-00002.gguf"], Wanted::Default);
        assert_eq!(missing, NoChoice::MissingPart("m-00002-of-00002.gguf".into()));
        assert!(matches!(not(&["m-00002-of-00002.gguf"], Wanted::Default), NoChoice::MissingPart(_)));
    }

    #[test]
    fn huge_counts_of_parts_are_not_believed() {
        assert_eq!(split_name("m-00001-of-99999.gguf"), None);
        assert_eq!(split_name("m-00003-of-00002.gguf"), None);
        assert_eq!(split_name("m-00001-of-00001.gguf"), None);
    }
}
