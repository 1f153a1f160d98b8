//! Families of models. A family is data: how its metadata become a [`Config`], and what its tensors are called.
//!
//! To add one, write a file with a [`Family`] and name it in [`FAMILIES`].

mod apertus;
mod bailing;
mod cohere;
mod common;
mod ernie;
mod exaone;
mod gemma;
mod gemma4;
mod glm;
mod gpt2;
mod gpt_oss;
mod granite;
mod hunyuan;
mod internlm;
mod lfm2;
mod llama;
mod minicpm;
mod nemotron;
mod olmo;
mod phi;
mod qwen;
mod qwen35;
mod seed;
mod stablelm;
mod starcoder;

use super::Error;
use super::config::Config;
use super::keys::Keys;
use crate::gguf::Metadata;

/// A family of models that share names and structure.
#[derive(Clone, Copy)]
pub struct Family {
    /// `general.architecture`.
    pub name: &'static str,
    /// Metadata to configuration.
    config: fn(&Keys<'_>) -> Result<Config, Error>,
}

impl std::fmt::Debug for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Every supported family.
pub const FAMILIES: &[Family] = &[
    llama::LLAMA,
    llama::MISTRAL3,
    llama::SMOLLM3,
    qwen::QWEN2,
    qwen::QWEN3,
    qwen::QWEN3MOE,
    gemma::GEMMA2,
    gemma::GEMMA3,
    gemma4::GEMMA4,
    phi::PHI3,
    granite::GRANITE,
    granite::GRANITEMOE,
    olmo::OLMO2,
    olmo::OLMOE,
    stablelm::STABLELM,
    gpt2::GPT2,
    gpt_oss::GPT_OSS,
    lfm2::LFM2,
    qwen35::QWEN35,
    qwen35::QWEN35MOE,
    qwen::QWEN2MOE,
    qwen::QWEN2VL,
    qwen::QWEN3VL,
    qwen::QWEN3VLMOE,
    gemma::GEMMA,
    phi::PHI2,
    olmo::OLMO,
    lfm2::LFM2MOE,
    ernie::ERNIE4_5,
    ernie::ERNIE4_5_MOE,
    hunyuan::HUNYUAN_DENSE,
    hunyuan::MAINCODER,
    exaone::EXAONE,
    exaone::EXAONE4,
    internlm::INTERNLM2,
    internlm::XVERSE,
    internlm::PANGU_EMBEDDED,
    stablelm::ORION,
    minicpm::MINICPM,
    nemotron::ARCEE,
    nemotron::NEMOTRON,
    glm::GLM4,
    seed::SEED_OSS,
    apertus::APERTUS,
    starcoder::STARCODER,
    starcoder::STARCODER2,
    cohere::COMMAND_R,
    cohere::COHERE2,
    bailing::BAILINGMOE2,
];

/// The family with a name.
///
/// # Errors
///
/// [`Error::Architecture`] with the list of those that are supported.
pub fn find(name: &str) -> Result<Family, Error> {
    FAMILIES.iter().find(|family| family.name == name).copied().ok_or_else(|| {
        let supported = FAMILIES.iter().map(|family| family.name).collect::<Vec<_>>().join(", ");
        Error::Architecture { name: name.to_owned(), supported }
    })
}

/// Reads the configuration of a model of a supported family.
///
/// # Errors
///
/// If the family is not supported, or a key is missing or makes no sense.
pub fn config(metadata: &Metadata) -> Result<Config, Error> {
    let key = "general.architecture";
    let name = metadata.str(key)?.ok_or_else(|| Error::MissingKey { key: key.into() })?;
    let family = find(name)?;
    (family.config)(&Keys::new(metadata, family.name))
}
