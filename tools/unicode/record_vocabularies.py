#!/usr/bin/env python3
"""Writes tests/data/tokenizers/: small WordPiece and Unigram vocabularies, and what llama.cpp makes of texts with them.

The WordPiece vocabulary is trained here, the Unigram one by sentencepiece, on the Apache licence and the sentences
below. Made with llama-cpp-python 0.3.36, gguf 0.19.0 and sentencepiece 0.2.3. Run from the workspace root:

    python3 tools/unicode/record_vocabularies.py
"""

import collections
import ctypes
import io
import pathlib
import tempfile
import unicodedata

import gguf
import llama_cpp
import sentencepiece
from sentencepiece import sentencepiece_model_pb2

FOLDER = pathlib.Path("tests/data/tokenizers")
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 1, 2, 3, 4, 5

SENTENCES = """
The wheel went round and round; it didn't stop, they'll say, for 12345 turns. Unbelievable! Playing, played, player.
\u00c7a d\u00e9pend: l'\u00e9t\u00e9 \u00e0 la plage, o\u00f9 l'on mange des cr\u00eapes. Stra\u00dfe, \u00dcbung, K\u00f6nig, Gr\u00f6\u00dfe.
\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u041a\u0430\u043a \u0434\u0435\u043b\u0430? \u0397 \u03b3\u03b7 \u03b3\u03c5\u03c1\u03af\u03b6\u03b5\u03b9.
\u4f60\u597d\uff0c\u4e16\u754c\u3002\u6211\u4eec\u5728\u8fd9\u91cc\u3002 \u3053\u3093\u306b\u3061\u306f\u4e16\u754c\u3002 \uc548\ub155\ud558\uc138\uc694 \uc138\uacc4. \u0928\u092e\u0938\u094d\u0924\u0947
""".strip()

TEXTS = [
    "",
    " ",
    "Hello, world! It's 12345 o'clock; DON'T they'll stop? (round-and-round)",
    "  two   three\tfour \n\n  five\r\n \r\n six   ",
    "unbelievably unplayable players replaying; xyzzyqqq licensed-licensing",
    "\u00c7a D\u00c9PEND: l'\u00e9t\u00e9, e\u0301t\u00e9, A\u030angstr\u00f6m \u212b, Stra\u00dfe STRASSE, \u0130stanbul \u0131 \u01c5",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u041c\u0418\u0420! \u0439 \u0438\u0306 \u0397 \u0393\u0397 \u03b3\u03c5\u03c1\u03af\u03b6\u03b5\u03b9 \u03a3\u03a3\u03c2",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002hello\u4e16\u754cworld \uff21\uff42\uff43\uff11\uff12 \ufb01n \u00bd \u2460 \u32ff \uf900 \U00020000",
    "\uc548\ub155\ud558\uc138\uc694 \u1112\u1161\u11ab\ud55c \u0928\u092e\u0938\u094d\u0924\u0947 \u0645\u0631\u062d\u0628\u0627 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
    "\U0001f600\U0001f44d\U0001f3fd a\u200db a\u00adb \u00a0\u2003x\u0085y\u2028z\u3000w \ufeff\ufffd \u0378\ue000 \u20ac5 $5 5\u00a3",
    "[CLS] a [SEP] [MASK] [UNK] <unk> </s> <pad> <extra_id_0> <extra_id_1>x <extra the <e",
    "\u2581the\u2581 the \u2581\u2581 \u2013 \u2014 \u2026 ... -- ## ##ing #ing",
    "a" * 60 + " " * 40 + "the" * 30 + "\n" * 20 + "'" * 9,
    "Licensed under the Apache License, Version 2.0 (the \"License\"); you may not use this file except in compliance",
]

# What the Unigram vocabulary replaces: a little of each kind of NFKC, spaces, and things that go.
RULES = {"\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u2003": " ", "\u3000": " ", "\u200d": "", "\u00ad": "", "\ufeff": ""}
RULES |= {chr(0xFF01 + i): chr(0x21 + i) for i in range(94)}
RULES |= {c: unicodedata.normalize("NFKC", c) for c in "\ufb01\ufb02\u00bd\u2460\u2026\u212b\u2167\u32ff\uf900\u3304"}
RULES |= {unicodedata.normalize("NFD", c): c for c in "\u00e9\u00c9\u00e7\u00c5\u00e5\u0439\ud55c\u1e69"}


def corpus() -> str:
    return pathlib.Path("LICENSE-APACHE").read_text() + SENTENCES


def words_of(text: str) -> collections.Counter:
    """Words as BERT cuts them, each a tuple of symbols that begins with one that has the mark of a start."""
    spaced = "".join(f" {c} " if unicodedata.category(c)[0] in "PS" or "\u3400" <= c <= "\u9fff" else c for c in text)
    return collections.Counter(tuple(["\u2581" + word[0], *word[1:]]) for word in spaced.split())


def train_wordpiece(text: str, size: int) -> list[str]:
    """Pieces by merging the most frequent pair again and again; without the mark, a piece continues a word."""
    words = words_of(text)
    pieces = dict.fromkeys(sorted({symbol for word in words for symbol in word}))
    while len(pieces) < size:
        pairs: collections.Counter = collections.Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        (left, right), _ = max(pairs.items(), key=lambda pair: (pair[1], pair[0]))
        pieces[left + right] = None
        words = collections.Counter({merged(word, left, right): count for word, count in words.items()})
    return list(pieces)


def merged(word: tuple, left: str, right: str) -> tuple:
    out: list[str] = []
    for symbol in word:
        if out and out[-1] == left and symbol == right:
            out[-1] = left + right
        else:
            out.append(symbol)
    return tuple(out)


def train_unigram(text: str, size: int) -> sentencepiece_model_pb2.ModelProto:
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        for key, value in RULES.items():
            code = lambda text: " ".join(f"{ord(c):X}" for c in text)
            rules.write(f"{code(key)}\t{code(value)}\n")
        rules.flush()
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(text.splitlines()),
            model_writer=model,
            vocab_size=size,
            model_type="unigram",
            normalization_rule_tsv=rules.name,
            character_coverage=1.0,
            pad_id=0,
            eos_id=1,
            unk_id=2,
            bos_id=-1,
            num_threads=1,
            minloglevel=2,
        )
    return sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())


def writer(name: str, model: str, tokens: list, kinds: list) -> gguf.GGUFWriter:
    out = gguf.GGUFWriter(FOLDER / f"{name}.gguf", "qwen2")
    out.add_tokenizer_model(model)
    out.add_token_list(tokens)
    out.add_token_types(kinds)
    for key in ("block_count", "context_length", "embedding_length", "feed_forward_length"):
        out.add_uint32(f"qwen2.{key}", 8)
    out.add_uint32("qwen2.attention.head_count", 1)
    out.add_float32("qwen2.attention.layer_norm_rms_epsilon", 1e-6)
    return out


def close(out: gguf.GGUFWriter) -> None:
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def write_wordpiece(name: str, pieces: list[str], **normalizer: bool) -> None:
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    kinds = [CONTROL, UNKNOWN, CONTROL, CONTROL, CONTROL] + [NORMAL] * len(pieces)
    out = writer(name, "bert", special + pieces, kinds)
    out.add_bos_token_id(2)
    out.add_unk_token_id(1)
    out.add_sep_token_id(3)
    out.add_pad_token_id(0)
    out.add_mask_token_id(4)
    for key, value in normalizer.items():
        out.add_bool(f"tokenizer.ggml.normalizer.{key}", value)
    close(out)


def write_unigram(name: str, model: sentencepiece_model_pb2.ModelProto, charsmap: bool, **flags: bool) -> None:
    pieces = [piece.piece for piece in model.pieces] + ["<extra_id_1>", "<extra_id_0>"]
    kinds = [piece.type for piece in model.pieces] + [USER_DEFINED] * 2
    out = writer(name, "t5", pieces, kinds)
    out.add_token_scores([piece.score for piece in model.pieces] + [-1000.0] * 2)
    out.add_eos_token_id(1)
    out.add_unk_token_id(2)
    out.add_pad_token_id(0)
    if charsmap:
        out.add_precompiled_charsmap(model.normalizer_spec.precompiled_charsmap)
    for key, value in flags.items():
        out.add_bool(f"tokenizer.ggml.{key}", value)
    close(out)


def encode(vocab, text: bytes, special: bool) -> list[int]:
    ids = (llama_cpp.llama_token * (len(text) + 8))()
    count = llama_cpp.llama_tokenize(vocab, text, len(text), ids, len(ids), special, special)
    return list(ids[:count])


@llama_cpp.llama_log_callback
def silent(_level, _text, _data):
    pass


def record(names: list[str]) -> None:
    with (FOLDER / "ids.txt").open("w") as out:
        print("# Made by tools/unicode/record_vocabularies.py with llama-cpp-python", llama_cpp.__version__, file=out)
        for text in TEXTS:
            print("text", text.encode().hex(), file=out)
        params = llama_cpp.llama_model_default_params()
        params.vocab_only = True
        for name in names:
            model = llama_cpp.llama_model_load_from_file(str(FOLDER / f"{name}.gguf").encode(), params)
            vocab = llama_cpp.llama_model_get_vocab(model)
            print("vocabulary", name, file=out)
            for text in TEXTS:
                print("plain", *encode(vocab, text.encode(), False), file=out)
                print("special", *encode(vocab, text.encode(), True), file=out)
            llama_cpp.llama_model_free(model)


def main() -> None:
    llama_cpp.llama_log_set(silent, ctypes.c_void_p(0))
    FOLDER.mkdir(parents=True, exist_ok=True)
    small = "".join(c for c in unicodedata.normalize("NFD", corpus()) if unicodedata.category(c) != "Mn").lower()
    write_wordpiece("wordpiece", train_wordpiece(small, 700))
    cased = train_wordpiece(corpus(), 700)
    write_wordpiece("wordpiece-cased", cased, lowercase=False)
    write_wordpiece("wordpiece-accents", cased, lowercase=True, strip_accents=False)
    unigram = train_unigram(corpus(), 600)
    write_unigram("unigram", unigram, True, add_space_prefix=True, remove_extra_whitespaces=True)
    write_unigram("unigram-spaces", unigram, True, add_space_prefix=True, remove_extra_whitespaces=False)
    write_unigram("unigram-merge", unigram, True, add_space_prefix=False, remove_extra_whitespaces=True)
    write_unigram("unigram-plain", unigram, False)
    names = ["wordpiece", "wordpiece-cased", "wordpiece-accents"]
    record(names + ["unigram", "unigram-spaces", "unigram-merge", "unigram-plain"])


main()
