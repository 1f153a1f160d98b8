//! The recorded files; `tools/goldens/README.md` says what each field means.

use crate::distance::{self, Distance};
use crate::measure;
use serde::Deserialize;
use siskin::kv::KvType;
use siskin_tools::emulated;
use siskin_tools::synth::{self, Mix, Shape};
use std::fs::DirEntry;
use std::path::Path;

/// A model and what other programs compute with it.
#[derive(Deserialize)]
pub struct Golden {
    /// The file's name without its ending.
    #[serde(skip)]
    pub name: String,
    model: Source,
    fnv1a: String,
    pub prompt: Vec<u32>,
    pub ids: Vec<u32>,
    pub argmax: Vec<u32>,
    pub margin: Vec<f64>,
    pub llama_cpp: LlamaCpp,
    rows: Vec<usize>,
    logits: Vec<Vec<f32>>,
    stride: usize,
    sample: Vec<Vec<f32>>,
    logits_kv_f16: Option<Vec<Vec<f32>>>,
}

/// Where the model comes from.
#[derive(Deserialize)]
#[serde(untagged)]
enum Source {
    Synthetic { shape: String, format: String, seed: u64 },
    File { file: String },
}

/// What llama.cpp does, by the type of its keys and values.
#[derive(Deserialize)]
pub struct LlamaCpp {
    kv_f16: Distance,
    kv_f32: Distance,
}

impl LlamaCpp {
    /// Its distance from the oracle.
    pub fn of(&self, kv_type: KvType) -> Distance {
        match kv_type {
            KvType::F32 => self.kv_f32,
            KvType::F16 => self.kv_f16,
            other => panic!("no golden with keys and values as {}", other.name()),
        }
    }
}

/// `stories260K-f32.ref.json`.
#[derive(Deserialize)]
pub struct Reference {
    pub prompt_ids: Vec<u32>,
    pub prompt_logits: Vec<Vec<f32>>,
}

impl Golden {
    /// All goldens, by name.
    pub fn all() -> Vec<Golden> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/goldens");
        let files = std::fs::read_dir(folder).expect("the folder of goldens");
        let read = |file: std::io::Result<DirEntry>| Golden::read(&file.expect("a golden").path());
        let mut all: Vec<Golden> = files.map(|file| read(file).shortened()).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn read(path: &Path) -> Golden {
        let text = std::fs::read_to_string(path).expect("a golden");
        let golden: Golden =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        Golden { name, ..golden }
    }

    /// On an emulated core, up to the second of the rows that are kept whole.
    fn shortened(mut self) -> Golden {
        let whole = if emulated() { 2 } else { self.rows.len() };
        let rows = self.rows[whole - 1] + 1;
        self.ids.truncate(rows - 1);
        self.argmax.truncate(rows);
        self.margin.truncate(rows);
        self.sample.truncate(rows);
        self.rows.truncate(whole);
        self.logits.truncate(whole);
        self.logits_kv_f16.iter_mut().for_each(|logits| logits.truncate(whole));
        self
    }

    /// The model to be made, if it is a synthetic one.
    pub fn synthetic(&self) -> Option<synth::Model> {
        match &self.model {
            Source::Synthetic { shape, format, seed } => {
                let (shape, mix) =
                    (Shape::named(shape).expect("a shape"), Mix::named(format).expect("a format"));
                Some(synth::Model::new(shape, mix, *seed))
            }
            Source::File { .. } => None,
        }
    }

    /// The model's file name, if it is a trained one.
    pub fn file(&self) -> Option<&str> {
        match &self.model {
            Source::Synthetic { .. } => None,
            Source::File { file } => Some(file),
        }
    }

    /// For models of f32 weights: numbers of rows with the logits of an oracle that keeps keys and values in this type.
    pub fn exact(&self, kv_type: KvType) -> impl Iterator<Item = (usize, &[f32])> {
        let logits = match (&self.logits_kv_f16, kv_type) {
            (None, _) => &[],
            (Some(_), KvType::F32) => self.logits.as_slice(),
            (Some(stored), KvType::F16) => stored.as_slice(),
            (Some(_), other) => panic!("no golden with keys and values as {}", other.name()),
        };
        self.rows.iter().copied().zip(logits.iter().map(Vec::as_slice))
    }

    /// The file is the one that the golden was made from.
    pub fn check_hash(&self, path: &Path) {
        let hash = synth::fnv1a(&std::fs::read(path).expect("the model"));
        assert_eq!(
            format!("{hash:016x}"),
            self.fnv1a,
            "{}: another file. If `synth` changed, record again",
            self.name
        );
    }

    /// The largest of the oracle's logits, of either sign.
    pub fn largest(&self) -> f64 {
        measure::largest(self.logits.iter().flatten())
    }

    /// How far logits (after the prompt and after each of the ids) are from the oracle's.
    pub fn distance(&self, rows: &[Vec<f32>]) -> Distance {
        assert_eq!(rows.len(), self.sample.len(), "{}", self.name);
        let kept: Vec<&[f32]> = self.rows.iter().map(|&row| rows[row].as_slice()).collect();
        let differences =
            |ours: &[f32], theirs: &[f32]| measure::differences(ours, theirs).collect::<Vec<f64>>();
        let pairs = || kept.iter().zip(&self.logits);
        let every = |row: &[f32]| row.iter().step_by(self.stride).copied().collect::<Vec<f32>>();
        let sampled =
            rows.iter().zip(&self.sample).flat_map(|(ours, theirs)| differences(&every(ours), theirs));
        Distance {
            rms: distance::root_mean_square(sampled),
            max_abs: pairs()
                .flat_map(|(ours, theirs)| differences(ours, theirs))
                .fold(0.0, |max, d| max.max(d.abs())),
            kl: pairs().map(|(ours, theirs)| measure::divergence(theirs, ours)).sum::<f64>()
                / kept.len() as f64,
        }
    }
}
