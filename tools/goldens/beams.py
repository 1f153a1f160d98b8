#!/usr/bin/env python3
"""Records what Hugging Face transformers finds by beam search with the built-in model, into tests/data/beams.json.

    python3 tools/goldens/beams.py

Weights are decoded to F32 first, here and in the test, so that both compute with the same numbers. Besides requirements.txt this needs torch and
transformers, of the versions that the output names.
"""

import json
import pathlib

import gguf
import llama_cpp
import numpy
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMPTS = ["The cat sat on the", "Once upon a time", "The capital of France is", "A bird is", "Two and two"]
CASES = [
    (beams, penalty, early, new)
    for beams in (1, 2, 4, 8)
    for penalty, early, new in ((1.0, False, 24), (0.0, True, 16), (2.0, "never", 24), (0.6, False, 12))
    if beams > 1 or early is True  # one beam is greedy search there, which ends at once
]


def field(reader, name):
    value = reader.get_field(name)
    return value.contents() if value else None


def unpermute(weights, heads):
    """llama's query and key rows: GGUF has each head's pairs next to each other, transformers its halves."""
    rows, cols = weights.shape
    return weights.reshape(heads, rows // heads // 2, 2, cols).swapaxes(1, 2).reshape(rows, cols)


def load(path):
    reader = gguf.GGUFReader(path)
    of = lambda name: field(reader, "llama." + name)
    decoded = lambda tensor: gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
    tensors = {tensor.name: decoded(tensor) for tensor in reader.tensors}
    heads, kv_heads = of("attention.head_count"), of("attention.head_count_kv")
    vocabulary, embedding = tensors["token_embd.weight"].shape
    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=embedding,
        intermediate_size=of("feed_forward_length"),
        num_hidden_layers=of("block_count"),
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        max_position_embeddings=of("context_length"),
        rms_norm_eps=of("attention.layer_norm_rms_epsilon"),
        rope_theta=of("rope.freq_base") or 10000.0,
        tie_word_embeddings="output.weight" not in tensors,
        bos_token_id=field(reader, "tokenizer.ggml.bos_token_id"),
        eos_token_id=field(reader, "tokenizer.ggml.eos_token_id"),
    )
    names = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}
    parts = {
        "attn_norm": "input_layernorm",
        "ffn_norm": "post_attention_layernorm",
        "attn_q": "self_attn.q_proj",
        "attn_k": "self_attn.k_proj",
        "attn_v": "self_attn.v_proj",
        "attn_output": "self_attn.o_proj",
        "ffn_gate": "mlp.gate_proj",
        "ffn_up": "mlp.up_proj",
        "ffn_down": "mlp.down_proj",
    }
    state = {}
    for name, data in tensors.items():
        if name in names:
            state[names[name]] = torch.from_numpy(data)
        elif name.startswith("blk."):
            _, layer, part, kind = name.split(".")
            if part in ("attn_q", "attn_k"):
                data = numpy.ascontiguousarray(unpermute(data, heads if part == "attn_q" else kv_heads))
            state[f"model.layers.{layer}.{parts[part]}.{kind}"] = torch.from_numpy(data)
    model = transformers.LlamaForCausalLM(config).eval()
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing = [name for name in missing if name != "lm_head.weight"]
    assert not missing and not unexpected, (missing, unexpected)
    if config.tie_word_embeddings:
        model.tie_weights()
    return model


def main():
    path = str(ROOT / "models/builtin.gguf")
    model = load(path)
    tokenizer = llama_cpp.Llama(path, vocab_only=True, verbose=False)  # only for the ids of the prompts
    cases = []
    for prompt in PROMPTS:
        ids = tokenizer.tokenize(prompt.encode(), add_bos=True)
        for beams, penalty, early, new in CASES:
            with torch.no_grad():
                found = model.generate(
                    torch.tensor([ids]),
                    attention_mask=torch.ones(1, len(ids), dtype=torch.long),
                    num_beams=beams,
                    num_return_sequences=beams,
                    length_penalty=penalty,
                    early_stopping=early,
                    max_new_tokens=new,
                    do_sample=False,
                    pad_token_id=model.config.eos_token_id,
                    return_dict_in_generate=True,
                    output_scores=True,
                )
            sequences = []
            scores = found.sequences_scores.tolist() if beams > 1 else [None]
            for row, score in zip(found.sequences.tolist(), scores):
                row = row[len(ids) :]
                if model.config.eos_token_id in row:
                    row = row[: row.index(model.config.eos_token_id) + 1]
                sequences.append({"tokens": row, "score": score})
            early = {True: "full", False: "likely", "never": "never"}[early]
            cases.append({"prompt": ids, "beams": beams, "length_penalty": penalty, "early_stop": early, "max_tokens": new, "found": sequences})
    versions = {"transformers": transformers.__version__, "torch": torch.__version__, "llama_cpp": llama_cpp.__version__}
    out = ROOT / "tests/data/beams.json"
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    out.write_text('{"versions":' + json.dumps(versions) + ',\n"cases":[\n' + lines + "\n]}\n")


main()
