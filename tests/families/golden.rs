//! The recorded files: what llama.cpp computes with a model, and how far other logits are from it.

use super::measure;
use serde::Deserialize;
use siskin::gguf::Gguf;
use siskin::model::Model;
use siskin_tools::emulated;
use siskin_tools::synth::{self, Mix, Shape};
use std::path::Path;

/// What llama.cpp computes with a model's weights written out as floats.
#[derive(Deserialize)]
pub struct Golden {
    /// The file's name without its ending.
    #[serde(skip)]
    pub name: String,
    pub model: Source,
    fnv1a: String,
    pub prompt: Vec<u32>,
    /// What the prompt goes on with, each id the likeliest.
    pub ids: Vec<u32>,
    /// Standard deviation of all logits.
    pub deviation: f64,
    /// With quantized weights: what llama.cpp makes of the file as it is.
    pub llama_cpp: Option<Divergence>,
    unit: f64,
    logits: Vec<String>,
    /// The logits after the prompt and after each of `ids`.
    #[serde(skip)]
    pub rows: Vec<Vec<f32>>,
}

/// How `synth` makes the model.
#[derive(Deserialize)]
pub struct Source {
    pub shape: String,
    pub format: String,
    seed: u64,
}

/// Divergence from the recorded distributions, in nats, over all rows.
#[derive(Clone, Copy, Deserialize)]
pub struct Divergence {
    pub mean: f64,
    pub worst: f64,
}

/// How far one row of logits is from the recorded one.
pub struct Distance {
    /// Largest difference.
    pub largest: f64,
    /// Divergence of the distributions, in nats.
    pub divergence: f64,
    /// How far the recorded likeliest id leads.
    pub lead: f64,
    /// Whether it is the likeliest here too.
    pub same_top: bool,
}

impl Distance {
    fn new(ours: &[f32], theirs: &[f32]) -> Distance {
        Distance {
            largest: measure::differences(ours, theirs).fold(0.0f64, |max, d| max.max(d.abs())),
            divergence: measure::divergence(theirs, ours),
            lead: lead(theirs),
            same_top: measure::argmax(ours) == measure::argmax(theirs),
        }
    }
}

/// How far the largest leads.
fn lead(row: &[f32]) -> f64 {
    let mut sorted = row.to_vec();
    sorted.sort_by(f32::total_cmp);
    let [.., second, first] = sorted[..] else { panic!("fewer than two ids") };
    f64::from(first) - f64::from(second)
}

/// Values of 16-bit integers, written as four hexadecimal digits each.
fn from_hex(digits: &str, unit: f64) -> Vec<f32> {
    let value = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).expect("ASCII");
        u16::from_str_radix(digits, 16).expect("hexadecimal digits").cast_signed()
    };
    digits.as_bytes().chunks(4).map(|digits| (f64::from(value(digits)) * unit) as f32).collect()
}

impl Golden {
    /// All goldens, by name.
    pub fn all() -> Vec<Golden> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families");
        let files = std::fs::read_dir(folder).expect("the folder of goldens");
        let mut all: Vec<Golden> = files.map(|file| Golden::read(&file.expect("a golden").path())).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Those of each kind of model, for what takes long: all but narrow ones, which have no part of their own; on an emulated core, where floats are
    /// some fifty times slower, quantized ones of full attention, of windows, of experts, of convolutions and of states, and of windows and of states in
    /// F16; there prompts are only a little longer than the windows.
    pub fn of_each_kind() -> impl Iterator<Item = Golden> {
        const KINDS: [&str; 5] = ["tiny-gemma2", "tiny-qwen35", "tiny-llama3", "tiny-qwen3moe", "tiny-lfm2"];
        let is_taken = |Source { shape, format, .. }: &Source| {
            let kinds = if format == "F16" { &KINDS[..2] } else { &KINDS };
            let narrow = shape.starts_with("narrow-");
            if emulated() { kinds.contains(&shape.as_str()) } else { !narrow }
        };
        Golden::all().into_iter().filter(move |golden| is_taken(&golden.model)).map(Golden::shortened)
    }

    /// On an emulated core, with the beginning of its prompt.
    pub fn shortened(mut self) -> Golden {
        if emulated() {
            self.prompt.truncate(20);
        }
        self
    }

    /// Its shape, but on an emulated core, where layers take turns, a layer of each kind.
    pub fn shape(&self) -> Shape {
        let shape = Shape::named(&self.model.shape).expect("a shape");
        let turns = shape.parts.convolution.is_some() || shape.parts.delta_net.is_some();
        Shape { layers: if emulated() && turns { 2 } else { shape.layers }, ..shape }
    }

    /// A model of [`Golden::shape`], for what is not beside the recorded logits.
    pub fn model(&self, folder: &Path) -> Model {
        let path = folder.join(&self.name);
        let mix = Mix::named(&self.model.format).expect("a format");
        synth::Model::new(self.shape(), mix, self.model.seed).save(&path).expect("room for a small file");
        Model::load(&Gguf::open(&path).expect("the model opens")).expect("it is a model")
    }

    /// The one of this name.
    pub fn named(name: &str) -> Golden {
        Golden::all().into_iter().find(|golden| golden.name == name).expect("a golden")
    }

    fn read(path: &Path) -> Golden {
        let text = std::fs::read_to_string(path).expect("a golden");
        let golden: Golden =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let rows: Vec<_> = golden.logits.iter().map(|digits| from_hex(digits, golden.unit)).collect();
        assert_eq!(rows.len(), golden.ids.len() + 1, "{name}");
        Golden { name, rows, ..golden }
    }

    /// Makes the model, and checks that it is the one that was recorded.
    pub fn load(&self, folder: &Path) -> Model {
        let Source { shape, format, seed } = &self.model;
        let path = folder.join(&self.name);
        let (shape, mix) = (Shape::named(shape).expect("a shape"), Mix::named(format).expect("a format"));
        synth::Model::new(shape, mix, *seed).save(&path).expect("room for a small file");
        let hash = synth::fnv1a(&std::fs::read(&path).expect("the model"));
        assert_eq!(
            format!("{hash:016x}"),
            self.fnv1a,
            "{}: another file. If `synth` changed, record again",
            self.name
        );
        Model::load(&Gguf::open(&path).expect("the model opens")).expect("it is a model")
    }

    /// How far logits (after the prompt and after each of the ids) are from the recorded ones, row by row.
    pub fn distances(&self, rows: &[Vec<f32>]) -> Vec<Distance> {
        assert_eq!(rows.len(), self.rows.len(), "{}", self.name);
        rows.iter().zip(&self.rows).map(|(ours, theirs)| Distance::new(ours, theirs)).collect()
    }
}
