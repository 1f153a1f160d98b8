"""Write the corpus: `python -m corpus.make --out DIR [--megabytes N]`.

Files of one JSON string, a text, a line: `train.jsonl` from one seed, `heldout.jsonl` from
another, without any text that also occurs in training, and `names.jsonl`, the lessons on
repeating names that training begins with.
"""

import argparse
import json
import random
from pathlib import Path

from .chat import chat
from .everyday import cat_on_the, dialogue, roll_call, scene
from .facts import facts
from .refrains import refrain
from .stories import story

# Share of the texts (not of the bytes: stories are the longest).
KINDS = {story: 46, scene: 14, dialogue: 8, facts: 16, chat: 24, refrain: 2.5, cat_on_the: 3, roll_call: 20}


def texts(seed, kinds):
    """An endless row of texts, the same for the same seed."""
    rng = random.Random(seed)
    while True:
        yield rng.choices(list(kinds), kinds.values())[0](rng)


def write(path, seed, size, kinds=KINDS, forbidden=frozenset()):
    """Write about `size` bytes of texts that are not in `forbidden`; returns them."""
    written, kept = 0, set()
    with open(path, "w", encoding="utf-8") as file:
        for text in texts(seed, kinds):
            if written >= size:
                return kept
            if text not in forbidden:
                file.write(json.dumps(text) + "\n")
                kept.add(text)
                written += len(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--megabytes", type=float, default=12)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train = write(args.out / "train.jsonl", args.seed, args.megabytes * 1e6)
    held = write(args.out / "heldout.jsonl", args.seed + 1_000_000, 200_000, forbidden=train)
    write(args.out / "names.jsonl", args.seed + 2_000_000, 1_500_000, {roll_call: 1})
    print(f"{len(train)} different training texts, {len(held)} held-out texts")


if __name__ == "__main__":
    main()
