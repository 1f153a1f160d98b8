//! Which tensor gets which format: as in the files of llama.cpp's quantizer, for models of several shapes and every mix.

use crate::build::{File, Item, LAYOUTS, tensor};
use crate::golden;
use serde::Deserialize;
use siskin::gguf::{GgmlType, Gguf};
use siskin::quantize::{Plan, RECIPES, Recipe};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Golden {
    /// A letter for each type.
    letters: BTreeMap<String, char>,
    models: Vec<Shape>,
}

#[derive(Deserialize)]
struct Shape {
    name: String,
    arch: String,
    keys: BTreeMap<String, u32>,
    /// Name and dims.
    tensors: Vec<String>,
    /// For each mix the letters of the tensors.
    mixes: BTreeMap<String, String>,
}

impl Shape {
    /// The model, its matrices in F16.
    fn file(&self) -> Gguf {
        let mut file = File::empty(LAYOUTS[0]).key("general.architecture", Item::text(&self.arch));
        for (key, value) in &self.keys {
            file = file.key(&format!("{}.{key}", self.arch), Item::u32(*value));
        }
        for line in &self.tensors {
            let (name, dims) = line.split_once(' ').expect("a name and dims");
            let dims: Vec<u64> = dims.split(' ').map(|dim| dim.parse().expect("a number")).collect();
            let ty = if dims.len() == 1 { GgmlType::F32 } else { GgmlType::F16 };
            let bytes = dims.iter().product::<u64>() as usize * ty.block_bytes();
            file = file.tensor(tensor(name, ty.code(), &dims, bytes));
        }
        file.open()
    }
}

#[test]
fn every_tensor_has_the_format_that_llama_cpp_gives_it() {
    let golden: Golden = golden("layouts.json");
    for shape in &golden.models {
        let file = shape.file();
        for (mix, expected) in &shape.mixes {
            let recipe = Recipe::named(mix).expect("a recipe");
            let plan = Plan::new(&file, &recipe).expect("a plan");
            for (planned, letter) in plan.tensors().iter().zip(expected.chars()) {
                let found = golden.letters[planned.ty.name()];
                assert_eq!(found, letter, "{}, {mix}: {}", shape.name, planned.tensor.name());
            }
            assert_eq!(plan.tensors().len(), expected.len());
        }
    }
}

#[test]
fn the_goldens_cover_every_recipe() {
    let golden: Golden = golden("layouts.json");
    for recipe in RECIPES.iter().filter(|recipe| recipe.name != "F32") {
        assert!(golden.models.iter().all(|shape| shape.mixes.contains_key(recipe.name)), "{}", recipe.name);
    }
}

#[test]
fn names_are_found_in_any_case_and_by_alias() {
    for recipe in RECIPES {
        assert_eq!(Recipe::named(&recipe.name.to_lowercase()), Some(recipe));
        assert!(recipe.aliases.iter().all(|alias| Recipe::named(alias) == Some(recipe)));
    }
    assert_eq!(Recipe::named("q4_k").map(|recipe| recipe.name), Some("Q4_K_M"));
    assert_eq!(Recipe::named("Q9"), None);
}

/// Without a mix, only what is never quantized differs.
#[test]
fn pure_is_one_format() {
    let golden: Golden = golden("layouts.json");
    let file = golden.models[0].file();
    for recipe in RECIPES {
        let pure = recipe.pure();
        let plan = Plan::new(&file, &pure).expect("a plan");
        let matrices = plan.tensors().iter().filter(|planned| planned.tensor.dims().len() > 1);
        assert!(matrices.clone().all(|planned| planned.ty.format() == Some(recipe.base)), "{}", recipe.name);
        assert!(plan.tensors().iter().any(|planned| planned.ty == GgmlType::F32));
    }
}
