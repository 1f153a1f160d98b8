#!/usr/bin/env python3
"""Records what llama.cpp computes with a tiny model of each family, for `tests/families`: `python families.py`.

The models are made by `synth` with seed 1 (`--synth PATH` names a built one; otherwise cargo runs it); the test makes them again and checks the hash.
llama.cpp runs in its most exact configuration (rival.py), with keys and values in f32. The logits are those of the weights of the file written
out as floats: llama.cpp rounds activations to 8 bits when it multiplies quantized weights, and would add an error of its own to what is
compared with. How far that error takes it, running the quantized file itself, is recorded beside them.

The prompt is longer than the models' windows and than the contexts that their rotary scaling starts from, except the one for LongRoPE's short
factors. llama.cpp chooses between short and long ones by the room that a context has, which it rounds up to 256 positions: the file
that it runs states a longer original context, which nothing else depends on.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import gguf
import numpy as np

import record
import rival

OUT = record.ROOT / "tests/data/families"
SHAPES = """tiny-llama3 tiny-qwen2 tiny-qwen3 tiny-gemma2 tiny-gemma3 tiny-longrope tiny-granite tiny-granitemoe tiny-smollm3 tiny-mistral3 tiny-olmo2 tiny-olmo3
tiny-olmoe tiny-stablelm tiny-stablelm-parallel tiny-gpt2 tiny-mixtral tiny-qwen3moe tiny-gpt-oss tiny-lfm2 tiny-qwen35 tiny-qwen35moe
tiny-gemma4 tiny-gemma4-e tiny-gemma4-moe tiny-lfm2moe tiny-hunyuan tiny-arcee tiny-apertus""".split()
NARROW = """qwen2moe qwen2vl qwen3vl qwen3vlmoe gemma phi2 olmo ernie4_5 ernie4_5-moe maincoder exaone exaone4 internlm2 xverse pangu orion minicpm nemotron
glm4 seed-oss starcoder starcoder2 command-r cohere2 bailingmoe2""".split()
CASES = [
    *[(shape, mix, "") for shape in SHAPES for mix in ("F16", "Q4_K_M")],
    ("tiny-gpt-oss", "MXFP4", ""),
    ("tiny-longrope", "F16", "short"),
    *[(f"narrow-{family}", "F16", "") for family in NARROW],
]
PROMPT = record.PROMPT + [token % 300 + 10 for token in record.PROMPT]
SHORT_PROMPT = record.PROMPT[:15]  # with what is generated fewer than the 32 positions of tiny-longrope's original context
LONG = 1 << 16  # positions
GENERATED = 16
GENERATED_NARROW = 8  # of families without a part of their own


def as_floats(path, out, changed):
    """Writes the same model with all weights in F32, and with other values of the keys whose ends are in `changed`."""
    reader = gguf.GGUFReader(path)
    arch = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(out, arch)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        value = next((value for end, value in changed.items() if name.endswith(end)), field.contents())
        writer.add_key_value(name, value, field.types[0], sub_type=field.types[-1] if len(field.types) > 1 else None)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, values.reshape([int(n) for n in reversed(tensor.shape)]).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def hexadecimal(rows):
    """Rows of 16-bit integers, four digits each, and their unit: a 32767th of the largest value."""
    unit = float(f"{np.abs(rows).max() / 32767:.9g}")
    return unit, [np.rint(row / unit).astype(">i2").tobytes().hex() for row in rows.clip(-32767 * unit, 32767 * unit)]


def divergence(exact, path, prompt, ids):
    """Mean and largest divergence of what llama.cpp computes with the file as it is."""
    divergences = record.kl(exact, rival.forced(path, prompt, ids, "f32"))
    return {"mean": float(f"{divergences.mean():.4g}"), "worst": float(f"{divergences.max():.4g}")}


def golden(path, floats, quantized, short, generated):
    """Logits after the prompt, run as one batch, and after each of the ids that it goes on with; computed from the floats."""
    as_floats(path, floats, {"rope.scaling.original_context_length": LONG} if short else {})
    prompt = SHORT_PROMPT if short else PROMPT
    ids = rival.greedy(floats, prompt, generated)
    rows = rival.forced(floats, prompt, ids, "f32")
    unit, logits = hexadecimal(rows)
    own = {"llama_cpp": divergence(rows, path, prompt, ids)} if quantized else {}
    return {
        "fnv1a": record.fnv1a(path),
        "prompt": prompt,
        "ids": ids,
        "deviation": float(f"{rows.std():.6g}"),
        **own,
        "unit": unit,
        "logits": logits,
    }


def synthesize(synth, shape, mix, path):
    command = [synth] if synth else ["cargo", "run", "-q", "-p", "siskin-tools", "--bin", "synth", "--"]
    arguments = [shape, mix, str(path), "--seed", str(record.SEED)]
    subprocess.run([*command, *arguments], check=True, cwd=record.ROOT, capture_output=True)


def dump(value):
    """As record.py's, with a row of logits on a line."""
    rows = ",\n".join(f"    {json.dumps(row)}" for row in value["logits"])
    return record.dump({**value, "logits": []}).replace("[]", f"[\n{rows}\n  ]")


def made_by(script):
    return {"script": f"tools/goldens/{script}", **record.versions()}


def write(case, synth, folder):
    """Records one model; its name, deviation and what llama.cpp makes of the file itself."""
    shape, mix, variant = case
    name = "-".join(filter(None, [shape, variant, mix]))
    path = folder / f"{name}.gguf"
    synthesize(synth, shape, mix, path)
    generated = GENERATED_NARROW if shape.startswith("narrow-") else GENERATED
    found = golden(path, path.with_suffix(".f32"), mix != "F16", bool(variant), generated)
    model = {"shape": shape, "format": mix, "seed": record.SEED}
    (OUT / f"{name}.json").write_text(dump({"model": model, "made_by": made_by("families.py"), **found}) + "\n")
    return name, found["deviation"], found.get("llama_cpp", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--synth", help="a built `synth`")
    parser.add_argument("shapes", nargs="*", help="only these")
    args = parser.parse_args()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for case in [case for case in CASES if not args.shapes or case[0] in args.shapes]:
            print(*write(case, args.synth, pathlib.Path(folder)), flush=True)


if __name__ == "__main__":
    main()
