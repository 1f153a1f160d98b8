#!/usr/bin/env python3
"""Instructions and modelled cycles of the ARM kernels, beside llama.cpp's. See README.md here. Modelled, not measured on hardware."""

import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = "aarch64-unknown-linux-musl"
PACKAGE = "llama_cpp_python-0.3.36"
COLS = 2048

# Core: its name for gcc, for qemu, for llvm-mca (the Cortex-A76 is modelled as the Neoverse N1, which is made from it: llvm has no own
# model of it), and ours for its instruction set.
CORES = {
    "Cortex-A72": ("cortex-a72", "cortex-a72", "cortex-a72", "neon"),
    "Cortex-A76": ("cortex-a76", "cortex-a76", "neoverse-n1", "dotprod"),
    "Neoverse-N2": ("neoverse-n2", "max,sve-default-vector-length=16", "neoverse-n2", "i8mm"),
}

# Format: llama.cpp's dot product, its products with repacked weights for dotprod and for i8mm, and bytes of 256 weights.
FORMATS = {
    "Q4_0": ("q4_0_q8_0", "q4_0_4x4_q8_0", "q4_0_4x8_q8_0", 144),
    "Q4_1": ("q4_1_q8_1", None, None, 160),
    "Q5_0": ("q5_0_q8_0", None, None, 176),
    "Q5_1": ("q5_1_q8_1", None, None, 192),
    "Q8_0": ("q8_0_q8_0", "q8_0_4x4_q8_0", "q8_0_4x8_q8_0", 272),
    "Q4_K": ("q4_K_q8_K", "q4_K_8x4_q8_K", "q4_K_8x8_q8_K", 144),
    "Q5_K": ("q5_K_q8_K", "q5_K_8x4_q8_K", "q5_K_8x8_q8_K", 176),
    "Q6_K": ("q6_K_q8_K", "q6_K_8x4_q8_K", "q6_K_8x8_q8_K", 210),
}


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, **options)


def output(*command, **options):
    return run(*command, stdout=subprocess.PIPE, text=True, **options).stdout


def newest(tool):
    """The newest of an LLVM tool that is installed."""
    names = [f"{tool}-{version}" for version in range(30, 13, -1)] + [tool]
    return next((name for name in names if shutil.which(name)), None) or sys.exit(f"{tool} is missing")


def repacked(core, format):
    """The name of llama.cpp's product with repacked weights, if it has one for this core."""
    return FORMATS[format][{"Cortex-A72": 0, "Cortex-A76": 1, "Neoverse-N2": 2}[core]] if core != "Cortex-A72" else None


class Program:
    """An emulated program whose instructions between two marks can be listed."""

    def __init__(self, path, core, plugin):
        self.path, self.core, self.plugin = path, core, plugin
        symbols = output("nm", path)
        self.marks = {mark: re.search(rf"^(\w+) . {mark}$", symbols, re.M)[1] for mark in ["mark_start", "mark_stop"]}
        self.text = dict(
            (int(address, 16), (operation, operands))
            for address, operation, operands in re.findall(
                r"^\s*([0-9a-f]+):\s+(\S+)[ \t]*(.*)$",
                output(newest("llvm-objdump"), "-d", "--no-show-raw-insn", "--mattr=+all", path),
                re.M,
            )
        )

    def trace(self, *args):
        """What ran between the marks, as (operation, operands)."""
        out = self.plugin.with_suffix(".trace")
        marks = f"start=0x{self.marks['mark_start']},stop=0x{self.marks['mark_stop']}"
        environment = dict(os.environ, SISKIN_ISA=CORES[self.core][3])
        run("qemu-aarch64", "-cpu", CORES[self.core][1], "-plugin", f"{self.plugin},{marks},out={out}", self.path, *args,
            stdout=subprocess.DEVNULL, env=environment)
        pcs = struct.iter_unpack("<Q", out.read_bytes())
        return [self.text[pc] for (pc,) in pcs]


def cycles(trace, model):
    """Modelled cycles of instructions that run in this order, all loads hitting the first-level cache, all branches predicted."""
    lines = [".L:"]
    for operation, operands in trace:
        operands = operands.split("//")[0].strip()
        if operation in ("bl", "blr", "ret", "br", "b", "hint"):
            continue  # a jump that is predicted costs next to nothing; the model would take a call for a hundred cycles
        if "<" in operands:
            operands = re.sub(r"#?(0x)?[0-9a-f]+ <.*$", ".L", operands)
        lines.append(f"{operation} {operands}")
    result = output(newest("llvm-mca"), "-mtriple=aarch64-linux-gnu", f"-mcpu={model}", "-mattr=+dotprod,+i8mm,+sve,+fullfp16",
                    "-iterations=1", "-instruction-info=0", "-resource-pressure=0", input="\n".join(lines) + "\n")
    return int(re.search(r"Total Cycles:\s+(\d+)", result)[1])


def costs(trace, model):
    return len(trace), cycles(trace, model)


def build_ours(work):
    environment = dict(os.environ, CARGO_PROFILE_RELEASE_LTO="off", CARGO_PROFILE_RELEASE_STRIP="none",
                       CARGO_TARGET_DIR=str(work / "cargo"), RUSTFLAGS="-C relocation-model=static")
    run("cargo", "build", "-q", "--release", "-p", "siskin-simd", "--example", "modelled", "--target", TARGET, cwd=ROOT, env=environment)
    return work / "cargo" / TARGET / "release/examples/modelled"


def sources(work):
    """llama.cpp's source, from the package of its Python bindings."""
    if not (work / PACKAGE).exists():
        run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "--no-build-isolation",
            "--dest", work, PACKAGE.replace("_python-", "-python==").replace("_", "-")) if not list(work.glob(f"{PACKAGE}*.gz")) else None
        with tarfile.open(work / f"{PACKAGE}.tar.gz") as archive:
            archive.extractall(work, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(work)
    return work / PACKAGE / "vendor/llama.cpp/ggml"


def build_rival(work, core):
    """llama.cpp's kernels, compiled for a core, with a program that runs one of them."""
    ggml = sources(work)
    cpu, out = ggml / "src/ggml-cpu", work / f"rival-{core}"
    kernels = []
    for format, names in FORMATS.items():
        kernels.append(f"D(ggml_vec_dot_{names[0]}, {names[3]})")
        if name := repacked(core, format):
            kernels.append(f"P(ggml_gemm_{name}, {names[3]}) P(ggml_gemv_{name}, {names[3]})")
    flags = [f"-mcpu={CORES[core][0]}", "-O3", "-DNDEBUG", "-D_GNU_SOURCE", "-DGGML_USE_CPU_REPACK", "-ffunction-sections", "-w",
             f"-I{ggml}/include", f"-I{ggml}/src", f"-I{cpu}", f"-DKERNELS={' '.join(kernels)}"]
    objects = []
    for source in [HERE / "rival.c", cpu / "quants.c", cpu / "arch/arm/quants.c", cpu / "arch/arm/repack.cpp", cpu / "repack.cpp"]:
        compiler = ["aarch64-linux-gnu-g++", "-std=c++17"] if source.suffix == ".cpp" else ["aarch64-linux-gnu-gcc", "-std=gnu11"]
        objects.append(work / f"{core}-{source.parent.name}-{source.name}.o")
        run(*compiler, *flags, "-c", source, "-o", objects[-1])
    run("aarch64-linux-gnu-g++", "-static", "-no-pie", "-Wl,--gc-sections", "-Wl,--unresolved-symbols=ignore-all", *objects, "-lm", "-o", out)
    return out


def build_plugin(work):
    plugin = work / "trace.so"
    run("cc", "-O2", "-shared", "-fPIC", "-o", plugin, HERE / "trace.c")
    return plugin


def decode(ours, rival, core, format):
    """Instructions and cycles of a dot product per 32 weights, theirs and ours."""
    model, blocks = CORES[core][2], 4 * COLS / 32
    theirs = costs(rival.trace(f"ggml_vec_dot_{FORMATS[format][0]}", 4, COLS), model)
    mine = costs(ours.trace(format, "dot", 4, COLS), model)
    return [cost / blocks for cost in theirs + mine]


def prefill(ours, rival, core, format):
    """Cycles of a product with many vectors per 1000 multiplications: theirs, ours, and what our unpacking adds to a batch of 256.

    The second tile of eight vectors is what ours costs once the panel is unpacked.
    """
    model, name = CORES[core][2], repacked(core, format)
    if name:
        theirs, macs = rival.trace(f"ggml_gemm_{name}", 8, COLS), 16 * 8 * COLS
    else:
        theirs, macs = rival.trace(f"ggml_vec_dot_{FORMATS[format][0]}", 4, COLS), 4 * COLS
    theirs = costs(theirs, model)
    one, two = (costs(ours.trace(format, "product", vectors, COLS), model) for vectors in (8, 16))
    tile = [b - a for a, b in zip(one, two)]
    unpacking = [a - b for a, b in zip(one, tile)]
    return [cost / macs * 1000 for cost in theirs], [cost / (16 * 8 * COLS) * 1000 for cost in tile], [
        cost / (16 * 256 * COLS) * 1000 for cost in unpacking], "repacked" if name else "dot products"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "target/modelled", help="where to build (default: target/modelled)")
    parser.add_argument("--core", action="append", choices=CORES, help="only this core; may be repeated")
    parser.add_argument("--format", action="append", choices=FORMATS, help="only this format; may be repeated")
    args = parser.parse_args()
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    plugin, siskin = build_plugin(work), build_ours(work)
    print("Modelled, not measured on hardware.")
    for core in args.core or CORES:
        ours, rival = Program(siskin, core, plugin), Program(build_rival(work, core), core, plugin)
        print(f"\n{core} ({CORES[core][3]})\n\ndecode, per 32 weights | instructions: llama.cpp, siskin | cycles: llama.cpp, siskin | ratio")
        for format in args.format or FORMATS:
            instructions, their_cycles, mine, our_cycles = decode(ours, rival, core, format)
            print(f"{format:5} | {instructions:6.1f} {mine:6.1f} | {their_cycles:6.1f} {our_cycles:6.1f} | {their_cycles / our_cycles:.2f}",
                  flush=True)
        print("\nprefill, per 1000 MACs | instructions: llama.cpp, siskin | cycles: llama.cpp, siskin | ratio | with unpacking for 256 vectors")
        for format in args.format or FORMATS:
            theirs, tile, unpacking, what = prefill(ours, rival, core, format)
            ratio, whole = theirs[1] / tile[1], theirs[1] / (tile[1] + unpacking[1])
            print(f"{format:5} | {theirs[0]:6.1f} {tile[0]:6.1f} | {theirs[1]:6.1f} {tile[1]:6.1f} | {ratio:.2f} | {whole:.2f} ({what})",
                  flush=True)


if __name__ == "__main__":
    main()
