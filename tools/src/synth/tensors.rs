//! The tensors of a model, in the order in which they stand in the file.

use siskin_simd::Format;

use super::mix::fitting;
use super::{DeltaNet, Experts, HeadNorm, Mix, Shape};

/// What a tensor holds, which decides its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A matrix of weights: deviation `1 / sqrt(cols)`.
    Matrix,
    /// A router of experts: a matrix of four times that deviation. Like a trained one it is sure of its first choice, and what it is not sure
    /// of has little weight.
    Router,
    /// Weights of a norm: near one.
    Norm,
    /// Weights of a norm: near so many times two.
    NormOf(i32),
    /// A bias: near zero.
    Bias,
    /// Logarithms of what is left of a state: a little below zero.
    Rate,
    /// [`Shape::rope_factors`].
    RopeFactors,
    /// Rotary divisors that leave three quarters of the pairs as they are.
    Quarter,
    /// LongRoPE's divisors: from 1 up to the second number.
    LongFactors(u32),
}

/// One tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// GGUF's name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Format of every row.
    pub format: Format,
    /// Rows of all matrices; one for a vector.
    pub rows: usize,
    /// Matrices of one shape, one after the other; 1 if it is a plain one.
    pub stack: usize,
    /// Weights in a row.
    pub cols: usize,
}

impl Tensor {
    /// GGUF's dimensions, fastest first.
    pub fn dims(&self) -> Vec<u64> {
        let (cols, rows, stack) = (self.cols as u64, (self.rows / self.stack) as u64, self.stack as u64);
        match (self.kind, rows) {
            (Kind::Matrix, _) if self.stack > 1 => vec![cols, rows, stack],
            (Kind::Matrix | Kind::Router, _) => vec![cols, rows],
            (_, 1) => vec![cols],
            _ => vec![cols, rows],
        }
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.format.row_bytes(self.cols).expect("the format was chosen to fit the row")
    }

    /// Bytes of the tensor.
    pub fn bytes(&self) -> u64 {
        self.rows as u64 * self.row_bytes() as u64
    }
}

fn vector(name: String, kind: Kind, cols: usize) -> Tensor {
    Tensor { name, kind, format: Format::F32, rows: 1, stack: 1, cols }
}

fn matrix(name: String, wanted: Format, rows: usize, cols: usize) -> Tensor {
    Tensor { name, kind: Kind::Matrix, format: fitting(wanted, cols), rows, stack: 1, cols }
}

/// The tensors of a shape in a mix.
pub fn tensors(shape: &Shape, mix: &Mix) -> Vec<Tensor> {
    let embedding = if shape.tied { mix.output } else { mix.base };
    let mut list = vec![matrix("token_embd.weight".into(), embedding, shape.vocab, shape.dim)];
    if shape.parts.positions {
        list.push(matrix("position_embd.weight".into(), Format::F32, shape.context, shape.dim));
    }
    if shape.rope_scaling.is_some() {
        list.push(vector("rope_freqs.weight".into(), Kind::RopeFactors, shape.head_dim / 2));
    }
    if let Some(kinds) = shape.parts.kinds {
        list.push(vector("rope_freqs.weight".into(), Kind::Quarter, kinds.head_dim / 2));
    }
    if shape.parts.per_layer > 0 {
        let (width, all) = (shape.parts.per_layer, shape.parts.per_layer * shape.layers);
        list.push(matrix("per_layer_token_embd.weight".into(), embedding, shape.vocab, all));
        list.push(matrix("per_layer_model_proj.weight".into(), Format::BF16, all, shape.dim));
        list.push(vector("per_layer_proj_norm.weight".into(), Kind::Norm, width));
    }
    if shape.parts.long_rope {
        list.push(vector("rope_factors_long.weight".into(), Kind::LongFactors(8), shape.rope_dims / 2));
        list.push(vector("rope_factors_short.weight".into(), Kind::LongFactors(2), shape.rope_dims / 2));
    }
    for layer in 0..shape.layers {
        Layer { shape, mix, layer, list: &mut list }.write();
    }
    list.extend(norm(shape, shape.parts.output_norm));
    if !shape.tied {
        list.push(matrix("output.weight".into(), mix.output, shape.vocab, shape.dim));
    }
    if shape.parts.logits_bias {
        list.push(vector("output.bias".into(), Kind::Bias, shape.vocab));
    }
    list
}

/// A norm of the residual stream, with its weights and its bias if the family has them.
fn norm(shape: &Shape, name: &str) -> Vec<Tensor> {
    let (weights, biases) = shape.parts.norm_values;
    let weight = weights.then(|| vector(format!("{name}.weight"), Kind::Norm, shape.dim));
    let biased = biases && shape.parts.layer_norm;
    let bias = biased.then(|| vector(format!("{name}.bias"), Kind::Bias, shape.dim));
    weight.into_iter().chain(bias).collect()
}

/// Lists the tensors of one layer.
struct Layer<'a> {
    shape: &'a Shape,
    mix: &'a Mix,
    layer: usize,
    list: &'a mut Vec<Tensor>,
}

impl Layer<'_> {
    fn write(mut self) {
        let parts = self.shape.parts;
        if parts.norms_before {
            self.norm("attn_norm");
        }
        match (parts.convolution, self.shape.delta_net(self.layer)) {
            (Some(length), _) if self.shape.is_convolution(self.layer) => self.convolution(length),
            (_, Some(net)) => self.delta_net(net),
            _ => self.attention(),
        }
        if parts.norms_after {
            self.norm("post_attention_norm");
        }
        if !parts.ffn_norm.is_empty() && parts.norms_before {
            self.norm(parts.ffn_norm);
        }
        let experts = parts.experts.filter(|_| self.layer >= parts.dense_lead);
        if experts.is_none() || parts.dense_beside {
            self.feed_forward("", self.shape.layer_ff(self.layer));
        }
        if let Some(experts) = experts {
            self.experts(experts);
        }
        if parts.dense_beside {
            ["post_ffw_norm_1", "pre_ffw_norm_2", "post_ffw_norm_2"].iter().for_each(|part| self.norm(part));
        }
        if parts.norms_after {
            self.norm("post_ffw_norm");
        }
        if parts.per_layer > 0 {
            self.matrix("inp_gate", self.mix.base, parts.per_layer, self.shape.dim);
            self.matrix("proj", self.mix.base, self.shape.dim, parts.per_layer);
            self.norm("post_norm");
        }
        if parts.output_scale {
            self.list.push(vector(self.name("layer_output_scale.weight"), Kind::Norm, 1));
        }
    }

    fn name(&self, part: &str) -> String {
        format!("blk.{}.{part}", self.layer)
    }

    fn norm(&mut self, part: &str) {
        self.list.extend(norm(self.shape, &self.name(part)));
    }

    fn matrix(&mut self, part: &str, format: Format, rows: usize, cols: usize) {
        self.list.push(matrix(self.name(&format!("{part}.weight")), format, rows, cols));
    }

    fn bias(&mut self, part: &str, wanted: bool, len: usize) {
        if wanted {
            self.list.push(vector(self.name(&format!("{part}.bias")), Kind::Bias, len));
        }
    }

    /// The format of value and down projections.
    fn sensitive(&self) -> Format {
        if Mix::more_bits(self.layer, self.shape.layers) { self.mix.sensitive } else { self.mix.base }
    }

    fn attention(&mut self) {
        let (shape, parts) = (*self.shape, self.shape.parts);
        let (kv_heads, head_dim) = shape.layer_heads(self.layer);
        let (q, kv) = (shape.heads * head_dim, kv_heads * head_dim);
        let base = self.mix.base;
        let has_values = parts.kinds.is_none_or(|kinds| kinds.values || shape.has_window(self.layer));
        let has_keys = !shape.shares(self.layer) || parts.kinds.is_some_and(|kinds| kinds.spare);
        if parts.fused_qkv {
            self.matrix("attn_qkv", base, q + 2 * kv, shape.dim);
            self.bias("attn_qkv", shape.qkv_bias, q + 2 * kv);
        } else {
            let wide_q = if parts.output_gate { 2 * q } else { q };
            self.matrix("attn_q", base, wide_q, shape.dim);
            if has_keys {
                self.matrix("attn_k", base, kv, shape.dim);
            }
            if has_keys && has_values {
                self.matrix("attn_v", self.sensitive(), kv, shape.dim);
            }
            for (part, rows) in [("attn_q", q), ("attn_k", kv), ("attn_v", kv)] {
                self.bias(part, shape.qkv_bias, rows);
            }
        }
        self.head_norm("attn_q_norm", shape.heads);
        if has_keys {
            self.head_norm("attn_k_norm", kv_heads);
        }
        if parts.sinks {
            self.list.push(vector(self.name("attn_sinks.weight"), Kind::Bias, shape.heads));
        }
        self.matrix("attn_output", base, shape.dim, q);
        self.bias("attn_output", parts.output_bias, shape.dim);
    }

    fn convolution(&mut self, length: usize) {
        let (dim, base) = (self.shape.dim, self.mix.base);
        let name = self.name("shortconv.conv.weight");
        self.list.push(matrix(name, Format::F32, dim, length));
        self.matrix("shortconv.in_proj", base, 3 * dim, dim);
        self.matrix("shortconv.out_proj", base, dim, dim);
    }

    fn delta_net(&mut self, net: DeltaNet) {
        let (dim, base) = (self.shape.dim, self.mix.base);
        let values = net.value_heads * net.head_dim;
        let width = 2 * net.key_heads * net.head_dim + values;
        self.matrix("attn_qkv", base, width, dim);
        self.matrix("attn_gate", base, values, dim);
        let name = self.name("ssm_conv1d.weight");
        self.list.push(matrix(name, Format::F32, width, net.convolution));
        self.bias("ssm_dt", true, net.value_heads);
        self.list.push(vector(self.name("ssm_a"), Kind::Rate, net.value_heads));
        self.matrix("ssm_beta", base, net.value_heads, dim);
        self.matrix("ssm_alpha", base, net.value_heads, dim);
        self.list.push(vector(self.name("ssm_norm.weight"), Kind::Norm, net.head_dim));
        self.matrix("ssm_out", base, dim, values);
    }

    fn head_norm(&mut self, part: &str, heads: usize) {
        let (name, dim) = (self.name(&format!("{part}.weight")), self.shape.layer_heads(self.layer).1);
        // scores that nothing else scales
        let is_small = self.shape.parts.kinds.is_some() && part == "attn_q_norm";
        let kind = if is_small { Kind::NormOf(-3) } else { Kind::Norm };
        let norm = |rows, cols| Tensor { rows, ..vector(name.clone(), kind, cols) };
        match self.shape.parts.head_norm {
            HeadNorm::None => {}
            HeadNorm::Shared => self.list.push(norm(1, dim)),
            HeadNorm::Each => self.list.push(norm(heads, dim)),
            HeadNorm::All => self.list.push(norm(1, heads * dim)),
        }
    }

    fn feed_forward(&mut self, suffix: &str, ff: usize) {
        let (dim, parts, base) = (self.shape.dim, self.shape.parts, self.mix.base);
        let [gate, up, down] = ["gate", "up", "down"].map(|part| format!("ffn_{part}{suffix}"));
        let separate = parts.gated && !parts.fused_up;
        if separate {
            self.matrix(&gate, base, ff, dim);
            self.bias(&gate, parts.ffn_bias, ff);
        }
        self.matrix(&up, base, if parts.fused_up { 2 * ff } else { ff }, dim);
        self.bias(&up, parts.ffn_bias, ff);
        self.matrix(&down, self.sensitive(), dim, ff);
        self.bias(&down, parts.ffn_bias, dim);
    }

    fn experts(&mut self, experts: Experts) {
        let (dim, base, Experts { count, ff, biased, .. }) = (self.shape.dim, self.mix.base, experts);
        let router = matrix(self.name("ffn_gate_inp.weight"), Format::F32, count, dim);
        self.list.push(Tensor { kind: Kind::Router, ..router });
        self.bias("ffn_gate_inp", biased, count);
        self.bias("exp_probs_b", self.shape.parts.choice_bias, count);
        let sensitive = self.sensitive();
        let stacks = match self.shape.parts.dense_beside {
            true => vec![("gate_up", base, 2 * ff, dim), ("down", sensitive, dim, ff)],
            false => vec![("gate", base, ff, dim), ("up", base, ff, dim), ("down", sensitive, dim, ff)],
        };
        if self.shape.parts.dense_beside {
            self.list.push(vector(self.name("ffn_gate_inp.scale"), Kind::NormOf(4), dim));
            self.list.push(vector(self.name("ffn_down_exps.scale"), Kind::Norm, count));
        }
        for (part, format, rows, cols) in stacks {
            let part = format!("ffn_{part}_exps");
            let all = matrix(self.name(&format!("{part}.weight")), format, count * rows, cols);
            self.list.push(Tensor { stack: count, ..all });
            if biased {
                let bias = vector(self.name(&format!("{part}.bias")), Kind::Bias, rows);
                self.list.push(Tensor { rows: count, ..bias });
            }
        }
        if experts.shared_gate {
            self.list.push(Tensor {
                kind: Kind::Matrix,
                ..vector(self.name("ffn_gate_inp_shexp.weight"), Kind::Bias, dim)
            });
        }
        if experts.shared > 0 {
            self.feed_forward("_shexp", experts.shared);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(shape: &str) -> u64 {
        let (shape, mix) = (Shape::named(shape).unwrap(), Mix::named("F32").unwrap());
        tensors(&shape, &mix).iter().map(|t| t.bytes() / 4).sum()
    }

    /// The published parameter counts; Llama 3.2's includes no rope factors.
    #[test]
    fn real_shapes_have_their_published_sizes() {
        assert_eq!(weights("tinyllama-1.1b"), 1_100_048_384);
        assert_eq!(weights("llama-3.2-1b"), 1_235_814_400 + 32);
        assert_eq!(weights("qwen2.5-0.5b"), 494_032_768);
        assert_eq!(weights("smollm2-135m"), 134_515_008);
        assert_eq!(weights("llama-2-7b"), 6_738_415_616);
        assert_eq!(weights("qwen3-0.6b"), 596_049_920);
        assert_eq!(weights("gemma3-1b"), 999_885_952);
        assert_eq!(weights("olmoe-1b-7b"), 6_919_161_856);
    }

    #[test]
    fn a_mix_uses_its_formats() {
        let (shape, mix) = (Shape::named("tiny").unwrap(), Mix::named("Q4_K_M").unwrap());
        let format = |name: &str| tensors(&shape, &mix).into_iter().find(|t| t.name == name).unwrap().format;
        assert_eq!(format("token_embd.weight"), Format::Q4_K);
        assert_eq!(format("output.weight"), Format::Q6_K);
        assert_eq!(format("blk.0.ffn_down.weight"), Format::Q4_K);
        assert_eq!(format("blk.1.ffn_down.weight"), Format::Q6_K);
        assert_eq!(format("blk.1.attn_norm.weight"), Format::F32);
    }
}
