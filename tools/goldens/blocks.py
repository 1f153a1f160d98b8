"""Records blocks of every format with the weights that gguf-py's numpy code decodes them to.

    python blocks.py        writes simd/tests/data/blocks/FORMAT.txt

Blocks are random bytes, some with the scales replaced by the edges of f16, and two with all bits equal.
"""

import importlib.metadata
import pathlib

import gguf
import numpy as np

OUT = pathlib.Path(__file__).resolve().parents[2] / "simd/tests/data/blocks"

# Where a block of a format keeps its f16 scales, in bytes from its start.
SCALES = {
    "F32": [], "F16": [], "BF16": [],
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    "Q2_K": [80, 82], "Q3_K": [108],
    "TQ1_0": [52], "TQ2_0": [64], "MXFP4": [], "IQ1_M": [],
    **{name: [0] for name in "IQ1_S IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S IQ4_NL IQ4_XS".split()},
}  # fmt: skip
# One, minus one, zero, minus zero, the smallest and the largest subnormal, the largest number.
EDGES = [0x3C00, 0xBC00, 0x0000, 0x8000, 0x0001, 0x03FF, 0x7BFF]


def blocks(name, random):
    """Blocks [count, bytes]; of the float formats, 32 weights at a time."""
    kind = gguf.GGMLQuantizationType[name]
    length, size = gguf.GGML_QUANT_SIZES[kind]
    size *= 32 if length == 1 else 1
    data = random.integers(0, 256, (4 + len(EDGES), size), np.uint8)
    for row, edge in zip(data[4:], EDGES):
        for i, at in enumerate(SCALES[name]):
            # the second scale of a block takes the edges the other way round
            value = EDGES[-1 - EDGES.index(edge)] if i else edge
            row[at : at + 2] = np.frombuffer(np.uint16(value).tobytes(), np.uint8)
    equal = [np.full((1, size), byte, np.uint8) for byte in (0x00, 0x38)]
    return kind, np.concatenate([data, *equal])


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    version = importlib.metadata.version("gguf")
    for seed, name in enumerate(SCALES):
        kind, data = blocks(name, np.random.default_rng(seed))
        with np.errstate(all="ignore"):
            weights = np.asarray(gguf.quants.dequantize(data, kind), np.float32).reshape(len(data), -1)
        lines = [f"# gguf-py {version}: the bytes of a block, then the bits of its weights as f32, one line each"]
        for block, row in zip(data, weights):
            lines += [block.tobytes().hex(), " ".join(f"{bits:08x}" for bits in row.view(np.uint32))]
        (OUT / f"{name}.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
