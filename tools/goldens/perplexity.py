#!/usr/bin/env python3
"""Records llama.cpp's perplexity of the built-in model over a text, for tests/perplexity.rs: `python perplexity.py`.

The rule is that of llama.cpp's own tool: windows of the context's length, one after the other, each beginning with BOS; tokens of the second half
count. llama.cpp runs in its most exact configuration (rival.py). Writes tests/data/perplexity.json.
"""

import json

import numpy as np

import builtin
import record
import rival

TEXT = record.ROOT / "tools/train/heldout.txt"
OUT = record.ROOT / "tests/data/perplexity.json"
CONTEXT = 256
WINDOWS = 8


def main():
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
