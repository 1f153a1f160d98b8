//! The weights of a model, found in a file by name, each with the shape that the configuration asks for.
//!
//! Matrices stay where they are, in the file's mapping. Normalization weights, biases and rope factors are vectors of a few
//! kilobytes, copied to floats once: the model's tables.

use super::{Config, Error};
use crate::gguf::{Bytes, Gguf, TensorInfo};
use crate::tensor::QMatrix;
use siskin_simd::Format;
use std::collections::HashSet;

/// A weight matrix in the file's mapping.
#[derive(Clone, Debug)]
pub struct Matrix {
    bytes: Bytes,
    format: Format,
    rows: usize,
    cols: usize,
}

impl Matrix {
    /// The matrix as operations take it.
    pub fn view(&self) -> QMatrix<'_> {
        QMatrix::new(self.format, self.rows, self.cols, &self.bytes)
            .expect("sizes were checked when the weight was found")
    }
}

/// A vector of floats, copied.
pub type Vector = Box<[f32]>;

/// The weights of one layer; shapes are rows x columns.
#[derive(Debug)]
pub struct Layer {
    /// `embedding`.
    pub attn_norm: Vector,
    /// `q_values x embedding`, `kv_values x embedding` twice: query, key, value.
    pub qkv: [Matrix; 3],
    /// Biases of query, key and value, where the model has them.
    pub qkv_bias: [Option<Vector>; 3],
    /// `embedding x q_values`.
    pub attn_output: Matrix,
    /// `embedding`.
    pub ffn_norm: Vector,
    /// `feed_forward x embedding`.
    pub gate: Matrix,
    /// `feed_forward x embedding`.
    pub up: Matrix,
    /// `embedding x feed_forward`.
    pub down: Matrix,
}

/// All weights of a model.
#[derive(Debug)]
pub struct Weights {
    /// `vocabulary x embedding`.
    pub token_embedding: Matrix,
    /// Layers, first to last.
    pub layers: Vec<Layer>,
    /// `embedding`.
    pub output_norm: Vector,
    /// `vocabulary x embedding`; absent when the model projects with its token embedding.
    pub output: Option<Matrix>,
    /// Divisors of the rope frequencies, `rope.dims / 2`.
    pub rope_factors: Option<Vector>,
}

impl Weights {
    /// Finds every weight of the configuration's family.
    ///
    /// # Errors
    ///
    /// If a tensor is missing, unknown, of another shape, or of a type that cannot be computed with.
    pub fn find(file: &Gguf, config: &Config) -> Result<Weights, Error> {
        let mut finder = Finder { file, used: HashSet::with_capacity(file.tensors().len()) };
        let weights = finder.weights(config)?;
        finder.refuse_unused(config)?;
        Ok(weights)
    }

    /// Entries of the vocabulary, in tokens.
    pub fn vocabulary(&self) -> usize {
        self.token_embedding.rows
    }

    /// The output projection: its own matrix or the token embedding.
    pub fn output(&self) -> &Matrix {
        self.output.as_ref().unwrap_or(&self.token_embedding)
    }

    /// The data of the matrices that a token multiplies, in that order. The token embedding is among them only where it is the
    /// output projection: otherwise a token needs one row of it.
    pub fn in_order_of_use(&self) -> Vec<&Bytes> {
        let layers = self.layers.iter().flat_map(|layer| {
            layer.qkv.iter().chain([&layer.attn_output, &layer.gate, &layer.up, &layer.down])
        });
        layers.chain([self.output()]).map(|matrix| &matrix.bytes).collect()
    }

    /// Bytes of matrices that one token reads, were it the only one of its batch.
    pub fn bytes_per_token(&self) -> usize {
        self.in_order_of_use().iter().map(|bytes| bytes.len()).sum()
    }

    /// Bytes of the copied vectors.
    pub fn table_bytes(&self) -> usize {
        let layer = |layer: &Layer| {
            let biases: usize = layer.qkv_bias.iter().flatten().map(|bias| bias.len()).sum();
            layer.attn_norm.len() + layer.ffn_norm.len() + biases
        };
        let values = self.layers.iter().map(layer).sum::<usize>() + self.output_norm.len();
        (values + self.rope_factors.as_ref().map_or(0, |factors| factors.len())) * size_of::<f32>()
    }
}

/// Looks weights up and remembers which were used.
struct Finder<'a> {
    file: &'a Gguf,
    used: HashSet<&'a str>,
}

impl<'a> Finder<'a> {
    fn weights(&mut self, config: &Config) -> Result<Weights, Error> {
        let embedding = config.embedding;
        let vocabulary = self.get("token_embd.weight")?.rows() as usize;
        Ok(Weights {
            token_embedding: self.matrix("token_embd.weight", vocabulary, embedding)?,
            layers: (0..config.layers).map(|i| self.layer(i, config)).collect::<Result<_, _>>()?,
            output_norm: self.vector("output_norm.weight", embedding)?,
            output: self
                .optional("output.weight", |finder, name| finder.matrix(name, vocabulary, embedding))?,
            rope_factors: self
                .optional("rope_freqs.weight", |finder, name| finder.vector(name, config.rope.dims / 2))?,
        })
    }

    fn layer(&mut self, i: usize, config: &Config) -> Result<Layer, Error> {
        let (embedding, feed_forward) = (config.embedding, config.feed_forward);
        let (q, kv) = (config.q_values(), config.kv_values());
        let name = |part: &str| format!("blk.{i}.{part}");
        let [wq, wk, wv] = ["attn_q.weight", "attn_k.weight", "attn_v.weight"].map(name);
        let [bq, bk, bv] = ["attn_q.bias", "attn_k.bias", "attn_v.bias"].map(name);
        Ok(Layer {
            attn_norm: self.vector(&name("attn_norm.weight"), embedding)?,
            qkv: [
                self.matrix(&wq, q, embedding)?,
                self.matrix(&wk, kv, embedding)?,
                self.matrix(&wv, kv, embedding)?,
            ],
            qkv_bias: [
                self.optional(&bq, |finder, name| finder.vector(name, q))?,
                self.optional(&bk, |finder, name| finder.vector(name, kv))?,
                self.optional(&bv, |finder, name| finder.vector(name, kv))?,
            ],
            attn_output: self.matrix(&name("attn_output.weight"), embedding, q)?,
            ffn_norm: self.vector(&name("ffn_norm.weight"), embedding)?,
            gate: self.matrix(&name("ffn_gate.weight"), feed_forward, embedding)?,
            up: self.matrix(&name("ffn_up.weight"), feed_forward, embedding)?,
            down: self.matrix(&name("ffn_down.weight"), embedding, feed_forward)?,
        })
    }

    fn get(&mut self, name: &str) -> Result<&'a TensorInfo, Error> {
        let tensor = self.file.tensor(name).ok_or_else(|| Error::MissingTensor { name: name.to_owned() })?;
        self.used.insert(tensor.name());
        Ok(tensor)
    }

    fn optional<T>(
        &mut self,
        name: &str,
        find: impl FnOnce(&mut Self, &str) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.file.tensor(name).is_some().then(|| find(self, name)).transpose()
    }

    fn matrix(&mut self, name: &str, rows: usize, cols: usize) -> Result<Matrix, Error> {
        let tensor = self.get(name)?;
        expect_shape(tensor, &[cols, rows])?;
        Ok(Matrix { bytes: self.file.bytes(tensor), format: format_of(tensor)?, rows, cols })
    }

    fn vector(&mut self, name: &str, len: usize) -> Result<Vector, Error> {
        let tensor = self.get(name)?;
        expect_shape(tensor, &[len])?;
        let mut out = vec![0.0; len].into_boxed_slice();
        format_of(tensor)?.decode(&self.file.bytes(tensor), &mut out);
        Ok(out)
    }

    fn refuse_unused(&self, config: &Config) -> Result<(), Error> {
        match self.file.tensors().iter().find(|tensor| !self.used.contains(tensor.name())) {
            None => Ok(()),
            Some(tensor) => {
                Err(Error::UnknownTensor { name: tensor.name().to_owned(), arch: config.family.to_owned() })
            }
        }
    }
}

/// Compares dimensions in the file's order, columns first; ones at the end do not count.
fn expect_shape(tensor: &TensorInfo, expected: &[usize]) -> Result<(), Error> {
    let found = tensor.dims();
    let dims = found.len().max(expected.len());
    let same =
        (0..dims).all(|i| found.get(i).copied().unwrap_or(1) == expected.get(i).map_or(1, |&n| n as u64));
    if same {
        return Ok(());
    }
    let name = tensor.name().to_owned();
    Err(Error::Shape { name, found: format!("{found:?}"), expected: format!("{expected:?}") })
}

fn format_of(tensor: &TensorInfo) -> Result<Format, Error> {
    tensor.ty().format().ok_or_else(|| Error::Type {
        name: tensor.name().to_owned(),
        found: tensor.ty().name().to_owned(),
        supported: Format::ALL.map(Format::name).join(", "),
    })
}
