#!/usr/bin/env python3
"""Records tests/tokenizer_rules.txt: what llama.cpp makes of some awkward texts under each pre-tokenizer.

Takes the vocabulary of Llama 3, which has tokens of up to three digits, and gives it one pre-tokenizer name after the
other. Made with llama-cpp-python 0.3.36
and gguf 0.19.0. Run from the workspace root:

    python3 tools/unicode/record_rules.py ../shared/vocab/ggml-vocab-llama-bpe.gguf > tests/tokenizer_rules.txt
"""

import ctypes
import sys
import tempfile

import gguf
import llama_cpp

# Every name in llama.cpp but "whitespace", which aborts on this vocabulary.
NAMES = """kimi-k2 default minicpm5 llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano deepseek-llm
deepseek-coder deepseek-v3 spark2_5 youtu falcon mpt starcoder gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es
jina-v2-de a.x-4.0 mellum modern-bert jais-2 gemma4 granite-embed-multi-311m sarvam-moe jina-v1-en jina-v2-code
roberta-bpe refact command-r qwen2 deepseek-r1-qwen kormo f2llmv2 qwen35 stablelm2 olmo dbrx smaug-bpe
poro-chat chatglm-bpe glm4 glm5 viking jais tekken smollm codeshell bloom gpt3-finnish exaone exaone4 exaone-moe
chameleon minerva-7b megrez gpt-4o llama4 kanana2 talkie granite-embed-multi-97m tiny_aya cohere2moe superbpe
trillion granite-docling bailingmoe bailingmoe2 llada-moe seed-coder hunyuan hunyuan-dense hy_v4 joyai-llm ufakzeka
grok-2 afmoe laguna minimax-m2 solar-open mellum2""".split()

TEXTS = [
    "Hello, world! It's 12345 o'clock; DON'T they'LL we'Re I'm.",
    "  two   three\tfour \n\n  five\r\n \r\n six   ",
    "for (int i = 0; i < 1234567; ++i) { x[i] += `a|b`^2 ~ $c; } // end/\n/",
    "HelloWorld ABCdef XYZ aB'S \u00c9COLE \u00c0\u00c0BC \u01c5x",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u4f60\u597d\uff0c\u4e16\u754c\u3002\u3053\u3093\u306b\u3061\u306f\u30ab\u30bf\u30ab\u30ca\uc548\ub155 \u3131\u3105",
    "e\u0301a\u0308b !\u0301 \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0645\u0631\u062d\u0628\u0627 \u0661\u0662\u0663\u0664 \u00bd\u00b2\u2167",
    "\U0001f600\U0001f44d\U0001f3fd \u3000\u5168\u89d2\u3000 \u00a0\u2003x\u0085y\u2028z \u201cquoted\u201d \u2026\u2014",
    "<sentinel:12><sentinel:><sentinel:1x> IMGIMGABCZ IMGIMGABCDEZ IMGIMGZ IMGIMGIMGIMGAZ\t\t      x       y\n\n  z",
    "\u4e2d\u6587'S  \u4e2d  \u4e2d a\u4e2db \u3007 \u32ff\uf900\U0002a6df\U0002b73f (\u4e2d) \uff0c\u4e2d 'll\u4e2d't x\u4e2d's x's \u6f22ABCdef'LL",
    "1 12 123 1234 12345 123456 \u0661\u0662\u0663\u0664\u0665 \u00bd\u00bd\u00bd\u00bd a1234567b 1,234,567.89 0x1234  56",
    "\u0e44\u0e17\u0e22\u0ea5\u0eb2\u0ea7 \u1781\u17d2\u1798\u17c2\u179a \u1019\u103c\u1014\u103a \uff71\uff72 \u2f00 \ud55c\u1100 \ua000\ue000 \ua9e0\uaa60 \u3042\u30a2\u3000a",
    "a" * 70 + " " * 9 + "b\n\n\n\n" + "'" * 5 + "s 1 22 333 4444 x1y22z333",
]


@llama_cpp.llama_log_callback
def silent(_level, _text, _data):
    pass


def write_vocabulary(path: str, tokens: list, types: list, merges: list, bos: int, name: str) -> None:
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(name)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(bos)
    writer.add_eos_token_id(bos)
    for key in ("block_count", "context_length", "embedding_length", "feed_forward_length"):
        writer.add_uint32(f"qwen2.{key}", 8)
    writer.add_uint32("qwen2.attention.head_count", 1)
    writer.add_float32("qwen2.attention.layer_norm_rms_epsilon", 1e-6)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def encode(vocab, text: bytes, special: bool) -> list[int]:
    ids = (llama_cpp.llama_token * (len(text) + 8))()
    count = llama_cpp.llama_tokenize(vocab, text, len(text), ids, len(ids), special, False)
    return list(ids[:count])


def write_settings_vocabulary(path: str, name: str) -> None:
    """All printable ASCII characters, and `ab`, which no merge yields."""
    tokens = [chr(c) for c in range(0x21, 0x7F)] + ["ab", "xy", "<s>"]
    types = [1] * (len(tokens) - 1) + [3]
    write_vocabulary(path, tokens, types, ["x y"], len(tokens) - 1, name)


def with_vocabulary(write, use):
    with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
        write(file.name)
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        model = llama_cpp.llama_model_load_from_file(file.name.encode(), params)
        result = use(llama_cpp.llama_model_get_vocab(model))
        llama_cpp.llama_model_free(model)
        return result


def settings(vocab) -> tuple[bool, bool]:
    """Whether BOS is added by default, and whether a word that is a token is that token without merges."""
    ids = encode(vocab, b"ab", True)
    return ids[0] == 96, ids[-1] == 94


def main() -> None:
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    fields = gguf.GGUFReader(sys.argv[1]).fields
    tokens, types, merges = (fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "token_type", "merges"))
    print("# Made by tools/unicode/record_rules.py with llama-cpp-python", llama_cpp.__version__)
    for text in TEXTS:
        print("text", text.encode().hex())
    alike: dict[tuple, list[str]] = {}
    for name in NAMES:
        add_bos, whole = with_vocabulary(lambda path: write_settings_vocabulary(path, name), settings)
        print("settings", name, int(add_bos), int(whole))
        ids = with_vocabulary(
            lambda path: write_vocabulary(path, tokens, types, merges, 151643, name),
            lambda vocab: tuple(tuple(encode(vocab, text.encode(), False)) for text in TEXTS),
        )
        alike.setdefault(ids, []).append(name)
    for ids, names in alike.items():
        print("rules", *names)
        for row in ids:
            print("ids", *row)


main()
