#!/usr/bin/env python3
"""Records where llama.cpp cuts text under every pre-tokenizer name, for `tests/tokenizer_cuts.rs`: `python pre_tokenizers.py`.

A byte-level vocabulary is trained here, on the texts themselves and without cutting them, so that merges cross the places where one rule or
another cuts: 256 bytes and the merges. It is written to tests/data/tokenizers/bytes.gguf; what llama.cpp makes of each text with it under each
name goes to tests/data/tokenizers/cuts.txt, as the number of ids and the 64-bit FNV-1a hash of the ids, each as four bytes, the lowest first.
llama.cpp runs in a process of its own for each name, as it ends the process for one: names that it gives up at are recorded as `refused`,
those of which it logs a warning that speaks of pre-tokenizers as `warned`. The name `-` stands for a file that has none.
"""

import collections
import ctypes
import json
import pathlib
import subprocess
import sys
import tempfile

import gguf
import llama_cpp

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "tests/data/tokenizers"
MERGES = 700
PROBLEMS = (3, 4)  # warnings and errors, among the levels that llama.cpp logs with

# Every name in llama.cpp, one that it does not know, and none.
NAMES = """default kimi-k2 minicpm5 llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano deepseek-llm
deepseek-coder deepseek-v3 spark2_5 youtu falcon mpt starcoder gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es
jina-v2-de a.x-4.0 mellum modern-bert jais-2 gemma4 granite-embed-multi-311m sarvam-moe jina-v1-en jina-v2-code
roberta-bpe refact command-r qwen2 deepseek-r1-qwen kormo f2llmv2 qwen35 stablelm2 olmo dbrx smaug-bpe
poro-chat chatglm-bpe glm4 glm5 viking jais tekken smollm codeshell bloom gpt3-finnish exaone exaone4 exaone-moe
chameleon minerva-7b megrez gpt-4o llama4 kanana2 talkie granite-embed-multi-97m tiny_aya cohere2moe superbpe
trillion granite-docling bailingmoe bailingmoe2 llada-moe seed-coder hunyuan hunyuan-dense hy_v4 joyai-llm ufakzeka
grok-2 afmoe laguna minimax-m2 solar-open mellum2 whitespace no-such-name -""".split()

TEXTS = [
    "Hello, world! It's 12345 o'clock; DON'T they'LL we'Re I'm. They've said 'tis he'd go: \"it's\" 'S 's 'x ''ll",
    "  two   three\tfour \n\n  five\r\n \r\n six   \n\n\n   seven\t\t eight \n nine  ",
    "for (int i = 0; i < 1234567; ++i) { x[i] += `a|b`^2 ~ $c; } // end/\n/\n#include <a.h>\n\tif (x != y) return -1;\n",
    "HelloWorld ABCdef XYZ aB'S camelCase HTTPServer iPhone eBay McDonald x1Y2 \u00c9COLE \u00c9cole \u00c0\u00c0BC \u01c5x \u01c5X",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u041c\u041e\u0421\u041a\u0412\u0410 \u041c\u043e\u0441\u043a\u0432\u0430 \u0397 \u03b3\u03b7 \u03b3\u03c5\u03c1\u03af\u03b6\u03b5\u03b9",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u4f60\u597d \u4e16\u754c \u3053\u3093\u306b\u3061\u306f\u30ab\u30bf\u30ab\u30ca\uc548\ub155 \uc138\uacc4 \u3131\u3105 a\u4e2db \u4e2d\u6587'S",
    "e\u0301a\u0308b !\u0301 \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0645\u0631\u062d\u0628\u0627 \u0661\u0662\u0663\u0664 \u00bd\u00b2\u2167 x\u0301y\u0301 1\u0301",
    "\U0001f600\U0001f44d\U0001f3fd \U0001f468\u200d\U0001f469\u200d\U0001f467 \u3000\u5168\u89d2\u3000 \u00a0\u2003x\u0085y\u2028z \u201cquoted\u201d \u2026\u2014 \u2713 \u20ac5 \u00a35",
    "<sentinel:12><sentinel:><sentinel:1x> IMGIMGABCZ IMGIMGABCDEZ IMGIMGZ IMGIMGIMGIMGAZ\t\t      x       y\n\n  z",
    "\u4e2d\u6587'S  \u4e2d  \u4e2d a\u4e2db \u3007 \u32ff\uf900\U0002a6df\U0002b73f (\u4e2d) \uff0c\u4e2d 'll\u4e2d't x\u4e2d's x's \u6f22ABCdef'LL",
    "1 12 123 1234 12345 123456 1234567 \u0661\u0662\u0663\u0664\u0665 \u00bd\u00bd\u00bd\u00bd a1234567b 1,234,567.89 0x1234  56 3.14159 2024-12-31 v1.2.3",
    "\u0e44\u0e17\u0e22\u0ea5\u0eb2\u0ea7 \u1781\u17d2\u1798\u17c2\u179a \u1019\u103c\u1014\u103a \uff71\uff72 \u2f00 \ud55c\u1100 \ua000\ue000 \ua9e0\uaa60 \u3042\u30a2\u3000a",
    "a" * 70 + " " * 9 + "b\n\n\n\n" + "'" * 5 + "s 1 22 333 4444 x1y22z333",
    "!!! ?!? ... --- ==> <= >= != && || :: -> // /* */ ## @@ $$ %% ^^ ~~ __ a_b a-b a.b a/b a\\b (a) [b] {c} \"d\" .a -a _a /a",
    "user@example.com https://example.com/a?b=c&d=1#e C:\\dir\\file.txt 10:30:59 50% #1 @home $9.99 +1-800-555 e.g. i.e. U.S.A.",
    "a\n b\n  c\n\td \n\n e!\n f.\n\ng ?\n\n\nh;\r\ni,\r\n\r\nj /\n/k \n",
    "I'm you're he's we've they'll I'd can't I'M YOU'RE HE'S WE'VE THEY'LL I'D CAN'T 'Twas rock'n'roll O'Neill l'\u00e9t\u00e9 d\u2019\u00e9t\u00e9 it\u2019s",
    "  x  1  !  \u4e2d  \n  \U0001f600  \t  '  s   12   ab   ?!   ",
]


def alphabet():
    """The character that stands for each byte in byte-level vocabularies (GPT-2)."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {**{byte: chr(byte) for byte in plain}, **{byte: chr(256 + i) for i, byte in enumerate(rest)}}


def merged(symbols, left, right):
    out = []
    for symbol in symbols:
        if out and out[-1] == left and symbol == right:
            out[-1] = left + right
        else:
            out.append(symbol)
    return out


def train(texts, count):
    """The merges of the most frequent pairs, one after the other; the first of equals by bytes."""
    letters = alphabet()
    texts = [[letters[byte] for byte in text.encode()] for text in texts]
    merges = []
    while len(merges) < count:
        pairs = collections.Counter(pair for symbols in texts for pair in zip(symbols, symbols[1:]))
        left, right = max(pairs, key=lambda pair: (pairs[pair], -len(pair[0] + pair[1]), pair))
        merges.append((left, right))
        texts = [merged(symbols, left, right) for symbols in texts]
    return merges


def write_vocabulary(path, tokens, merges, name):
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_tokenizer_model("gpt2")
    if name != "-":
        writer.add_tokenizer_pre(name)
    writer.add_token_list(tokens)
    writer.add_token_types([1] * (len(tokens) - 1) + [3])
    writer.add_token_merges(merges)
    writer.add_eos_token_id(len(tokens) - 1)
    for key in ("block_count", "context_length", "embedding_length", "feed_forward_length"):
        writer.add_uint32(f"qwen2.{key}", 8)
    writer.add_uint32("qwen2.attention.head_count", 1)
    writer.add_float32("qwen2.attention.layer_norm_rms_epsilon", 1e-6)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def vocabulary(path, name):
    merges = train(TEXTS, MERGES)
    tokens = dict.fromkeys([*alphabet().values(), *(left + right for left, right in merges), "<|end|>"])
    write_vocabulary(path, list(tokens), [f"{left} {right}" for left, right in merges], name)


def renamed(source, path, name):
    """The vocabulary of a file under another name."""
    fields = gguf.GGUFReader(source).fields
    tokens, merges = (fields[f"tokenizer.ggml.{key}"].contents() for key in ("tokens", "merges"))
    write_vocabulary(path, tokens, merges, name)


def fnv1a(ids):
    value = 0xCBF29CE484222325
    for byte in b"".join(token.to_bytes(4, "little") for token in ids):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def encode(vocab, text):
    ids = (llama_cpp.llama_token * (len(text) + 8))()
    count = llama_cpp.llama_tokenize(vocab, text, len(text), ids, len(ids), False, False)
    return list(ids[:count])


def child(path):
    """Prints the ids of all texts and what llama.cpp logged about pre-tokenizers."""
    said = []

    @llama_cpp.llama_log_callback
    def listen(level, text, _data):
        if level in PROBLEMS:
            said.append(text.decode(errors="replace").strip())

    llama_cpp.llama_log_set(listen, ctypes.c_void_p(0))
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(path.encode(), params)
    if not model:
        raise SystemExit(1)
    vocab = llama_cpp.llama_model_get_vocab(model)
    rows = [encode(vocab, text.encode()) for text in TEXTS]
    print(json.dumps({"rows": rows, "said": [line for line in said if "pre-tokenizer" in line.lower()]}))


def ask(name, folder):
    """What llama.cpp makes of the texts under a name; nothing if it gives up."""
    path = folder / "vocabulary.gguf"
    renamed(FOLDER / "bytes.gguf", path, name)
    run = subprocess.run([sys.executable, __file__, str(path)], capture_output=True, text=True)
    return json.loads(run.stdout) if run.returncode == 0 else None


def lines(found):
    """Names that cut alike, one group after the other."""
    for name, result in found.items():
        if result is None:
            yield f"refused {name}"
        elif result["said"]:
            yield f"warned {name}"
    alike = collections.defaultdict(list)
    for name, result in found.items():
        if result is not None:
            alike[json.dumps(result["rows"])].append(name)
    for rows, names in alike.items():
        yield " ".join(["names", *names])
        yield from (f"ids {len(ids)} {fnv1a(ids)}" for ids in json.loads(rows))


def main():
    vocabulary(FOLDER / "bytes.gguf", "default")
    with tempfile.TemporaryDirectory() as folder:
        found = {name: ask(name, pathlib.Path(folder)) for name in NAMES}
    head = f"# Made by tools/goldens/pre_tokenizers.py with llama-cpp-python {llama_cpp.__version__} and gguf {__import__('importlib.metadata').metadata.version('gguf')}"
    texts = [f"text {text.encode().hex()}" for text in TEXTS]
    (FOLDER / "cuts.txt").write_text("\n".join([head, *texts, *lines(found)]) + "\n")


if __name__ == "__main__":
    child(sys.argv[1]) if len(sys.argv) > 1 else main()
