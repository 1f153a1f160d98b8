"""Records the goldens: for each model, what the oracle computes and how far llama.cpp is from it.

    python record.py                    the synthetic models, which it makes itself with `synth`
    python record.py --models DIR       the trained models of DIR (stories260K-*.gguf)

Writes tests/data/goldens/NAME.json; README.md says what each field means.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import gguf
import llama_cpp
import numpy as np

import reference
import rival

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "tests/data/goldens"
SEED = 1

# shape, format
SYNTHETIC = [
    *[("narrow", f) for f in ("F32", "F16", "BF16")],
    *[(f"narrow-{variant}", "F32") for variant in ("tied", "mha", "rope")],
    *[("tiny", f) for f in "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q4_K Q5_K Q6_K Q4_K_M Q2_K Q3_K".split()],
    *[("tiny", f) for f in "IQ4_NL IQ4_XS MXFP4 IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S TQ1_0 TQ2_0".split()],
    ("tiny-tied", "Q4_K_M"),
]
# BOS, then letters, words and bytes of the synthetic vocabulary in no order.
PROMPT = [1, 260, 271, 300, 259, 264, 301, 319, 3, 268, 68, 260, 275, 288, 259, 310, 262, 262, 131, 290, 305, 261, 299, 277]
GENERATED = 32
STRIDE = 8  # every so many-th logit is kept for all positions

TRAINED = "f32 F16 Q8_0 Q4_0 Q5_1 Q4_K_M".split()
ONCE_UPON_A_TIME = [1, 403, 407, 261, 378]
TRAINED_GENERATED = 320  # errors of neighbouring positions are alike: it takes hundreds to measure them
TRAINED_STRIDE = 32

ROWS = 4  # all logits are kept for this many of the positions


def fnv1a(path):
    value = 0xCBF29CE484222325
    for byte in path.read_bytes():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def kl(p_logits, q_logits):
    """Kullback-Leibler divergence KL(p || q) in nats, one per row."""
    p, q = reference.log_softmax(p_logits), reference.log_softmax(q_logits)
    return (np.exp(p) * (p - q)).sum(axis=-1)


def digits(values):
    """Six significant digits: floats that print as short as they can."""
    return [float(f"{v:.6g}") for v in values]


def distances(exact, theirs, kept, stride):
    """How far logits are from the oracle's, each measured on what a golden keeps to measure another program with."""
    difference = np.abs(theirs - exact)
    measures = {
        "max_abs": difference[kept].max(),
        "rms": np.sqrt((difference[:, ::stride] ** 2).mean()),
        "kl": kl(exact, theirs)[kept].mean(),
    }
    return {name: float(f"{value:.4g}") for name, value in measures.items()}


def compare(path, prompt, count, stride):
    """The golden of a file: rows of logits are those after the prompt, then after each of `count` ids that llama.cpp continues it with."""
    model = reference.Model(path)
    ids = rival.greedy(path, prompt, count)
    exact = model.logits(prompt + ids)[len(prompt) - 1 :]
    kept = [round(i) for i in np.linspace(0, len(ids), ROWS)]
    top = np.sort(exact, axis=-1)
    golden = {
        "fnv1a": fnv1a(path),
        "prompt": prompt,
        "ids": ids,
        "argmax": exact.argmax(axis=-1).tolist(),
        "margin": digits(top[:, -1] - top[:, -2]),
        "llama_cpp": {
            **{f"kv_{kv}": distances(exact, rival.forced(path, prompt, ids, kv), kept, stride) for kv in rival.KV},
        },
        "rows": kept,
        "logits": [digits(row) for row in exact[kept]],
        "stride": stride,
        "sample": [digits(row) for row in exact[:, ::stride]],
    }
    if path.stem.upper().endswith("F32"):
        stored = reference.Model(path, kv=np.float16).logits(prompt + ids)[len(prompt) - 1 :]
        golden["logits_kv_f16"] = [digits(row) for row in stored[kept]]
    return golden


def versions():
    return {
        "llama-cpp-python": llama_cpp.__version__,
        "gguf": __import__("importlib.metadata").metadata.version("gguf"),
        "numpy": np.__version__,
        "settings": rival.SETTINGS,
        "cpu": rival.system(),
    }


def dump(value, depth=0):
    """JSON with an object's fields on lines of their own, and a list of lists likewise: differences stay readable."""
    pad = "  " * (depth + 1)
    if isinstance(value, dict):
        items = [f"{pad}{json.dumps(key)}: {dump(item, depth + 1)}" for key, item in value.items()]
        return "{\n" + ",\n".join(items) + "\n" + "  " * depth + "}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        return "[\n" + ",\n".join(pad + json.dumps(item, separators=(",", ":")) for item in value) + "\n" + "  " * depth + "]"
    return json.dumps(value, separators=(",", ":"))


def record(name, model, path, *inputs):
    golden = {"model": model, "made_by": versions(), **compare(path, *inputs)}
    (OUT / f"{name}.json").write_text(dump(golden) + "\n")
    errors = [golden["llama_cpp"][f"kv_{kv}"] for kv in rival.KV]
    print(f"{name:24}", *(f"{error['rms']:.2e} {error['kl']:.2e}" for error in errors))


def synthetic():
    with tempfile.TemporaryDirectory() as folder:
        for shape, mix in SYNTHETIC:
            path = pathlib.Path(folder) / f"{shape}-{mix}.gguf"
            command = ["cargo", "run", "-q", "-p", "siskin-tools", "--bin", "synth", "--"]
            subprocess.run([*command, shape, mix, str(path), "--seed", str(SEED)], check=True, cwd=ROOT, capture_output=True)
            record(f"{shape}-{mix}", {"shape": shape, "format": mix, "seed": SEED}, path, PROMPT, GENERATED, STRIDE)


def trained(folder):
    for name in TRAINED:
        file = f"stories260K-{name}.gguf"
        record(f"stories260K-{name}", {"file": file}, folder / file, ONCE_UPON_A_TIME, TRAINED_GENERATED, TRAINED_STRIDE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--models", type=pathlib.Path, help="folder of the trained models")
    models = parser.parse_args().models
    OUT.mkdir(parents=True, exist_ok=True)
    trained(models) if models else synthetic()
