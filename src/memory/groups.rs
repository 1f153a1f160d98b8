//! Weights and cache by what they are for, and what the weights would take in other formats.

use crate::gguf::{Gguf, TensorInfo};
use crate::kv::shape::Shape;
use crate::model::config::Mixer;
use crate::model::{Config, Plan};
use siskin_simd::Format;
use std::collections::BTreeMap;

/// Tensors of one purpose and one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightGroup {
    /// What they are for.
    pub group: &'static str,
    /// Their type, by the name that ggml gives it.
    pub ty: &'static str,
    /// How many there are.
    pub tensors: usize,
    /// Values in them.
    pub parameters: u64,
    /// Bytes in the file.
    pub bytes: u64,
}

/// The tensors of a file by purpose and type, in the order in which a token meets them.
pub fn weight_groups(file: &Gguf) -> Vec<WeightGroup> {
    let mut groups: BTreeMap<_, WeightGroup> = BTreeMap::new();
    for tensor in file.tensors() {
        let (group, ty) = (group_of(tensor.name()), tensor.ty().name());
        let place = ORDER.iter().position(|name| *name == group).unwrap_or(ORDER.len());
        let empty = WeightGroup { group, ty, tensors: 0, parameters: 0, bytes: 0 };
        let group = groups.entry((place, ty)).or_insert(empty);
        group.tensors += 1;
        group.parameters += tensor.dims().iter().product::<u64>();
        group.bytes += tensor.bytes();
    }
    groups.into_values().collect()
}

/// The order in which a token meets groups.
const ORDER: [&str; 9] = [
    "token embedding",
    "layer embedding",
    "norms",
    "attention",
    "mixers",
    "feed-forward",
    "experts",
    "per-layer",
    "output",
];

/// What a tensor is for, by its name.
pub fn group_of(name: &str) -> &'static str {
    let part = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')).map_or(name, |(_, part)| part);
    match part {
        _ if part.contains("norm") => "norms",
        _ if part.starts_with("token_embd") => "token embedding",
        "per_layer_token_embd.weight" => "layer embedding",
        "inp_gate.weight" | "proj.weight" | "per_layer_model_proj.weight" => "per-layer",
        _ if part.starts_with("output") => "output",
        _ if part.starts_with("attn_") => "attention",
        _ if part.starts_with("ssm_") || part.starts_with("shortconv") => "mixers",
        _ if part.starts_with("ffn_") && part.contains("_exps") => "experts",
        _ if part.starts_with("ffn_") => "feed-forward",
        _ => "other",
    }
}

/// Layers that keep the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheGroup {
    /// In which way their tokens see each other: `attention`, `window`, `convolution` or `delta net`.
    pub kind: &'static str,
    /// How many layers there are.
    pub layers: usize,
    /// Positions that each keeps.
    pub positions: usize,
    /// How values are stored.
    pub kv_type: &'static str,
    /// Bytes of all of them, with the tails of branches.
    pub bytes: u64,
}

/// The layers of a plan's cache by what they keep.
pub fn cache_groups(config: &Config, plan: &Plan) -> Vec<CacheGroup> {
    let shape: Shape = plan.shape(config);
    let mut groups: Vec<CacheGroup> = Vec::new();
    for (layer, kept) in config.storing().zip(&shape.layers) {
        let kind = match (layer.mixer, layer.window) {
            (Mixer::Attention(_), None) => "attention",
            (Mixer::Attention(_), Some(_)) => "window",
            (Mixer::ShortConv(_), _) => "convolution",
            (Mixer::DeltaNet(_), _) => "delta net",
        };
        let (positions, kv_type) = (kept.capacity, kept.kv_type.name());
        let bytes = shape.layer_bytes(kept).unwrap_or(usize::MAX) as u64;
        match groups.iter_mut().find(|group| group.kind == kind && group.positions == positions) {
            Some(group) => {
                group.layers += 1;
                group.bytes = group.bytes.saturating_add(bytes);
            }
            None => groups.push(CacheGroup { kind, layers: 1, positions, kv_type, bytes }),
        }
    }
    groups
}

/// Bytes of a file's tensors if every matrix that is larger in its own format were in this one; those that cannot be (rows of another length)
/// stay as they are.
pub fn as_format(file: &Gguf, format: Format) -> u64 {
    let size = |tensor: &TensorInfo| {
        let cols = tensor.dims().first().and_then(|&n| usize::try_from(n).ok());
        let rows: u64 = tensor.dims().iter().skip(1).product();
        let row = cols.filter(|_| rows > 1).and_then(|cols| format.row_bytes(cols));
        row.map_or(tensor.bytes(), |row| rows.saturating_mul(row as u64).min(tensor.bytes()))
    };
    file.tensors().iter().map(size).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_tensors_are_for() {
        let names = [
            "token_embd.weight",
            "output_norm.weight",
            "output.weight",
            "blk.0.attn_q.weight",
            "blk.11.attn_q_norm.weight",
            "blk.0.ffn_down_exps.weight",
            "blk.0.ffn_down.weight",
            "blk.3.ssm_out.weight",
            "rope_freqs.weight",
            "per_layer_token_embd.weight",
            "blk.0.proj.weight",
        ];
        let groups = names.map(group_of);
        assert_eq!(groups[..4], ["token embedding", "norms", "output", "attention"]);
        assert_eq!(groups[4..9], ["norms", "experts", "feed-forward", "mixers", "other"]);
        assert_eq!(groups[9..], ["layer embedding", "per-layer"]);
    }

    #[test]
    fn groups_are_all_of_the_file() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/builtin.gguf");
        let file = Gguf::open_header(&path).unwrap();
        let sum: u64 = weight_groups(&file).iter().map(|group| group.bytes).sum();
        assert_eq!(sum, file.tensors().iter().map(|tensor| tensor.bytes()).sum::<u64>());
        assert_eq!(as_format(&file, Format::F32), sum);
        assert!(as_format(&file, Format::Q4_0) <= sum);
    }
}
