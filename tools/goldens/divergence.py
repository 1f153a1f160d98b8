#!/usr/bin/env python3
"""How much of a model's distribution each format keeps, in siskin and in llama.cpp: KL divergence from the F32 run, in nats.

    python divergence.py MODEL-F32.gguf TEXT [--siskin target/release/siskin]

Every format is made from the F32 file by llama.cpp's own quantizer, and both programs read the same file and the same tokens: the text in
pieces of at most 256 tokens, a batch each. The F32 run is llama.cpp's; siskin's own is listed too, as the floor of the method. Smaller is better; what
a format itself loses is the same for both, so differences come from how activations are rounded.
"""

import argparse
import pathlib
import subprocess
import tempfile

import ctypes
import llama_cpp
import numpy as np

import builtin
import rival

FORMATS = {
    "F16": 1, "BF16": 32, "Q8_0": 7, "Q5_1": 9, "Q5_0": 8, "Q4_1": 3, "Q4_0": 2,
    "Q6_K": 18, "Q5_K": 17, "Q4_K": 15, "Q3_K": 12, "Q2_K": 10,
}  # fmt: skip
"""The formats and their numbers in llama.cpp (`llama_ftype`); of the K-quants, the mix named after each."""

PIECE = 256


def quantize(source, target, ftype):
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = ftype
    params.nthread = 1
    if llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)) != 0:
        raise SystemExit(f"llama.cpp cannot quantize to {ftype}")


def pieces(model, text):
    """The text's tokens, cut; each piece begins with what the model's file asks for."""
    session = rival.Session(model, 8, "f32")
    ids = builtin.tokenize(session, text, False)
    session.close()
    body = ids[1:]
    return [ids[:1] + body[i : i + PIECE - 1] for i in range(0, len(body), PIECE - 1)]


def theirs(model, pieces):
    rows = []
    for ids in pieces:
        session = rival.Session(model, len(ids), "f16")
        rows.append(session.feed(ids))
        session.close()
    return np.concatenate(rows)


def ours(siskin, model, pieces, folder, isa):
    rows = []
    for ids in pieces:
        out = folder / "logits.npy"
        command = [siskin, "generate", "-m", model, "--tokens", ",".join(map(str, ids)), "-n", "1", "--temp", "0", "--logits", out]
        env = {"SISKIN_ISA": isa} if isa else None
        subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL, env=env)
        rows.append(np.load(out)[: len(ids)].astype(np.float64))
    return np.concatenate(rows)


def log_softmax(logits):
    logits = logits - logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def divergence(base, logits):
    p, q = log_softmax(base), log_softmax(logits)
    return (np.exp(p) * (p - q)).sum(axis=-1).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("--siskin", default="target/release/siskin", help="the command (%(default)s)")
    parser.add_argument("--isa", help="kernels that siskin is to use")
    args = parser.parse_args()
    cut = pieces(args.model, args.text.read_text())
    base = theirs(args.model, cut)
    print(f"{len(base)} tokens; llama-cpp-python {llama_cpp.__version__}, {rival.system()}")
    print("| format | siskin | llama.cpp | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        print(f"| F32 | {divergence(base, ours(args.siskin, args.model, cut, folder, args.isa)):.3e} | | |")
        for name, ftype in FORMATS.items():
            model = folder / f"{name}.gguf"
            quantize(args.model, model, ftype)
            a = divergence(base, ours(args.siskin, model, cut, folder, args.isa))
            b = divergence(base, theirs(model, cut))
            print(f"| {name} | {a:.3e} | {b:.3e} | {a / b:.3f} |", flush=True)
            model.unlink()


if __name__ == "__main__":
    main()
