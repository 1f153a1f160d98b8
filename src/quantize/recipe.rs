//! Which tensor gets which format. A recipe is data; the rules are those of llama.cpp's quantizer (`llama-quant.cpp`), so that a name means the same
//! mix of formats in both. Left out: its mixes that need data about activations (an "imatrix"), such as Q2_K_S, and its exceptions for Falcon.

use crate::gguf::{Gguf, TensorInfo, Value};
use siskin_simd::Format;
use std::collections::BTreeSet;

/// A named mix of formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The name, such as "Q4_K_M".
    pub name: &'static str,
    /// Other names of the same mix.
    pub aliases: &'static [&'static str],
    /// Format of most matrices.
    pub base: Format,
    /// llama.cpp's number of the mix, as `general.file_type` states it.
    pub file_type: u32,
    value: Rule,
    down: Rule,
    attention_output: Rule,
    /// With eight experts, the attention's output is in Q5_K.
    experts_output: bool,
    /// Every matrix in the base format.
    pure: bool,
}

/// Which format a kind of tensor gets, by where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Base,
    All(Format),
    /// The first and last eighth of the layers, and every third between.
    Sensitive(Format),
    /// So many at the beginning, and the others.
    First(usize, Format, Format),
    /// One part in so many at the beginning, and the others.
    Part(usize, Format, Format),
    /// Where at least four query heads share a value head, and elsewhere.
    Grouped(Format, Format),
}

use Format::{BF16, F16, Q2_K, Q3_K, Q4_0, Q4_1, Q4_K, Q5_0, Q5_1, Q5_K, Q6_K, Q8_0};
use Rule::{All, Base, First, Grouped, Part, Sensitive};

const fn plain(name: &'static str, base: Format, file_type: u32) -> Recipe {
    Recipe {
        name,
        aliases: &[],
        base,
        file_type,
        value: Base,
        down: Base,
        attention_output: Base,
        experts_output: false,
        pure: false,
    }
}

/// Every recipe, smallest files first.
pub const RECIPES: [Recipe; 17] = [
    Recipe {
        value: Grouped(Q4_K, Q3_K),
        down: All(Q3_K),
        attention_output: All(Q3_K),
        experts_output: true,
        ..plain("Q2_K", Q2_K, 10)
    },
    Recipe { experts_output: true, ..plain("Q3_K_S", Q3_K, 11) },
    Recipe {
        aliases: &["Q3_K"],
        value: First(2, Q5_K, Q4_K),
        down: Part(16, Q5_K, Q4_K),
        attention_output: All(Q4_K),
        experts_output: true,
        ..plain("Q3_K_M", Q3_K, 12)
    },
    Recipe { value: All(Q5_K), down: All(Q5_K), attention_output: All(Q5_K), ..plain("Q3_K_L", Q3_K, 13) },
    plain("Q4_0", Q4_0, 2),
    Recipe {
        value: First(4, Q5_K, Q4_K),
        down: Part(8, Q5_K, Q4_K),
        experts_output: true,
        ..plain("Q4_K_S", Q4_K, 14)
    },
    Recipe {
        aliases: &["Q4_K"],
        value: Sensitive(Q6_K),
        down: Sensitive(Q6_K),
        experts_output: true,
        ..plain("Q4_K_M", Q4_K, 15)
    },
    plain("Q4_1", Q4_1, 3),
    plain("Q5_0", Q5_0, 8),
    plain("Q5_K_S", Q5_K, 16),
    Recipe { aliases: &["Q5_K"], value: Sensitive(Q6_K), down: Sensitive(Q6_K), ..plain("Q5_K_M", Q5_K, 17) },
    plain("Q5_1", Q5_1, 9),
    plain("Q6_K", Q6_K, 18),
    plain("Q8_0", Q8_0, 7),
    plain("F16", F16, 1),
    plain("BF16", BF16, 32),
    plain("F32", Format::F32, 0),
];

/// The names of all recipes, for messages.
pub fn names() -> String {
    RECIPES.map(|recipe| recipe.name).join(", ")
}

impl Recipe {
    /// The recipe of this name or alias, in letters of either case.
    pub fn named(name: &str) -> Option<Recipe> {
        let is = |known: &&str| known.eq_ignore_ascii_case(name);
        RECIPES.into_iter().find(|recipe| is(&recipe.name) || recipe.aliases.iter().any(is))
    }

    /// Every matrix in the base format, the output projection too.
    pub fn pure(self) -> Recipe {
        // the file type of a K-quant without a mix is that of the small mix, which has the fewest other formats
        let same = RECIPES.into_iter().filter(|recipe| recipe.base == self.base);
        let file_type = same.map(|recipe| recipe.file_type).min().unwrap_or(self.file_type);
        Recipe { pure: true, ..plain(self.base.name(), self.base, file_type) }
    }
}

/// What the rules ask about a model.
pub struct Model {
    /// Whether the embedding is the output projection too.
    tied: bool,
    /// Layers, as the metadata says.
    layers: usize,
    /// Layers that have a value projection, in order.
    value_layers: Vec<usize>,
    /// Layers that have a down projection, in order.
    down_layers: Vec<usize>,
    experts: usize,
    /// Query heads to a value head; 0 if the first layer has none.
    grouped: usize,
    /// 80 layers that share value heads: Llama 2 70B and those of its shape.
    is_70b: bool,
}

impl Model {
    /// The facts of a file. What the metadata does not say is taken for what most models are.
    pub fn of(file: &Gguf) -> Model {
        let metadata = file.metadata();
        let arch = metadata.str("general.architecture").ok().flatten().unwrap_or_default();
        let number = |key: &str| first_number(metadata.get(&format!("{arch}.{key}")));
        let heads = number("attention.head_count").unwrap_or(0);
        let kv_heads = number("attention.head_count_kv").unwrap_or(heads);
        let layers = number("block_count").unwrap_or(0);
        let layers_with = |kind| {
            let of_kind = file.tensors().iter().filter(|tensor| Kind::of(tensor.name()) == kind);
            let layers: BTreeSet<usize> = of_kind.filter_map(|tensor| layer(tensor.name())).collect();
            layers.into_iter().collect::<Vec<_>>()
        };
        Model {
            tied: file.tensor("output.weight").is_none(),
            layers,
            value_layers: layers_with(Kind::Value),
            down_layers: layers_with(Kind::Down),
            experts: number("expert_count").unwrap_or(0),
            grouped: heads.checked_div(kv_heads).unwrap_or(0),
            is_70b: layers == 80
                && (matches!(arch, "qwen2" | "deci" | "olmo") || arch == "llama" && heads != kv_heads),
        }
    }
}

/// A number, or the first of a list of one for each layer.
fn first_number(value: Option<Value<'_>>) -> Option<usize> {
    let integer = match value? {
        Value::Array(array) => array.iter().next()?.ok()?.integer(),
        value => value.integer(),
    };
    usize::try_from(integer?).ok()
}

/// The layer that a tensor's name states.
fn layer(name: &str) -> Option<usize> {
    name.strip_prefix("blk.")?.split('.').next()?.parse().ok()
}

/// What a tensor is for, as far as the rules care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Embedding,
    Output,
    Value,
    Key,
    AttentionOutput,
    Down,
    Other,
}

impl Kind {
    fn of(name: &str) -> Kind {
        let has = |part: &str| name.contains(part);
        match name {
            "output.weight" => Kind::Output,
            "token_embd.weight" | "per_layer_token_embd.weight" => Kind::Embedding,
            _ if has("attn_v.weight") || has("attn_qkv.weight") || has("attn_kv_b.weight") => Kind::Value,
            _ if has("attn_k.weight") => Kind::Key,
            _ if has("attn_output.weight") => Kind::AttentionOutput,
            _ if has("ffn_down") => Kind::Down,
            _ => Kind::Other,
        }
    }
}

/// Parts of the names of matrices that stay as they are: small ones that do much.
const KEPT: [&str; 29] = [
    "_norm.weight",
    "ffn_gate_inp.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "position_embd",
    "token_types.weight",
    "ssm_conv1d",
    "shortconv.conv.weight",
    "attn_rel_b.weight",
    ".rel_pos",
    "ffn_gate_tid2eid.weight",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
];

/// Whether a tensor is quantized at all: matrices of weights, but not those that [`KEPT`] names.
pub fn is_quantized(tensor: &TensorInfo) -> bool {
    let name = tensor.name();
    let is_matrix = tensor.rows() > 1;
    is_matrix && name.ends_with("weight") && !KEPT.iter().any(|part| name.contains(part))
}

/// The format that a recipe wants for a tensor, whatever its shape.
pub fn wanted(recipe: &Recipe, model: &Model, name: &str) -> Format {
    let base = recipe.base;
    if base.is_float() || recipe.pure {
        return base;
    }
    let (kind, layer) = (Kind::of(name), layer(name).unwrap_or(0));
    let rank = |layers: &[usize]| layers.binary_search(&layer).unwrap_or(0);
    match kind {
        Kind::Output => output(base),
        Kind::Embedding if model.tied => output(base),
        Kind::Value | Kind::Key if model.experts == 8 => Q8_0,
        Kind::Value => {
            let (at, of) = (rank(&model.value_layers), model.value_layers.len());
            let format = apply(recipe.value, base, model, at, of);
            if model.is_70b && [Q3_K, Q4_K].contains(&format) { Q5_K } else { format }
        }
        Kind::Down => {
            // with experts the layer counts, otherwise how many such tensors came before
            let at = if model.experts > 1 { layer } else { rank(&model.down_layers) };
            apply(recipe.down, base, model, at, model.layers)
        }
        Kind::AttentionOutput if model.experts == 8 => {
            if recipe.experts_output {
                Q5_K
            } else {
                base
            }
        }
        Kind::AttentionOutput => apply(recipe.attention_output, base, model, layer, model.layers),
        _ => base,
    }
}

/// Format of the output projection: the logits come straight from it.
fn output(base: Format) -> Format {
    if base == Q8_0 { base } else { Q6_K }
}

fn apply(rule: Rule, base: Format, model: &Model, at: usize, of: usize) -> Format {
    let choose = |yes, then, otherwise| if yes { then } else { otherwise };
    match rule {
        Base => base,
        All(format) => format,
        Sensitive(format) => {
            let eighth = of / 8;
            choose(at < eighth || at >= 7 * of / 8 || (at - eighth) % 3 == 2, format, base)
        }
        First(count, format, rest) => choose(at < count, format, rest),
        Part(parts, format, rest) => choose(at < of / parts, format, rest),
        Grouped(format, rest) => choose(model.grouped >= 4, format, rest),
    }
}

/// The format in which rows of `cols` weights can be written: `wanted`, or what llama.cpp's quantizer falls back to when the rows are no
/// whole number of its blocks.
pub fn fitting(wanted: Format, cols: usize) -> Format {
    let fits = |format: Format| cols.is_multiple_of(format.block_len());
    let smaller = match wanted {
        _ if fits(wanted) => return wanted,
        Q2_K | Q3_K => Q4_0,
        Q4_K => Q5_0,
        Q5_K => Q5_1,
        Q6_K => Q8_0,
        _ => F16,
    };
    if fits(smaller) { smaller } else { F16 }
}
