"""Prints the tables of simd/src/block/lattice.rs from gguf-py's: `python lattices.py > ../../simd/src/block/lattice.rs && cargo fmt`.

The tables are part of the IQ formats: each entry is a point of eight or four coordinates, of which a format has few different values. An entry is packed as the
places of its coordinates in the list of those values, the first in the lowest bits.
"""

import gguf
import numpy as np

FORMATS = ["IQ1_S", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"]

HEAD = '''//! The lattices of the IQ formats: points of eight coordinates (IQ1, IQ2) or four (IQ3), packed as the places of the coordinates in a short list
//! of values, the first in the lowest bits. Made by `tools/goldens/lattices.py` from the tables of gguf-py; for `iq.rs`.
'''


def table(name):
    quant = getattr(gguf.quants, name)
    quant.init_grid()
    grid = np.asarray(quant.grid).reshape(quant.grid_shape).astype(np.int64)
    values = sorted(set(grid.flatten().tolist()))
    bits = 2 if len(values) <= 4 else 3
    packed = [sum(values.index(v) << bits * i for i, v in enumerate(row)) for row in grid.tolist()]
    return values, bits, packed


def main():
    print(HEAD)
    for name in FORMATS:
        values, bits, packed = table(name)
        print(f"/// Coordinates of {name}; a place takes {bits} bits.")
        print(f"pub(super) const {name}_VALUES: [i8; {len(values)}] = {values};")
        print(f"/// Points of {name}.")
        print(f"pub(super) const {name}: [u16; {len(packed)}] = [")
        print(", ".join(f"0x{p:04x}" for p in packed))
        print("];\n")


if __name__ == "__main__":
    main()
