#!/usr/bin/env python3
"""Records perplexities for tests/perplexity.rs: `python perplexity.py [--synth PATH]`.

- llama.cpp's, of the built-in model over a text: tests/data/perplexity.json. llama.cpp runs in its most exact configuration (rival.py).
- The oracle's (reference.py), of one synthetic model of F32 weights, with its divergence from another one: tests/data/perplexity_pair.json.
  `--synth` names a built `synth`; otherwise cargo runs it.

The rule is that of llama.cpp's own tool: windows of the context's length, one after the other; tokens of the second half count. Those of the text
begin with BOS.
"""

import argparse
import json
import pathlib
import tempfile

import numpy as np

import builtin
import families
import record
import reference
import rival

TEXT = record.ROOT / "tools/train/heldout.txt"
OUT = record.ROOT / "tests/data/perplexity.json"
CONTEXT = 256
WINDOWS = 8

PAIR = record.ROOT / "tests/data/perplexity_pair.json"
PAIR_SHAPES, PAIR_CONTEXT, PAIR_WINDOWS, PAIR_VOCABULARY = ["narrow", "narrow-rope"], 32, 8, 300  # the second has factors of frequencies


def losses_of(logits, window, scored):
    """Negative logarithms of the probabilities of a window's tokens, each from the row before it."""
    return [-reference.log_softmax(logits[place - 1])[window[place]] for place in scored]


def pair_scores(paths, tokens):
    """Losses of the first model, its divergence from the second, and where their likeliest ids are the same, token by token."""
    model, base = (reference.Model(path) for path in paths)
    scored = np.arange(PAIR_CONTEXT // 2 + 1, PAIR_CONTEXT)
    losses, divergences, same = [], [], []
    for start in range(0, len(tokens), PAIR_CONTEXT):
        window = tokens[start : start + PAIR_CONTEXT]
        q, p = model.logits(window), base.logits(window)
        losses += losses_of(q, window, scored)
        divergences += list(record.kl(p[scored - 1], q[scored - 1]))
        same += list(p[scored - 1].argmax(-1) == q[scored - 1].argmax(-1))
    return np.array(losses), np.array(divergences), np.array(same)


def pair(synth):
    tokens = [(31 * i * i + 7 * i + i // 5) % PAIR_VOCABULARY for i in range(PAIR_CONTEXT * PAIR_WINDOWS)]
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder, f"{shape}.gguf") for shape in PAIR_SHAPES]
        for shape, path in zip(PAIR_SHAPES, paths):
            families.synthesize(synth, shape, "F32", path)
        losses, divergences, same = pair_scores(paths, tokens)
    value = {
        "made_by": families.made_by("perplexity.py"),
        "shapes": PAIR_SHAPES,
        "seed": record.SEED,
        "tokens": tokens,
        "context": PAIR_CONTEXT,
        "scored": len(losses),
        "perplexity": float(f"{np.exp(losses.mean()):.8g}"),
        "kl": float(f"{divergences.mean():.8g}"),
        "same_top": float(f"{same.mean():.8g}"),
    }
    PAIR.write_text(record.dump(value) + "\n")
    print(value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--synth", help="a built `synth`")
    args = parser.parse_args()
    text()
    pair(args.synth)


def text():
    session = rival.Session(builtin.MODEL, 8, "f16")
    ids = builtin.tokenize(session, TEXT.read_text(), False)
    session.close()
    losses = []
    for start in range(0, WINDOWS * CONTEXT, CONTEXT):
        window = ids[:1] + ids[start + 1 : start + CONTEXT]
        session = rival.Session(builtin.MODEL, CONTEXT, "f16")
        logits = session.feed(window)
        session.close()
        for place in range(CONTEXT // 2 + 1, CONTEXT):
            row = logits[place - 1]
            losses.append(np.log(np.exp(row - row.max()).sum()) + row.max() - row[window[place]])
    losses = np.array(losses)
    error = losses.std() / np.sqrt(len(losses) - 1)
    perplexity = float(np.exp(losses.mean()))
    value = {
        "made_by": record.versions(),
        "text": "tools/train/heldout.txt",
        "tokens_of_text": WINDOWS * CONTEXT,
        "context": CONTEXT,
        "tokens": len(losses),
        "perplexity": float(f"{perplexity:.6g}"),
        "error": float(f"{perplexity * error:.6g}"),
    }
    OUT.write_text(json.dumps(value, indent=2) + "\n")
    print(value)


if __name__ == "__main__":
    main()
