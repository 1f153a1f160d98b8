//! The tensors of a model, in the order in which they stand in the file.

use siskin_simd::Format;

use super::mix::fitting;
use super::{Mix, Shape};

/// What a tensor holds, which decides its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A matrix of weights: deviation `1 / sqrt(cols)`.
    Matrix,
    /// Weights of a norm: near one.
    Norm,
    /// A bias: near zero.
    Bias,
    /// [`Shape::rope_factors`].
    RopeFactors,
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
    /// Rows; one for a vector.
    pub rows: usize,
    /// Weights in a row.
    pub cols: usize,
}

impl Tensor {
    /// GGUF's dimensions, fastest first.
    pub fn dims(&self) -> Vec<u64> {
        match self.kind {
            Kind::Matrix => vec![self.cols as u64, self.rows as u64],
            _ => vec![self.cols as u64],
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
    Tensor { name, kind, format: Format::F32, rows: 1, cols }
}

fn matrix(name: String, wanted: Format, rows: usize, cols: usize) -> Tensor {
    Tensor { name, kind: Kind::Matrix, format: fitting(wanted, cols), rows, cols }
}

/// The tensors of a shape in a mix.
pub fn tensors(shape: &Shape, mix: &Mix) -> Vec<Tensor> {
    let embedding = if shape.tied { mix.output } else { mix.base };
    let mut list = vec![matrix("token_embd.weight".into(), embedding, shape.vocab, shape.dim)];
    if shape.rope_scaling.is_some() {
        list.push(vector("rope_freqs.weight".into(), Kind::RopeFactors, shape.head_dim / 2));
    }
    for layer in 0..shape.layers {
        list.extend(layer_tensors(shape, mix, layer));
    }
    list.push(vector("output_norm.weight".into(), Kind::Norm, shape.dim));
    if !shape.tied {
        list.push(matrix("output.weight".into(), mix.output, shape.vocab, shape.dim));
    }
    list
}

fn layer_tensors(shape: &Shape, mix: &Mix, layer: usize) -> Vec<Tensor> {
    let Shape { dim, ff, .. } = *shape;
    let (q, kv) = (shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim);
    let sensitive = if Mix::more_bits(layer, shape.layers) { mix.sensitive } else { mix.base };
    let weight = |part: &str| format!("blk.{layer}.{part}.weight");
    let mut list = vec![
        vector(weight("attn_norm"), Kind::Norm, dim),
        matrix(weight("attn_q"), mix.base, q, dim),
        matrix(weight("attn_k"), mix.base, kv, dim),
        matrix(weight("attn_v"), sensitive, kv, dim),
        matrix(weight("attn_output"), mix.base, dim, q),
        vector(weight("ffn_norm"), Kind::Norm, dim),
        matrix(weight("ffn_gate"), mix.base, ff, dim),
        matrix(weight("ffn_up"), mix.base, ff, dim),
        matrix(weight("ffn_down"), sensitive, dim, ff),
    ];
    if shape.qkv_bias {
        let bias = |part: &str, rows| vector(format!("blk.{layer}.{part}.bias"), Kind::Bias, rows);
        list.extend([bias("attn_q", q), bias("attn_k", kv), bias("attn_v", kv)]);
    }
    list
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
