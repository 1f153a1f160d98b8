#!/usr/bin/env python3
"""Records tests/tokenizer_rules.txt: what llama.cpp makes of some awkward texts under each pre-tokenizer.

Takes the vocabulary of Qwen2 and gives it one pre-tokenizer name after the other. Made with llama-cpp-python 0.3.36
and gguf 0.19.0. Run from the workspace root:

    python3 tools/unicode/record_rules.py ../shared/vocab/ggml-vocab-qwen2.gguf > tests/tokenizer_rules.txt
"""

import ctypes
import sys
import tempfile

import gguf
import llama_cpp

NAMES = """default llama-bpe dbrx jais-2 qwen2 qwen35 ufakzeka seed-coder exaone-moe minicpm5 laguna gpt-4o
granite-embed-multi-97m tekken youtu gpt-2 starcoder falcon superbpe bloom viking deepseek-llm deepseek-coder deepseek-v3
spark2_5 gemma4 sarvam-moe""".split()

TEXTS = [
    "Hello, world! It's 12345 o'clock; DON'T they'LL we'Re I'm.",
    "  two   three\tfour \n\n  five\r\n \r\n six   ",
    "for (int i = 0; i < 1234567; ++i) { x[i] += `a|b`^2 ~ $c; } // end/\n/",
    "HelloWorld ABCdef XYZ aB'S \u00c9COLE \u00c0\u00c0BC \u01c5x",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u4f60\u597d\uff0c\u4e16\u754c\u3002\u3053\u3093\u306b\u3061\u306f\u30ab\u30bf\u30ab\u30ca\uc548\ub155 \u3131\u3105",
    "e\u0301a\u0308b !\u0301 \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0645\u0631\u062d\u0628\u0627 \u0661\u0662\u0663\u0664 \u00bd\u00b2\u2167",
    "\U0001f600\U0001f44d\U0001f3fd \u3000\u5168\u89d2\u3000 \u00a0\u2003x\u0085y\u2028z \u201cquoted\u201d \u2026\u2014",
    "a" * 70 + " " * 9 + "b\n\n\n\n" + "'" * 5 + "s 1 22 333 4444 x1y22z333",
]


@llama_cpp.llama_log_callback
def silent(_level, _text, _data):
    pass


def write_vocabulary(path: str, fields: dict, name: str) -> None:
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name)
    writer.add_token_list(fields["tokenizer.ggml.tokens"].contents())
    writer.add_token_types(fields["tokenizer.ggml.token_type"].contents())
    writer.add_token_merges(fields["tokenizer.ggml.merges"].contents())
    writer.add_bos_token_id(151643)
    writer.add_eos_token_id(151643)
    for key in ("block_count", "context_length", "embedding_length", "feed_forward_length"):
        writer.add_uint32(f"qwen2.{key}", 8)
    writer.add_uint32("qwen2.attention.head_count", 1)
    writer.add_float32("qwen2.attention.layer_norm_rms_epsilon", 1e-6)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def encode(vocab, text: bytes) -> list[int]:
    ids = (llama_cpp.llama_token * (len(text) + 8))()
    count = llama_cpp.llama_tokenize(vocab, text, len(text), ids, len(ids), False, False)
    return list(ids[:count])


def main() -> None:
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    fields = gguf.GGUFReader(sys.argv[1]).fields
    print("# Made by tools/unicode/record_rules.py with llama-cpp-python", llama_cpp.__version__)
    for text in TEXTS:
        print("text", text.encode().hex())
    for name in NAMES:
        with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
            write_vocabulary(file.name, fields, name)
            params = llama_cpp.llama_model_default_params()
            params.vocab_only = True
            model = llama_cpp.llama_model_load_from_file(file.name.encode(), params)
            vocab = llama_cpp.llama_model_get_vocab(model)
            print("rule", name)
            for text in TEXTS:
                print("ids", *encode(vocab, text.encode()))
            llama_cpp.llama_model_free(model)


main()
