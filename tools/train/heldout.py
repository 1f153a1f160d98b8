"""Write the small held-out text that perplexities are measured on: `python heldout.py --corpus DIR --out heldout.txt`.

It takes whole texts from the start of `heldout.jsonl`, without the chats (their markers are
tokens, not text), with an empty line between two.
"""

import argparse
from pathlib import Path

from corpus.chat import START
from tokenizer import read


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--bytes", type=int, default=30_000)
    args = parser.parse_args()
    kept = ""
    for text in read(args.corpus / "heldout.jsonl"):
        if START not in text and len(kept) < args.bytes:
            kept += text + "\n\n"
    args.out.write_text(kept.rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
