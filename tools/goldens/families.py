#!/usr/bin/env python3
"""Records what llama.cpp computes with a tiny model of each family, for `tests/families`: `python families.py`.

The models are made by `synth` with seed 1; the test makes them again and checks the hash. llama.cpp runs in its most exact configuration (rival.py),
with keys and values in f32 and with the weights of quantized models as floats, so that only the error of siskin's own rounding of activations is
left. The prompt is longer than the models' windows and than the contexts that their rotary scaling starts from.
"""

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
tiny-olmoe tiny-stablelm tiny-stablelm-parallel tiny-gpt2 tiny-mixtral tiny-qwen3moe tiny-gpt-oss tiny-lfm2 tiny-qwen35 tiny-qwen35moe""".split()
FORMATS = ["F16", "Q4_K_M"]
PROMPT = record.PROMPT + [token % 300 + 10 for token in record.PROMPT]
GENERATED = 16
ROWS = 5  # all logits are kept for this many positions, the one after the prompt and the last among them


def as_floats(path, out):
    """Writes the same model with all weights in F32."""
    reader = gguf.GGUFReader(path)
    arch = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(out, arch)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=field.types[-1] if len(field.types) > 1 else None)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, values.reshape([int(n) for n in reversed(tensor.shape)]).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def golden(path, floats):
    """Logits after the prompt, run as one batch, and after each of the ids that it goes on with; computed from the floats."""
    as_floats(path, floats)
    ids = rival.greedy(floats, PROMPT, GENERATED)
    rows = rival.forced(floats, PROMPT, ids, "f32")
    kept = [round(i) for i in np.linspace(0, len(ids), ROWS)]
    top = np.sort(rows, axis=-1)
    return {
        "fnv1a": record.fnv1a(path),
        "prompt": PROMPT,
        "ids": ids,
        "argmax": rows.argmax(axis=-1).tolist(),
        "margin": record.digits(top[:, -1] - top[:, -2]),
        "deviation": float(f"{rows.std():.6g}"),
        "rows": kept,
        "logits": [record.digits(row) for row in rows[kept]],
    }


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for shape in SHAPES:
            for mix in FORMATS:
                path = pathlib.Path(folder) / f"{shape}-{mix}.gguf"
                command = ["cargo", "run", "-q", "-p", "siskin-tools", "--bin", "synth", "--"]
                arguments = [shape, mix, str(path), "--seed", str(record.SEED)]
                subprocess.run([*command, *arguments], check=True, cwd=record.ROOT, capture_output=True)
                model = {"shape": shape, "format": mix, "seed": record.SEED}
                value = {"model": model, "made_by": record.versions(), **golden(path, path.with_suffix(".f32"))}
                (OUT / f"{shape}-{mix}.json").write_text(record.dump(value) + "\n")
                print(shape, mix, value["deviation"], flush=True)


if __name__ == "__main__":
    main()
