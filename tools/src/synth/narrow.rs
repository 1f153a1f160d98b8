//! Shapes of families that put together parts which others have: narrow ones, for float formats; and of those with a part of their own, tiny ones.

use super::families::tiny;
use super::shape::{Experts, HeadNorm, Key, NARROW, Parts, SHORT_SCALING, Shape};

/// A narrow shape of a family.
const fn narrow(name: &'static str, arch: &'static str, parts: Parts) -> Shape {
    Shape { name, arch, parts, ..NARROW }
}

const HEADS: Parts = Parts { head_norm: HeadNorm::Shared, ..Parts::LLAMA };

const LAYER_NORM: Parts = Parts { layer_norm: true, ..Parts::LLAMA };

/// Six experts of which a token goes to two.
const EXPERTS: Experts = Experts { count: 6, used: 2, ff: 64, shared: 0, biased: false, shared_gate: false };

const SECTIONS: (&str, Key) = ("rope.dimension_sections", Key::List(&[6, 5, 5, 0]));

pub const QWEN2MOE: Shape = Shape {
    qkv_bias: true,
    ..narrow(
        "narrow-qwen2moe",
        "qwen2moe",
        Parts { experts: Some(Experts { shared: 96, shared_gate: true, ..EXPERTS }), ..Parts::LLAMA },
    )
};

pub const QWEN2VL: Shape = Shape {
    qkv_bias: true,
    norm_eps: 1e-6,
    ..narrow("narrow-qwen2vl", "qwen2vl", Parts { keys: &[SECTIONS], ..Parts::LLAMA })
};

const QWEN3VL_PARTS: Parts = Parts { keys: &[SECTIONS], ..HEADS };

pub const QWEN3VL: Shape = Shape { tied: true, ..narrow("narrow-qwen3vl", "qwen3vl", QWEN3VL_PARTS) };

pub const QWEN3VLMOE: Shape =
    narrow("narrow-qwen3vlmoe", "qwen3vlmoe", Parts { experts: Some(EXPERTS), ..QWEN3VL_PARTS });

pub const GEMMA: Shape = Shape { tied: true, ..narrow("narrow-gemma", "gemma", Parts::LLAMA) };

/// Half of each head is turned.
pub const PHI2: Shape = Shape {
    kv_heads: 4,
    rope_dims: 16,
    qkv_bias: true,
    ..narrow(
        "narrow-phi2",
        "phi2",
        Parts {
            ffn_norm: "",
            fused_qkv: true,
            gated: false,
            output_bias: true,
            ffn_bias: true,
            logits_bias: true,
            ..LAYER_NORM
        },
    )
};

pub const OLMO: Shape = Shape {
    tied: true,
    ..narrow("narrow-olmo", "olmo", Parts { norm_values: (false, false), ..LAYER_NORM })
};

/// A dense layer with a convolution, and three with experts of which one has a convolution.
pub const LFM2MOE: Shape = Shape {
    layers: 4,
    tied: true,
    ..tiny(
        "tiny-lfm2moe",
        "lfm2moe",
        Parts {
            convolution: Some(3),
            output_norm: "token_embd_norm",
            experts: Some(Experts { count: 8, ff: 256, ..EXPERTS }),
            dense_lead: 1,
            choice_bias: true,
            keys: &[
                ("shortconv.l_cache", Key::U32(3)),
                ("leading_dense_block_count", Key::U32(1)),
                ("expert_gating_func", Key::U32(2)),
            ],
            ..HEADS
        },
    )
};

pub const ERNIE4_5: Shape = Shape { tied: true, ..narrow("narrow-ernie4_5", "ernie4_5", Parts::LLAMA) };

pub const ERNIE4_5_MOE: Shape = narrow(
    "narrow-ernie4_5-moe",
    "ernie4_5-moe",
    Parts {
        experts: Some(Experts { shared: 96, ..EXPERTS }),
        dense_lead: 1,
        choice_bias: true,
        keys: &[("leading_dense_block_count", Key::U32(1)), ("interleave_moe_layer_step", Key::U32(1))],
        ..Parts::LLAMA
    },
);

pub const HUNYUAN: Shape = Shape {
    tied: true,
    ..tiny(
        "tiny-hunyuan",
        "hunyuan-dense",
        Parts { keys: &[("rope.scaling.alpha", Key::F32(50.0))], ..HEADS },
    )
};

pub const MAINCODER: Shape = Shape { tied: true, ..narrow("narrow-maincoder", "maincoder", HEADS) };

pub const EXAONE: Shape = Shape {
    rope_base: 500_000.0,
    rope_scaling: Some(SHORT_SCALING),
    tied: true,
    ..narrow("narrow-exaone", "exaone", Parts::LLAMA)
};

pub const EXAONE4: Shape = Shape {
    tied: true,
    ..narrow(
        "narrow-exaone4",
        "exaone4",
        Parts { norms_before: false, norms_after: true, ffn_norm: "", ..HEADS },
    )
};

pub const INTERNLM2: Shape = narrow("narrow-internlm2", "internlm2", Parts::LLAMA);

pub const XVERSE: Shape = Shape { kv_heads: 4, ..narrow("narrow-xverse", "xverse", Parts::LLAMA) };

pub const PANGU: Shape = Shape {
    qkv_bias: true,
    ..narrow("narrow-pangu", "pangu-embedded", Parts { output_bias: true, ..Parts::LLAMA })
};

pub const ORION: Shape = Shape { kv_heads: 4, ..narrow("narrow-orion", "orion", LAYER_NORM) };

pub const MINICPM: Shape = narrow(
    "narrow-minicpm",
    "minicpm",
    Parts {
        keys: &[
            ("embedding_scale", Key::F32(12.0)),
            ("residual_scale", Key::F32(0.5)),
            ("logit_scale", Key::F32(2.0)),
        ],
        ..Parts::LLAMA
    },
);

pub const ARCEE: Shape = tiny("tiny-arcee", "arcee", Parts { gated: false, ..Parts::LLAMA });

/// Half of each head is turned.
pub const NEMOTRON: Shape =
    Shape { rope_dims: 16, ..narrow("narrow-nemotron", "nemotron", Parts { gated: false, ..LAYER_NORM }) };

/// Half of each head is turned.
pub const GLM4: Shape = Shape {
    rope_dims: 16,
    qkv_bias: true,
    ..narrow("narrow-glm4", "glm4", Parts { norms_after: true, fused_up: true, ..Parts::LLAMA })
};

pub const SEED_OSS: Shape = Shape {
    qkv_bias: true,
    ..narrow("narrow-seed-oss", "seed_oss", Parts { ffn_norm: "post_attention_norm", ..Parts::LLAMA })
};

pub const APERTUS: Shape = tiny(
    "tiny-apertus",
    "apertus",
    Parts {
        gated: false,
        keys: &[
            (".xielu.alpha_p", Key::Floats(&[0.5, -0.25])),
            (".xielu.alpha_n", Key::Floats(&[0.25, 0.75])),
            (".xielu.beta", Key::Floats(&[0.5, 0.625])),
            (".xielu.eps", Key::Floats(&[-1e-6, -1e-6])),
        ],
        ..HEADS
    },
);

pub const STARCODER: Shape = Shape {
    kv_heads: 1,
    qkv_bias: true,
    tied: true,
    ..narrow(
        "narrow-starcoder",
        "starcoder",
        Parts {
            fused_qkv: true,
            gated: false,
            output_bias: true,
            ffn_bias: true,
            positions: true,
            ..LAYER_NORM
        },
    )
};

pub const STARCODER2: Shape = Shape {
    qkv_bias: true,
    tied: true,
    ..narrow(
        "narrow-starcoder2",
        "starcoder2",
        Parts { gated: false, output_bias: true, ffn_bias: true, ..LAYER_NORM },
    )
};

const COHERE_KEYS: [(&str, Key); 2] =
    [("logit_scale", Key::F32(0.25)), ("rope.scaling.type", Key::Text("none"))];

const COHERE_PARTS: Parts =
    Parts { norm_values: (true, false), ffn_norm: "", keys: &COHERE_KEYS, ..LAYER_NORM };

pub const COMMAND_R: Shape = Shape { tied: true, ..narrow("narrow-command-r", "command-r", COHERE_PARTS) };

/// Four layers: the last has neither a window nor rotary embedding.
pub const COHERE2: Shape = Shape {
    layers: 4,
    tied: true,
    ..narrow(
        "narrow-cohere2",
        "cohere2",
        Parts {
            keys: &[COHERE_KEYS[0], COHERE_KEYS[1], ("attention.sliding_window", Key::U32(16))],
            ..COHERE_PARTS
        },
    )
};

/// Two of four groups of experts are open to a token, after a dense layer; half of each head is turned.
pub const BAILINGMOE2: Shape = Shape {
    rope_dims: 16,
    ..narrow(
        "narrow-bailingmoe2",
        "bailingmoe2",
        Parts {
            fused_qkv: true,
            experts: Some(Experts { count: 12, used: 3, shared: 64, ..EXPERTS }),
            dense_lead: 1,
            choice_bias: true,
            keys: &[
                ("leading_dense_block_count", Key::U32(1)),
                ("expert_gating_func", Key::U32(2)),
                ("expert_weights_norm", Key::Bool(true)),
                ("expert_weights_scale", Key::F32(2.5)),
                ("expert_shared_count", Key::U32(1)),
                ("expert_group_count", Key::U32(4)),
                ("expert_group_used_count", Key::U32(2)),
            ],
            ..HEADS
        },
    )
};
