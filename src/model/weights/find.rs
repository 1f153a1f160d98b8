//! Finds weights by name and checks their shapes. What only some models of a family have (biases, fused tensors) is found by being there;
//! what the family must have is missed; and a tensor that nothing asked for is refused.

use super::{
    Attention, DeltaNet, Dense, DenseAndExperts, Experts, FeedForward, HeadNorm, Layer, Matrix, Mixer, Norm,
    PerLayer, PerLayerEmbedding, RopeFactors, ShortConv, Stack, Vector, Weights,
};
use crate::gguf::{Gguf, TensorInfo};
use crate::model::config::Factors;
use crate::model::{Config, Error, config};
use crate::ops::Heads;
use siskin_simd::Format;
use std::collections::HashSet;

pub(super) fn weights(file: &Gguf, config: &Config) -> Result<Weights, Error> {
    let mut finder = Finder { file, config, used: HashSet::with_capacity(file.tensors().len()) };
    let weights = finder.weights()?;
    finder.refuse_unused()?;
    Ok(weights)
}

/// Query, key and value, and the bias of each.
type Qkv = ([Option<Matrix>; 3], [Option<Vector>; 3]);

/// Looks weights up and remembers which were used.
struct Finder<'a> {
    file: &'a Gguf,
    config: &'a Config,
    used: HashSet<&'a str>,
}

impl<'a> Finder<'a> {
    fn weights(&mut self) -> Result<Weights, Error> {
        let config = self.config;
        let embedding = config.embedding;
        let vocabulary = self.get("token_embd.weight")?.rows() as usize;
        let positions = config.position_embedding;
        Ok(Weights {
            token_embedding: self.matrix("token_embd.weight", vocabulary, embedding)?,
            position_embedding: positions
                .then(|| self.matrix("position_embd.weight", config.context, embedding))
                .transpose()?,
            per_layer: config
                .per_layer
                .map(|width| self.per_layer_embedding(vocabulary, width))
                .transpose()?,
            layers: (0..config.layers.len()).map(|i| self.layer(i)).collect::<Result<_, _>>()?,
            output_norm: self.norm(config.norms.output_name)?,
            output: self
                .optional("output.weight", |finder, name| finder.matrix(name, vocabulary, embedding))?,
            output_bias: self.optional_vector("output.bias", vocabulary)?,
            rope_factors: self.rope_factors()?,
            experts_read: config.experts.map_or(1.0, |e| e.used as f64 / e.count as f64),
        })
    }

    /// The factors stand once in a file, for all layers that have any.
    fn rope_factors(&mut self) -> Result<RopeFactors, Error> {
        const ALWAYS: &str = "rope_freqs.weight";
        let Some(rope) = self.config.ropes.first() else { return Ok(RopeFactors::default()) };
        let n = rope.dims / 2;
        Ok(RopeFactors {
            always: match rope.factors {
                Factors::Needed => Some(self.values(ALWAYS, &[n])?),
                _ => self.optional_vector(ALWAYS, n)?,
            },
            short: self.optional_vector("rope_factors_short.weight", n)?,
            long: self.optional_vector("rope_factors_long.weight", n)?,
        })
    }

    fn layer(&mut self, i: usize) -> Result<Layer, Error> {
        let (config, norms) = (self.config, self.config.norms);
        let name = |part: &str| format!("blk.{i}.{part}");
        let ffn_norm = name(norms.feed_forward_name);
        let without_ffn_norm = config.parallel && self.file.tensor(&format!("{ffn_norm}.weight")).is_none();
        Ok(Layer {
            attn_norm: self.norm_if(norms.before, &name("attn_norm"))?,
            mixer: match config.layers[i].mixer {
                config::Mixer::Attention(attention) => {
                    Mixer::Attention(Box::new(self.attention(i, attention)?))
                }
                config::Mixer::ShortConv(length) => Mixer::ShortConv(self.short_conv(i, length)?),
                config::Mixer::DeltaNet(net) => Mixer::DeltaNet(Box::new(self.delta_net(i, net)?)),
            },
            attn_post_norm: self.norm_if(norms.after, &name("post_attention_norm"))?,
            ffn_norm: self.norm_if(norms.before && !without_ffn_norm, &ffn_norm)?,
            ffn: self.feed_forward(i)?,
            ffn_post_norm: self.norm_if(norms.after, &name("post_ffw_norm"))?,
            per_layer: config.per_layer.map(|width| self.per_layer(i, width)).transpose()?.map(Box::new),
            output_scale: self
                .optional_vector(&name("layer_output_scale.weight"), 1)?
                .map_or(1.0, |scale| scale[0]),
        })
    }

    fn feed_forward(&mut self, i: usize) -> Result<FeedForward, Error> {
        let layer = self.config.layers[i];
        let has_router = self.file.tensor(&format!("blk.{i}.ffn_gate_inp.weight")).is_some();
        let has_experts =
            |experts: &config::Experts| if experts.beside_dense { has_router } else { !layer.dense };
        match self.config.experts.filter(has_experts) {
            None => Ok(FeedForward::Dense(self.dense(i, "", layer.feed_forward)?)),
            Some(experts) if experts.beside_dense => {
                Ok(FeedForward::DenseAndExperts(Box::new(self.dense_and_experts(i, experts)?)))
            }
            Some(experts) => Ok(FeedForward::Experts(Box::new(self.experts(i, experts)?))),
        }
    }

    fn dense_and_experts(&mut self, i: usize, experts: config::Experts) -> Result<DenseAndExperts, Error> {
        let (embedding, width) = (self.config.embedding, self.config.layers[i].feed_forward);
        let name = |part: &str| format!("blk.{i}.{part}");
        // what is normalized is divided by the root of its length, too
        let mut weight = self.values(&name("ffn_gate_inp.scale"), &[embedding])?;
        weight.iter_mut().for_each(|weight| *weight /= (embedding as f32).sqrt());
        Ok(DenseAndExperts {
            dense: self.dense(i, "", width)?,
            dense_post_norm: self.norm(&name("post_ffw_norm_1"))?,
            router_norm: Norm { weight, bias: None },
            experts_norm: self.norm(&name("pre_ffw_norm_2"))?,
            experts: self.experts(i, experts)?,
            experts_post_norm: self.norm(&name("post_ffw_norm_2"))?,
        })
    }

    fn per_layer(&mut self, i: usize, width: usize) -> Result<PerLayer, Error> {
        let (embedding, name) = (self.config.embedding, |part: &str| format!("blk.{i}.{part}"));
        Ok(PerLayer {
            gate: self.matrix(&name("inp_gate.weight"), width, embedding)?,
            projection: self.matrix(&name("proj.weight"), embedding, width)?,
            post_norm: self.norm(&name("post_norm"))?,
        })
    }

    fn per_layer_embedding(&mut self, vocabulary: usize, width: usize) -> Result<PerLayerEmbedding, Error> {
        let (embedding, all) = (self.config.embedding, self.config.per_layer_values());
        Ok(PerLayerEmbedding {
            table: self.matrix("per_layer_token_embd.weight", vocabulary, all)?,
            projection: self.matrix("per_layer_model_proj.weight", all, embedding)?,
            norm: self.values("per_layer_proj_norm.weight", &[width])?,
        })
    }

    fn attention(&mut self, i: usize, of: config::Attention) -> Result<Attention, Error> {
        let (heads, embedding, norms) = (of.heads, self.config.embedding, self.config.norms);
        let name = |part: &str| format!("blk.{i}.{part}");
        let ([query, key, value], qkv_bias) = self.qkv(i, of)?;
        let query = query.ok_or_else(|| Error::MissingTensor { name: name("attn_q.weight") })?;
        let key_norm = name("attn_k_norm.weight");
        let mut qkv_norm = [
            self.head_norm(&name("attn_q_norm.weight"), heads, heads.heads)?,
            match key {
                Some(_) => self.head_norm(&key_norm, heads, heads.kv_heads)?,
                None => self.leave(&key_norm),
            },
            (norms.values && key.is_some()).then(|| HeadNorm::without_weights(heads.head_dim)),
        ];
        let q_scale = if norms.heads_turned { take_weights(&mut qkv_norm) } else { None };
        Ok(Attention {
            heads,
            shared: of.shared,
            query,
            qkv_bias,
            qkv_norm,
            q_scale,
            key,
            value,
            sinks: self.optional_vector(&name("attn_sinks.weight"), heads.heads)?,
            output: self.matrix(&name("attn_output.weight"), embedding, heads.q_values())?,
            output_bias: self.optional_vector(&name("attn_output.bias"), embedding)?,
        })
    }

    /// A tensor that a file may have although the model does not use it.
    fn leave<T>(&mut self, name: &str) -> Option<T> {
        self.used.extend(self.file.tensor(name).map(TensorInfo::name));
        None
    }

    fn short_conv(&mut self, i: usize, length: usize) -> Result<ShortConv, Error> {
        let (embedding, name) =
            (self.config.embedding, |part: &str| format!("blk.{i}.shortconv.{part}.weight"));
        Ok(ShortConv {
            input: self.matrix(&name("in_proj"), 3 * embedding, embedding)?,
            kernel: self.values(&name("conv"), &[length, embedding])?,
            output: self.matrix(&name("out_proj"), embedding, embedding)?,
        })
    }

    fn delta_net(
        &mut self,
        i: usize,
        config::DeltaNet { heads, length }: config::DeltaNet,
    ) -> Result<DeltaNet, Error> {
        let (embedding, width, values) = (self.config.embedding, heads.qkv_values(), heads.value_values());
        let name = |part: &str| format!("blk.{i}.{part}");
        let by_column = self.values(&name("ssm_conv1d.weight"), &[length, width])?;
        let of_position = |t: usize| by_column.chunks_exact(length).map(move |column| column[t]);
        Ok(DeltaNet {
            heads,
            qkv: self.matrix(&name("attn_qkv.weight"), width, embedding)?,
            gate: self.matrix(&name("attn_gate.weight"), values, embedding)?,
            decay: self.matrix(&name("ssm_alpha.weight"), heads.value_heads, embedding)?,
            beta: self.matrix(&name("ssm_beta.weight"), heads.value_heads, embedding)?,
            kernel: (0..length).flat_map(of_position).collect(),
            decay_bias: self.values(&name("ssm_dt.bias"), &[heads.value_heads])?,
            rate: self.values(&name("ssm_a"), &[heads.value_heads])?,
            norm: self.values(&name("ssm_norm.weight"), &[heads.head_dim])?,
            output: self.matrix(&name("ssm_out.weight"), embedding, values)?,
        })
    }

    /// Query, key and value with their biases: three tensors, or one with the rows of all.
    fn qkv(&mut self, i: usize, of: config::Attention) -> Result<Qkv, Error> {
        let (kv, embedding) = (of.heads.kv_values(), self.config.embedding);
        // those of the queries, and of what gates the output
        let q = of.heads.q_values() * if self.config.output_gate { 2 } else { 1 };
        let ranges = [0..q, q..q + kv, q + kv..q + 2 * kv];
        let name = |part: &str| format!("blk.{i}.{part}");
        let fused = self
            .optional(&name("attn_qkv.weight"), |finder, name| finder.matrix(name, q + 2 * kv, embedding))?;
        let fused_bias = self.optional_vector(&name("attn_qkv.bias"), q + 2 * kv)?;
        let parts = ["attn_q", "attn_k", "attn_v"].map(name);
        let matrix = |finder: &mut Self, part: usize| {
            let (name, rows) = (format!("{}.weight", parts[part]), ranges[part].clone());
            let is_there = fused.is_some() || finder.file.tensor(&name).is_some();
            match &fused {
                _ if part > 0 && of.shared.is_some() => Ok(finder.leave(&name)),
                _ if part == 2 && finder.config.keys_as_values && !is_there => Ok(None),
                Some(fused) => Ok(Some(fused.row_range(rows))),
                None => finder.matrix(&name, rows.len(), embedding).map(Some),
            }
        };
        let matrices = [matrix(self, 0)?, matrix(self, 1)?, matrix(self, 2)?];
        let bias = |finder: &mut Self, part: usize| match &fused_bias {
            Some(fused) => Ok(Some(fused[ranges[part].clone()].into())),
            None => finder.optional_vector(&format!("{}.bias", parts[part]), ranges[part].len()),
        };
        Ok((matrices, [bias(self, 0)?, bias(self, 1)?, bias(self, 2)?]))
    }

    /// Norm weights of `heads` heads, where the model has them: of one head, of each, or of all as one vector.
    fn head_norm(
        &mut self,
        name: &str,
        Heads { head_dim, .. }: Heads,
        heads: usize,
    ) -> Result<Option<HeadNorm>, Error> {
        let norms = self.config.norms;
        let all = heads * head_dim;
        let Some(tensor) = self.file.tensor(name) else {
            let missing = || Error::MissingTensor { name: name.to_owned() };
            return if norms.heads { Err(missing()) } else { Ok(None) };
        };
        let (dims, width) = match tensor.dims() {
            &[n] | &[n, 1] if n == all as u64 && !norms.heads_turned => (vec![all], all),
            [_, _] if !norms.heads_turned => (vec![head_dim, heads], head_dim),
            _ => (vec![head_dim], head_dim),
        };
        Ok(Some(HeadNorm { weight: self.values(name, &dims)?, width }))
    }

    /// A feed-forward part whose tensors are `blk.{i}.ffn_gate{suffix}` and so on; gate and up may be the rows of one tensor.
    fn dense(&mut self, i: usize, suffix: &str, width: usize) -> Result<Dense, Error> {
        let (embedding, gated) = (self.config.embedding, self.config.gate.is_some());
        let name = |part: &str, kind: &str| format!("blk.{i}.ffn_{part}{suffix}.{kind}");
        let activation = self.config.layers[i].activation;
        let gate = match gated {
            true => {
                self.optional(&name("gate", "weight"), |finder, name| finder.matrix(name, width, embedding))?
            }
            false => None,
        };
        let fused = gated && gate.is_none();
        let up = self.matrix(&name("up", "weight"), if fused { 2 * width } else { width }, embedding)?;
        let (gate, up) =
            if fused { (Some(up.row_range(0..width)), up.row_range(width..2 * width)) } else { (gate, up) };
        let bias = [
            self.optional_vector(&name("gate", "bias"), width)?,
            self.optional_vector(&name("up", "bias"), width)?,
            self.optional_vector(&name("down", "bias"), embedding)?,
        ];
        let down = self.matrix(&name("down", "weight"), embedding, width)?;
        Ok(Dense { gate, up, down, bias, activation })
    }

    fn experts(&mut self, i: usize, config: config::Experts) -> Result<Experts, Error> {
        let (embedding, count, width) = (self.config.embedding, config.count, config.feed_forward);
        let name = |part: &str| format!("blk.{i}.ffn_{part}");
        let bias = |finder: &mut Self, part: &str, len: usize| {
            finder.optional(&name(&format!("{part}_exps.bias")), |finder, name| {
                finder.values(name, &[len, count])
            })
        };
        let fused = self.optional(&name("gate_up_exps.weight"), |finder, name| {
            finder.stack(name, count, 2 * width, embedding)
        })?;
        let [gate, up] = match fused {
            Some(fused) => fused.cut(width),
            None => [
                self.stack(&name("gate_exps.weight"), count, width, embedding)?,
                self.stack(&name("up_exps.weight"), count, width, embedding)?,
            ],
        };
        Ok(Experts {
            router: self.matrix(&name("gate_inp.weight"), count, embedding)?,
            router_bias: self.optional_vector(&name("gate_inp.bias"), count)?,
            choice_bias: self.optional_vector(&format!("blk.{i}.exp_probs_b.bias"), count)?,
            gate,
            up,
            down: self.stack(&name("down_exps.weight"), count, embedding, width)?,
            scales: self.optional_vector(&name("down_exps.scale"), count)?,
            bias: [bias(self, "gate", width)?, bias(self, "up", width)?, bias(self, "down", embedding)?],
            shared: config.shared.map(|width| self.dense(i, "_shexp", width)).transpose()?,
            shared_gate: self
                .optional(&name("gate_inp_shexp.weight"), |finder, name| finder.matrix(name, 1, embedding))?,
        })
    }

    fn norm_if(&mut self, wanted: bool, name: &str) -> Result<Option<Norm>, Error> {
        wanted.then(|| self.norm(name)).transpose()
    }

    fn norm(&mut self, name: &str) -> Result<Norm, Error> {
        let embedding = self.config.embedding;
        if !self.config.norms.weights {
            return Ok(Norm { weight: vec![1.0; embedding].into(), bias: None });
        }
        let weight = self.values(&format!("{name}.weight"), &[embedding])?;
        Ok(Norm { weight, bias: self.optional_vector(&format!("{name}.bias"), embedding)? })
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

    fn optional_vector(&mut self, name: &str, len: usize) -> Result<Option<Vector>, Error> {
        self.optional(name, |finder, name| finder.values(name, &[len]))
    }

    fn matrix(&mut self, name: &str, rows: usize, cols: usize) -> Result<Matrix, Error> {
        let tensor = self.get(name)?;
        expect_shape(tensor, &[cols, rows])?;
        Ok(Matrix { bytes: self.file.bytes(tensor), format: format_of(tensor)?, rows, cols })
    }

    fn stack(&mut self, name: &str, count: usize, rows: usize, cols: usize) -> Result<Stack, Error> {
        let tensor = self.get(name)?;
        expect_shape(tensor, &[cols, rows, count])?;
        let (bytes, format) = (self.file.bytes(tensor), format_of(tensor)?);
        Ok(Stack { all: Matrix { bytes, format, rows: rows * count, cols }, count, part: 0..rows })
    }

    /// All values of a tensor of this shape, as floats, all of them finite.
    fn values(&mut self, name: &str, dims: &[usize]) -> Result<Vector, Error> {
        let tensor = self.get(name)?;
        expect_shape(tensor, dims)?;
        let mut out = zeros(tensor)?;
        format_of(tensor)?.decode(&self.file.bytes(tensor), &mut out);
        match out.iter().position(|value| !value.is_finite()) {
            // Activations are quantized, which would make some number of it.
            Some(index) => Err(Error::NotFinite { name: name.to_owned(), index, found: out[index] }),
            None => Ok(out),
        }
    }

    /// Whether a tensor is of a block that only guesses further tokens.
    fn is_draft(&self, name: &str) -> bool {
        let layers = self.config.layers.len();
        let block = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')?.0.parse().ok());
        block.is_some_and(|block| (layers..layers + self.config.draft_blocks).contains(&block))
    }

    fn refuse_unused(&self) -> Result<(), Error> {
        let unused =
            |tensor: &&TensorInfo| !self.used.contains(tensor.name()) && !self.is_draft(tensor.name());
        match self.file.tensors().iter().find(unused) {
            None => Ok(()),
            Some(tensor) => {
                let arch = self.config.family.to_owned();
                Err(Error::UnknownTensor { name: tensor.name().to_owned(), arch })
            }
        }
    }
}

/// Room for all values of a tensor, which in the file may take a twentieth of it.
fn zeros(tensor: &TensorInfo) -> Result<Vector, Error> {
    let (elements, mut out) = (tensor.elements(), Vec::new());
    let len = usize::try_from(elements).ok().filter(|&len| out.try_reserve_exact(len).is_ok());
    let needed = elements.saturating_mul(size_of::<f32>() as u64);
    let len = len.ok_or_else(|| Error::Memory { name: tensor.name().to_owned(), needed })?;
    out.resize(len, 0.0);
    Ok(out.into_boxed_slice())
}

/// Takes the weights out of the norms of one head's queries and keys, and returns their products. Scores are sums of products of a query's values with a
/// key's: where weights follow rotary embedding, the queries can have those of both.
fn take_weights(norms: &mut [Option<HeadNorm>; 3]) -> Option<Vector> {
    let [Some(q), Some(k), _] = norms else { return None };
    let products = q.weight.iter().zip(&k.weight).map(|(q, k)| q * k).collect();
    q.weight.fill(1.0);
    k.weight.fill(1.0);
    Some(products)
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
