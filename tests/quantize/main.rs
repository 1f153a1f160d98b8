//! `siskin quantize` and the room behind it: the bytes of blocks and the choice of formats against other quantizers (recorded by
//! `tools/goldens/quantize.py`), and the command.

mod blocks;
#[path = "../gguf/build.rs"]
#[allow(dead_code)] // other tests need the rest
mod build;
mod command;
mod layouts;
mod output;
#[path = "../util/mod.rs"]
mod util;

use siskin::threads::Team;
use siskin_tools::synth::{Mix, Model, Shape};
use std::path::Path;

/// A synthetic model in a file.
fn synthetic(shape: Shape, mix: &str, path: &Path) {
    let mix = Mix::named(mix).expect("a mix");
    Model::new(shape, mix, 1).save(path).expect("a file in the temporary directory");
}

/// Small, because tests run it through every encoder, some of them on emulated CPUs.
fn tiny() -> Shape {
    Shape { layers: 1, ff: 256, ..Shape::named("tiny").expect("a shape") }
}

fn team() -> Team {
    Team::new(2).expect("threads")
}

/// Recorded data.
fn golden<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/quantize").join(name);
    let text = std::fs::read_to_string(path).expect("the golden");
    serde_json::from_str(&text).expect("its fields")
}
