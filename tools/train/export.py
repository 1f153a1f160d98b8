"""Write a checkpoint as GGUF and quantize it: `python export.py --checkpoint F --tokenizer F --out DIR`.

The F32 file is written with the `gguf` package; llama.cpp itself makes the other formats from it.
"""

import argparse
import ctypes
from pathlib import Path

import gguf
import llama_cpp
import sentencepiece
import torch

from corpus.chat import TEMPLATE
from model import Config

NAME = "siskin-fledgling"
DESCRIPTION = "A very small model of simple English stories, trained by the siskin project on text that its own generator wrote"

# llama.cpp's numbers of the file types (LLAMA_FTYPE_*).
FORMATS = {"F16": 1, "Q4_0": 2, "Q8_0": 7, "Q4_K_M": 15}

# Names inside a layer: GGUF's, and the module's in model.py.
LAYER = {
    "attn_norm": "attn_norm", "attn_q": "attn.q", "attn_k": "attn.k", "attn_v": "attn.v", "attn_output": "attn.output",
    "ffn_norm": "ffn_norm", "ffn_gate": "gate", "ffn_up": "up", "ffn_down": "down",
}


def add_header(writer, cfg):
    writer.add_name(NAME)
    writer.add_author("The siskin developers")
    writer.add_description(DESCRIPTION)
    writer.add_license("MIT OR Apache-2.0")
    writer.add_languages(["en"])
    writer.add_context_length(cfg.context)
    writer.add_embedding_length(cfg.dim)
    writer.add_block_count(cfg.layers)
    writer.add_feed_forward_length(cfg.hidden)
    writer.add_head_count(cfg.heads)
    writer.add_head_count_kv(cfg.kv_heads)
    writer.add_rope_dimension_count(cfg.head_dim)
    writer.add_rope_freq_base(cfg.rope_base)
    writer.add_layer_norm_rms_eps(cfg.norm_eps)
    writer.add_vocab_size(cfg.vocab)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def token_type(vocab, i):
    if vocab.is_unknown(i):
        return gguf.TokenType.UNKNOWN
    if vocab.is_control(i):
        return gguf.TokenType.CONTROL
    return gguf.TokenType.BYTE if vocab.is_byte(i) else gguf.TokenType.NORMAL


def add_vocabulary(writer, vocab):
    ids = range(vocab.vocab_size())
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([vocab.id_to_piece(i) for i in ids])
    writer.add_token_scores([vocab.get_score(i) for i in ids])
    writer.add_token_types([token_type(vocab, i) for i in ids])
    writer.add_bos_token_id(vocab.bos_id())
    writer.add_eos_token_id(vocab.eos_id())
    writer.add_eot_token_id(vocab.piece_to_id("<|im_end|>"))
    writer.add_unk_token_id(vocab.unk_id())
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(True)
    writer.add_chat_template(TEMPLATE)


def tensors(weights, cfg):
    """(GGUF name, weights) in the order of use; there is no output matrix, it is the embedding."""
    yield "token_embd.weight", weights["embedding.weight"]
    for layer in range(cfg.layers):
        for name, module in LAYER.items():
            yield f"blk.{layer}.{name}.weight", weights[f"layers.{layer}.{module}.weight"]
    yield "output_norm.weight", weights["norm.weight"]


def write_f32(path, checkpoint, vocab):
    cfg = Config(**checkpoint["config"])
    writer = gguf.GGUFWriter(path, "llama")
    add_header(writer, cfg)
    add_vocabulary(writer, vocab)
    for name, values in tensors(checkpoint["weights"], cfg):
        writer.add_tensor(name, values.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def quantize(source, target, ftype):
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = ftype
    params.nthread = 1
    if llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)):
        raise SystemExit(f"llama.cpp could not write {target}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    vocab = sentencepiece.SentencePieceProcessor(model_file=args.tokenizer)
    source = args.out / f"{NAME}-F32.gguf"
    write_f32(source, torch.load(args.checkpoint, map_location="cpu"), vocab)
    for name, ftype in FORMATS.items():
        quantize(source, args.out / f"{NAME}-{name}.gguf", ftype)
    for path in sorted(args.out.glob("*.gguf")):
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
