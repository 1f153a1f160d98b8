"""Prints code, name, elements a block and bytes a block of every tensor type that the Python package `gguf` knows.

Usage: python quant_sizes.py > quant_sizes.txt
"""

from importlib.metadata import version

from gguf.constants import GGML_QUANT_SIZES

print(f"# made by quant_sizes.py with gguf {version('gguf')}: code name block_len block_bytes")
for kind, (block_len, block_bytes) in sorted(GGML_QUANT_SIZES.items()):
    print(int(kind), kind.name, block_len, block_bytes)
