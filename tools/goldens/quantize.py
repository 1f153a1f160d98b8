#!/usr/bin/env python3
"""Records what other quantizers make of the same weights and the same models.

    python quantize.py      writes tests/data/quantize/{blocks,layouts}.json

`blocks.json`: rows of 256 weights, and their bytes in every format: from gguf-py's numpy code, and for the K-quants, which it does not encode, from
ggml. `layouts.json`: the formats that llama.cpp's quantizer gives the tensors of models of several shapes, for every mix.
"""

import ctypes
import importlib.metadata
import json
import pathlib
import re
import tempfile

import gguf
import numpy as np

import llama_cpp
from divergence import quantize
from quality import FORMATS

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/data/quantize"
MADE_BY = f"gguf-py {importlib.metadata.version('gguf')}, llama-cpp-python {llama_cpp.__version__}"

PLAIN = ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"]
K_QUANTS = ["Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]

LETTERS = {
    "F32": ".", "F16": "h", "BF16": "b", "Q4_0": "t", "Q4_1": "u", "Q5_0": "v", "Q5_1": "w", "Q8_0": "8",
    "Q2_K": "2", "Q3_K": "3", "Q4_K": "4", "Q5_K": "5", "Q6_K": "6",
}  # fmt: skip
"""A letter for each format: one a tensor keeps the file short."""


def rows():
    random = np.random.default_rng(0)
    normal = lambda scale=0.02: random.normal(0, scale, 256)
    outlier = normal()
    outlier[77] = 1.5
    sparse = normal() * (random.random(256) < 0.1)
    rows = [normal() for _ in range(12)] + [random.laplace(0, 0.02, 256) for _ in range(4)]
    rows += [random.standard_t(3, 256) * 0.02, random.uniform(-1, 1, 256), random.uniform(0.5, 1, 256), -random.uniform(0.1, 1, 256)]
    rows += [outlier, sparse, normal(1e-4), normal(100.0), np.zeros(256), np.full(256, 0.37), np.sort(normal())]
    rows += [normal() * np.repeat(random.uniform(0.05, 2, 8), 32), np.round(normal() * 200) / 200]
    return np.array(rows, np.float32)


def by_ggml(kind, row):
    lib = ctypes.CDLL(str(next((pathlib.Path(llama_cpp.__file__).parent / "lib").glob("libggml-base.*"))))
    lib.ggml_quantize_chunk.restype = ctypes.c_size_t
    out = np.zeros(gguf.GGML_QUANT_SIZES[kind][1], np.uint8)
    pointer = lambda array: ctypes.c_void_p(array.ctypes.data)
    size = lib.ggml_quantize_chunk(
        ctypes.c_int(kind), pointer(row), pointer(out), ctypes.c_int64(0), ctypes.c_int64(1), ctypes.c_int64(256), None
    )
    assert size == out.size
    return out


def blocks():
    weights, formats = rows(), {}
    with np.errstate(all="ignore"):
        for name in PLAIN + K_QUANTS:
            kind = gguf.GGMLQuantizationType[name]
            encode = by_ggml if name in K_QUANTS else lambda kind, row: gguf.quants.quantize(row, kind)
            formats[name] = [np.asarray(encode(kind, row)).tobytes().hex() for row in weights]
    return {"made_by": MADE_BY, "weights": [row.astype("<f4").tobytes().hex() for row in weights], "bytes": formats}


def model(layers, heads=8, kv_heads=8, arch="llama", cols=256, experts=0, tied=False, fused=False, more=(), skip=()):
    """Metadata and tensors (name, dims as numpy has them) of a model of this shape; tensors of every layer, without those named in `skip`."""
    keys = {
        "block_count": layers, "context_length": 64, "embedding_length": cols, "feed_forward_length": cols,
        "attention.head_count": heads, "attention.head_count_kv": kv_heads, "vocab_size": 8,
        **({"expert_count": experts, "expert_used_count": 2} if experts else {}),
    }  # fmt: skip
    square = (4, cols)
    tensors = [("token_embd.weight", square), ("output_norm.weight", (cols,))]
    tensors += [] if tied else [("output.weight", square)]
    for layer in range(layers):
        names = ["attn_qkv"] if fused else ["attn_q", "attn_k", "attn_v"]
        names += ["attn_output"]
        wide = [f"{name}_exps" for name in ("ffn_gate", "ffn_up", "ffn_down")] if experts else []
        names += ["ffn_gate_inp"] if experts else ["ffn_gate", "ffn_up", "ffn_down"]
        each = [("attn_norm", (cols,)), *((name, square) for name in names), *((name, (2, *square)) for name in wide)]
        tensors += [(f"blk.{layer}.{name}.weight", dims) for name, dims in each if (layer, name) not in skip]
    return {"arch": arch, "keys": keys, "tensors": tensors + list(more)}


MODELS = {
    "22 layers, 8 query heads to a value head": model(22, 8, 1),
    "32 layers, tied": model(32, tied=True),
    "7 layers": model(7, 8, 4),
    "80 layers that share value heads": model(80, 8, 1),
    "80 layers that do not": model(80),
    "80 layers of qwen2": model(80, 8, 4, arch="qwen2"),
    "8 experts": model(12, 8, 2, experts=8),
    "4 experts": model(12, 8, 2, experts=4),
    "fused projections": model(10, arch="phi3", fused=True),
    "value and down projections in some layers": model(
        16, 8, 2, skip=[(layer, name) for layer in range(0, 16, 3) for name in ("attn_v", "ffn_down")]
    ),
    "rows of 288": model(9, cols=288),
    "rows of 80": model(9, 8, 8, cols=80, tied=True),
    "small matrices": model(
        2,
        arch="gpt2",
        more=[
            ("position_embd.weight", (4, 256)),
            ("blk.0.shortconv.conv.weight", (256, 3)),
            ("blk.0.ssm_conv1d.weight", (256, 4)),
            ("blk.0.ffn_norm.weight", (4, 256)),
            ("blk.0.attn_q.bias", (4, 256)),
            ("blk.0.attn_rel_b.weight", (4, 256)),
            ("blk.0.time_mix_value.weight", (4, 256)),
            ("blk.0.time_mix_w1.weight", (4, 256)),
            ("blk.0.attn_sinks.weight", (256,)),
            ("per_layer_token_embd.weight", (4, 256)),
            ("per_layer_model_proj.weight", (4, 256)),
            ("blk.0.inp_gate.weight", (4, 256)),
            ("blk.0.proj.weight", (4, 256)),
            ("blk.0.ffn_gate_up_exps.weight", (2, 4, 256)),
            ("blk.0.ffn_gate_inp.scale", (256,)),
            ("blk.0.layer_output_scale.weight", (1,)),
        ],
    ),
}


def write(path, model):
    writer = gguf.GGUFWriter(path, model["arch"])
    for key, value in model["keys"].items():
        writer.add_uint32(f"{model['arch']}.{key}", value)
    writer.add_float32(f"{model['arch']}.attention.layer_norm_rms_epsilon", 1e-5)
    writer.add_float32(f"{model['arch']}.attention.layer_norm_epsilon", 1e-5)
    for name, dims in model["tensors"]:
        writer.add_tensor(name, np.zeros(dims, np.float32 if len(dims) == 1 else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def layout(source, target, names, mix):
    quantize(source, target, FORMATS[mix])
    types = {tensor.name: tensor.tensor_type.name for tensor in gguf.GGUFReader(target).tensors}
    return "".join(LETTERS[types[name]] for name in names)


def layouts():
    found = []
    with tempfile.TemporaryDirectory() as folder:
        source, target = (pathlib.Path(folder, name) for name in ("f16.gguf", "new.gguf"))
        for name, model in MODELS.items():
            write(source, model)
            names = [name for name, _ in model["tensors"]]
            mixes = {mix: layout(source, target, names, mix) for mix in FORMATS}
            # GGUF counts dims from the other end
            tensors = [" ".join([name, *(str(dim) for dim in reversed(dims))]) for name, dims in model["tensors"]]
            found.append({"name": name, "arch": model["arch"], "keys": model["keys"], "tensors": tensors, "mixes": mixes})
    return {"made_by": MADE_BY, "letters": LETTERS, "models": found}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, data in {"blocks": blocks(), "layouts": layouts()}.items():
        text = json.dumps(data, indent=1)
        # lists of scalars on one line
        (OUT / f"{name}.json").write_text(re.sub(r"\[[^\[\]{}]*\]", lambda found: re.sub(r"\s+", " ", found[0]), text) + "\n")


if __name__ == "__main__":
    main()
