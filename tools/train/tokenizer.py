"""The vocabulary: SentencePiece BPE with byte fallback, as llama's `llama` tokenizer reads it.

`python tokenizer.py --corpus DIR --out DIR` trains it and writes the corpus as token
ids (`names.npy`, `train.npy`, `heldout.npy`: uint16, every text between `<s>` and `</s>`).
"""

import argparse
import json
import re
from pathlib import Path

import numpy as np
import sentencepiece

from corpus.chat import END, START

VOCAB = 2048
BOS, EOS = 1, 2


def train(corpus, prefix):
    """Train on the texts without chat markers; `identity` keeps every character as it is."""
    lines = (line for text in read(corpus) for part in split(text) for line in part.split("\n") if line.strip())
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=lines, model_prefix=str(prefix), model_type="bpe", vocab_size=VOCAB, byte_fallback=True,
        control_symbols=[START, END], normalization_rule_name="identity", remove_extra_whitespaces=False,
        add_dummy_prefix=True, character_coverage=1.0, num_threads=1, minloglevel=2,
    )


def read(path):
    """The texts of a `.jsonl` file."""
    with open(path, encoding="utf-8") as file:
        yield from map(json.loads, file)


def split(text):
    """The parts of a text before, between and after the chat markers, without them."""
    return [part for part in re.split(f"{re.escape(START)}|{re.escape(END)}", text) if part]


def encode(model, text):
    """Ids as llama.cpp makes them when it parses special tokens: each marker is one id,
    and each part between markers gets the space prefix of a text of its own."""
    special = {START: model.piece_to_id(START), END: model.piece_to_id(END)}
    ids = []
    for part in re.split(f"({re.escape(START)}|{re.escape(END)})", text):
        if part:
            ids += [special[part]] if part in special else model.encode(part)
    return ids


def pack(model, path):
    """All texts of a file in one row of ids."""
    ids = []
    for text in read(path):
        ids += [BOS, *encode(model, text), EOS]
    return np.array(ids, dtype=np.uint16)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train(args.corpus / "train.jsonl", args.out / "tokenizer")
    model = sentencepiece.SentencePieceProcessor(model_file=str(args.out / "tokenizer.model"))
    for name in ("names", "train", "heldout"):
        ids = pack(model, args.corpus / f"{name}.jsonl")
        np.save(args.out / f"{name}.npy", ids)
        print(f"{name}: {len(ids)} tokens")


if __name__ == "__main__":
    main()
