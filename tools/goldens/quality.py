#!/usr/bin/env python3
"""What quantizing costs, siskin's quantizer beside llama.cpp's: `python quality.py MODEL.gguf TEXT [--siskin target/release/siskin]`.

Both make a file in every format; `siskin perplexity` scores them over the same text, with the divergence from the model that they were made
from. Smaller is better. Files that both make have the same tensors in the same formats, which is checked. A model whose weights are quantized
already is written out as floats first. Ends with 1 if a perplexity exceeds that of llama.cpp's file by more than half a percent.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import gguf

import llama_cpp
from divergence import quantize
from families import as_floats

FORMATS = {
    "Q2_K": 10, "Q3_K_S": 11, "Q3_K_M": 12, "Q3_K_L": 13, "Q4_0": 2, "Q4_K_S": 14, "Q4_K_M": 15, "Q4_1": 3, "Q5_0": 8, "Q5_K_S": 16,
    "Q5_K_M": 17, "Q5_1": 9, "Q6_K": 18, "Q8_0": 7, "F16": 1, "BF16": 32,
}  # fmt: skip
"""Formats and mixes, and their numbers in llama.cpp (`llama_ftype`)."""


def types(path):
    return {tensor.name: tensor.tensor_type for tensor in gguf.GGUFReader(path).tensors}


def score(siskin, model, base, text, context):
    command = [siskin, "perplexity", "-m", model, "-f", text, "--kl-base", base, "--context", context, "--json"]
    return json.loads(subprocess.check_output([str(word) for word in command]))


WORSE = 1.005
"""How far a perplexity may exceed that of llama.cpp's file, as a quotient."""


def floats(model, folder):
    """The model, or a copy with its weights as floats if some are quantized."""
    plain = (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16, gguf.GGMLQuantizationType.BF16)
    if all(kind in plain for kind in types(model).values()):
        return model
    path = folder / "floats.gguf"
    as_floats(model, path, {})
    return path


def compare(args, model, name, folder):
    """Scores of the files that siskin and llama.cpp make in a format."""
    ours, theirs = folder / "ours.gguf", folder / "theirs.gguf"
    subprocess.run([args.siskin, "quantize", model, ours, name], check=True, stdout=subprocess.DEVNULL)
    quantize(model, theirs, FORMATS[name])
    assert types(ours) == types(theirs), f"{name}: other formats"
    return [score(args.siskin, path, model, args.text, args.context) for path in (ours, theirs)]


def row(name, a, b):
    """Prints a format's line; the quotient of the perplexities."""
    p, q = a["perplexity"], b["perplexity"]
    k, l = a["kl"], b["kl"]
    print(f"| {name} | {p:.4f} | {q:.4f} | {p / q:.4f} | {k:.3e} | {l:.3e} | {k / l:.3f} |", flush=True)
    return p / q


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("--siskin", default="target/release/siskin", help="the command (%(default)s)")
    parser.add_argument("--context", default=512, type=int, help="tokens of a window (%(default)s)")
    parser.add_argument("--formats", nargs="+", default=list(FORMATS), help="some of them only")
    return parser.parse_args()


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model = floats(args.model, folder)
        plain = score(args.siskin, model, model, args.text, args.context)
        print(f"{plain['tokens']} tokens, perplexity {plain['perplexity']:.4f}; llama-cpp-python {llama_cpp.__version__}")
        print("| format | perplexity | llama.cpp's | ratio | divergence | llama.cpp's | ratio |\n|---|---|---|---|---|---|---|")
        worse = [name for name in args.formats if row(name, *compare(args, model, name, folder)) > WORSE]
    if worse:
        sys.exit(f"perplexity more than {WORSE} times llama.cpp's: {', '.join(worse)}")


if __name__ == "__main__":
    main()
