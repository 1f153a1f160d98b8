//! Shapes of the families beside Llama: a tiny one of each for tests, wide enough for blocks of 256 weights, and some real ones.
//!
//! The tiny ones bend within the few dozen tokens of a test: windows are short, and scaling of rotary embedding starts early.

use super::shape::{DeltaNet, Experts, HeadNorm, Key, Kinds, Parts, Shape, TINY};

/// A tiny shape of a family; where layers differ, it needs more than two.
pub(super) const fn tiny(name: &'static str, arch: &'static str, parts: Parts) -> Shape {
    Shape { name, arch, parts, ..TINY }
}

const YARN: [(&str, Key); 3] = [
    ("rope.scaling.type", Key::Text("yarn")),
    ("rope.scaling.factor", Key::F32(8.0)),
    ("rope.scaling.original_context_length", Key::U32(32)),
];

const WITH_HEAD_NORM: Parts = Parts { head_norm: HeadNorm::Shared, ..Parts::LLAMA };

/// Heads wider than their share of the embedding, as in the smallest Qwen 3.
pub const QWEN3: Shape =
    Shape { head_dim: 128, rope_dims: 128, tied: true, ..tiny("tiny-qwen3", "qwen3", WITH_HEAD_NORM) };

pub const GEMMA2: Shape = Shape {
    tied: true,
    ..tiny(
        "tiny-gemma2",
        "gemma2",
        Parts {
            norms_after: true,
            keys: &[
                ("attention.key_length", Key::U32(64)),
                ("attention.value_length", Key::U32(64)),
                ("attention.sliding_window", Key::U32(16)),
                ("attn_logit_softcapping", Key::F32(50.0)),
                ("final_logit_softcapping", Key::F32(30.0)),
            ],
            ..Parts::LLAMA
        },
    )
};

pub const GEMMA3: Shape = Shape {
    layers: 7,
    rope_base: 1_000_000.0,
    tied: true,
    ..tiny(
        "tiny-gemma3",
        "gemma3",
        Parts {
            norms_after: true,
            keys: &[
                ("attention.key_length", Key::U32(64)),
                ("attention.value_length", Key::U32(64)),
                ("attention.sliding_window", Key::U32(16)),
                ("rope.scaling.type", Key::Text("linear")),
                ("rope.scaling.factor", Key::F32(8.0)),
            ],
            ..WITH_HEAD_NORM
        },
    )
};

pub const PHI3: Shape = tiny(
    "tiny-longrope",
    "phi3",
    Parts {
        fused_qkv: true,
        fused_up: true,
        long_rope: true,
        keys: &[
            ("rope.scaling.type", Key::Text("longrope")),
            ("rope.scaling.original_context_length", Key::U32(32)),
            ("rope.scaling.attn_factor", Key::F32(1.19)),
        ],
        ..Parts::LLAMA
    },
);

const GRANITE_KEYS: &[(&str, Key)] = &[
    ("embedding_scale", Key::F32(12.0)),
    ("residual_scale", Key::F32(0.22)),
    ("attention.scale", Key::F32(0.02)),
    ("logit_scale", Key::F32(8.0)),
];

pub const GRANITE: Shape = tiny("tiny-granite", "granite", Parts { keys: GRANITE_KEYS, ..Parts::LLAMA });

pub const GRANITEMOE: Shape = Shape {
    ff: 256,
    ..tiny(
        "tiny-granitemoe",
        "granitemoe",
        Parts {
            experts: Some(Experts {
                count: 6,
                used: 2,
                ff: 256,
                shared: 512,
                biased: false,
                shared_gate: false,
            }),
            keys: GRANITE_KEYS,
            ..Parts::LLAMA
        },
    )
};

/// Four layers: the last has no rotary embedding.
pub const SMOLLM3: Shape = Shape { layers: 4, ..tiny("tiny-smollm3", "smollm3", Parts::LLAMA) };

pub const MISTRAL3: Shape = tiny(
    "tiny-mistral3",
    "mistral3",
    Parts {
        keys: &[
            YARN[0],
            YARN[1],
            YARN[2],
            ("rope.scaling.yarn_beta_fast", Key::F32(16.0)),
            ("rope.scaling.yarn_log_multiplier", Key::F32(1.0)),
            ("attention.temperature_scale", Key::F32(0.1)),
        ],
        ..Parts::LLAMA
    },
);

const OLMO_PARTS: Parts =
    Parts { norms_before: false, norms_after: true, ffn_norm: "", head_norm: HeadNorm::All, ..Parts::LLAMA };

pub const OLMO2: Shape = tiny("tiny-olmo2", "olmo2", OLMO_PARTS);

pub const OLMO3: Shape = Shape {
    layers: 4,
    ..tiny(
        "tiny-olmo3",
        "olmo2",
        Parts {
            keys: &[YARN[0], YARN[1], YARN[2], ("attention.sliding_window", Key::U32(16))],
            ..OLMO_PARTS
        },
    )
};

pub const OLMOE: Shape = Shape {
    ff: 256,
    kv_heads: 4,
    ..tiny(
        "tiny-olmoe",
        "olmoe",
        Parts {
            head_norm: HeadNorm::All,
            experts: Some(Experts {
                count: 8,
                used: 3,
                ff: 256,
                shared: 0,
                biased: false,
                shared_gate: false,
            }),
            ..Parts::LLAMA
        },
    )
};

/// A quarter of each head is turned.
pub const STABLELM: Shape = Shape {
    rope_dims: 16,
    qkv_bias: true,
    ..tiny("tiny-stablelm", "stablelm", Parts { layer_norm: true, ..Parts::LLAMA })
};

pub const STABLELM_PARALLEL: Shape = Shape {
    rope_dims: 16,
    ..tiny(
        "tiny-stablelm-parallel",
        "stablelm",
        Parts { layer_norm: true, ffn_norm: "", head_norm: HeadNorm::Each, ..Parts::LLAMA },
    )
};

pub const GPT2: Shape = Shape {
    kv_heads: 4,
    qkv_bias: true,
    tied: true,
    ..tiny(
        "tiny-gpt2",
        "gpt2",
        Parts {
            layer_norm: true,
            fused_qkv: true,
            gated: false,
            output_bias: true,
            ffn_bias: true,
            positions: true,
            ..Parts::LLAMA
        },
    )
};

pub const MIXTRAL: Shape = tiny(
    "tiny-mixtral",
    "llama",
    Parts {
        experts: Some(Experts { count: 4, used: 2, ff: 512, shared: 0, biased: false, shared_gate: false }),
        ..Parts::LLAMA
    },
);

pub const QWEN3MOE: Shape = tiny(
    "tiny-qwen3moe",
    "qwen3moe",
    Parts {
        experts: Some(Experts { count: 16, used: 4, ff: 256, shared: 0, biased: false, shared_gate: false }),
        ..WITH_HEAD_NORM
    },
);

pub const GPT_OSS: Shape = Shape {
    qkv_bias: true,
    layers: 4,
    ..tiny(
        "tiny-gpt-oss",
        "gpt-oss",
        Parts {
            ffn_norm: "post_attention_norm",
            output_bias: true,
            sinks: true,
            experts: Some(Experts {
                count: 8,
                used: 4,
                ff: 256,
                shared: 0,
                biased: true,
                shared_gate: false,
            }),
            keys: &[
                YARN[0],
                YARN[1],
                YARN[2],
                ("attention.key_length", Key::U32(64)),
                ("attention.value_length", Key::U32(64)),
                ("attention.sliding_window", Key::U32(16)),
            ],
            ..Parts::LLAMA
        },
    )
};

pub const QWEN3_0_6B: Shape = Shape {
    name: "qwen3-0.6b",
    dim: 1024,
    ff: 3072,
    layers: 28,
    heads: 16,
    kv_heads: 8,
    vocab: 151_936,
    context: 40_960,
    rope_base: 1_000_000.0,
    norm_eps: 1e-6,
    ..QWEN3
};

pub const GEMMA3_1B: Shape = Shape {
    name: "gemma3-1b",
    dim: 1152,
    ff: 6912,
    layers: 26,
    heads: 4,
    kv_heads: 1,
    head_dim: 256,
    rope_dims: 256,
    vocab: 262_144,
    context: 32_768,
    norm_eps: 1e-6,
    parts: Parts {
        keys: &[
            ("attention.key_length", Key::U32(256)),
            ("attention.value_length", Key::U32(256)),
            ("attention.sliding_window", Key::U32(512)),
        ],
        ..GEMMA3.parts
    },
    ..GEMMA3
};

pub const OLMOE_1B_7B: Shape = Shape {
    name: "olmoe-1b-7b",
    dim: 2048,
    ff: 1024,
    layers: 16,
    heads: 16,
    kv_heads: 16,
    head_dim: 128,
    rope_dims: 128,
    vocab: 50_304,
    context: 4096,
    parts: Parts {
        experts: Some(Experts { count: 64, used: 8, ff: 1024, shared: 0, biased: false, shared_gate: false }),
        ..OLMOE.parts
    },
    ..OLMOE
};

/// Convolutions over three positions and attention, in turn.
pub const LFM2: Shape = Shape {
    layers: 4,
    tied: true,
    ..tiny(
        "tiny-lfm2",
        "lfm2",
        Parts {
            convolution: Some(3),
            output_norm: "token_embd_norm",
            keys: &[("shortconv.l_cache", Key::U32(3))],
            ..WITH_HEAD_NORM
        },
    )
};

pub const LFM2_350M: Shape = Shape {
    name: "lfm2-350m",
    dim: 1024,
    ff: 4608,
    layers: 16,
    heads: 16,
    kv_heads: 8,
    vocab: 65_536,
    context: 128_000,
    rope_base: 1_000_000.0,
    ..LFM2
};

/// Delta nets and attention with an output gate, in turn. Queries and keys of the delta nets are shared by two heads, and a part of each attention head is
/// turned.
pub const QWEN35: Shape = Shape {
    layers: 4,
    head_dim: 128,
    rope_dims: 32,
    norm_eps: 1e-6,
    tied: true,
    ..tiny(
        "tiny-qwen35",
        "qwen35",
        Parts {
            ffn_norm: "post_attention_norm",
            delta_net: Some(DeltaNet {
                key_heads: 2,
                value_heads: 4,
                head_dim: 64,
                convolution: 4,
                interval: 2,
            }),
            output_gate: true,
            keys: &[("rope.dimension_sections", Key::List(&[6, 5, 5, 0]))],
            ..WITH_HEAD_NORM
        },
    )
};

/// A layer of each kind.
pub const QWEN35MOE: Shape = Shape {
    name: "tiny-qwen35moe",
    arch: "qwen35moe",
    layers: 2,
    parts: Parts {
        experts: Some(Experts { count: 16, used: 4, ff: 256, shared: 256, biased: false, shared_gate: true }),
        ..QWEN35.parts
    },
    ..QWEN35
};

pub const QWEN35_0_8B: Shape = Shape {
    name: "qwen3.5-0.8b",
    dim: 1024,
    ff: 3584,
    layers: 24,
    heads: 8,
    kv_heads: 2,
    head_dim: 256,
    rope_dims: 64,
    vocab: 248_320,
    context: 262_144,
    rope_base: 10_000_000.0,
    parts: Parts {
        delta_net: Some(DeltaNet {
            key_heads: 16,
            value_heads: 16,
            head_dim: 128,
            convolution: 4,
            interval: 4,
        }),
        keys: &[("rope.dimension_sections", Key::List(&[11, 11, 10, 0]))],
        ..QWEN35.parts
    },
    ..QWEN35
};

/// Without a window, queries share one head of keys, which are the values, too.
pub const GEMMA4: Shape = Shape {
    layers: 4,
    rope_base: 1_000_000.0,
    norm_eps: 1e-6,
    tied: true,
    ..tiny(
        "tiny-gemma4",
        "gemma4",
        Parts {
            norms_after: true,
            kinds: Some(Kinds {
                interval: 2,
                kv_heads: 1,
                head_dim: 128,
                values: false,
                storing: 4,
                spare: false,
            }),
            output_scale: true,
            keys: &[
                ("attention.sliding_window", Key::U32(16)),
                ("rope.freq_base_swa", Key::F32(10_000.0)),
                ("final_logit_softcapping", Key::F32(30.0)),
            ],
            ..WITH_HEAD_NORM
        },
    )
};

/// Half of the layers look up what the others have, and all have something of each token for themselves.
pub const GEMMA4_E: Shape = Shape {
    name: "tiny-gemma4-e",
    kv_heads: 1,
    parts: Parts {
        kinds: Some(Kinds { interval: 2, kv_heads: 1, head_dim: 128, values: true, storing: 2, spare: true }),
        per_layer: 256,
        ..GEMMA4.parts
    },
    ..GEMMA4
};

/// Experts beside the dense part.
pub const GEMMA4_MOE: Shape = Shape {
    name: "tiny-gemma4-moe",
    parts: Parts {
        experts: Some(Experts { count: 8, used: 3, ff: 256, shared: 0, biased: false, shared_gate: false }),
        dense_beside: true,
        ..GEMMA4.parts
    },
    ..GEMMA4
};

pub const GEMMA4_E2B: Shape = Shape {
    name: "gemma4-e2b",
    dim: 1536,
    ff: 6144,
    layers: 35,
    heads: 8,
    head_dim: 256,
    rope_dims: 256,
    vocab: 262_144,
    context: 131_072,
    parts: Parts {
        kinds: Some(Kinds {
            interval: 5,
            kv_heads: 1,
            head_dim: 512,
            values: true,
            storing: 15,
            spare: true,
        }),
        keys: &[
            ("attention.sliding_window", Key::U32(512)),
            ("rope.freq_base_swa", Key::F32(10_000.0)),
            ("final_logit_softcapping", Key::F32(30.0)),
        ],
        ..GEMMA4_E.parts
    },
    ..GEMMA4_E
};
