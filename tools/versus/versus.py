#!/usr/bin/env python3
"""Runs siskin and llama.cpp on the same GGUF files, one after the other in turn, and prints the ratios.

    python3 tools/versus/versus.py MODEL.gguf...            with --help for the rest

llama.cpp comes from the package index: llama-cpp-python 0.3.36, built from its source in a virtual environment (some minutes, the first
time). It runs with its defaults (memory-mapped, batches of 512) and as many threads; once with the weights repacked for the CPU and once
without, and siskin is compared with the better of the two, figure by figure. Every figure is a median over runs of a new process each.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

VERSION = "0.3.36"
HERE = pathlib.Path(__file__).resolve().parent
CONFIGURATIONS = ["siskin", "llama.cpp repacked", "llama.cpp in place"]


def environment(path):
    """The interpreter of a virtual environment that has llama.cpp."""
    python = path / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", path], check=True)
    have = subprocess.run([python, "-c", "import llama_cpp; print(llama_cpp.__version__)"], capture_output=True, text=True)
    if have.stdout.strip() != VERSION:
        subprocess.run([python, "-m", "pip", "install", f"llama-cpp-python=={VERSION}"], check=True)
    return python


def siskin(args, model, prompt, decode):
    command = [args.siskin, "bench", "-m", model, "-p", prompt, "-n", decode, "-d", args.depth, "-r", 1, "-t", args.threads, "--json"]
    env = dict(os.environ, **({"SISKIN_ISA": args.isa} if args.isa else {}))
    out = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True, env=env)
    return json.loads(out.stdout)


def llama(args, model, prompt, decode, repack):
    command = [args.python, HERE / "llama.py", model, prompt, decode, args.depth, args.threads, int(repack)]
    out = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def run(args, configuration, model, prompt, decode):
    if configuration == "siskin":
        return siskin(args, model, prompt, decode)
    return llama(args, model, prompt, decode, configuration.endswith("repacked"))


def measure(args, model, prompt, decode):
    """Medians of all figures for each configuration, from runs in turn."""
    runs = {name: [] for name in CONFIGURATIONS}
    for _ in range(args.runs):
        for name in CONFIGURATIONS:
            runs[name].append(run(args, name, model, prompt, decode))
    figures = ["prefill_tps", "decode_tps", "first_token_ms", "peak_rss", "anon", "share_of_read"]

    def median(results, figure):
        values = [result[figure] for result in results if result.get(figure) is not None]
        return statistics.median(values) if values else None

    return {name: {figure: median(results, figure) for figure in figures} for name, results in runs.items()}


def busy_core():
    """A process that never rests."""
    return subprocess.Popen([sys.executable, "-c", "while True: pass"])


def row(name, figures, figure, scale=1.0, better=max):
    """A line of the table; the ratio is ours over the better of theirs."""
    values = [figures[c][figure] for c in CONFIGURATIONS]
    if any(value is None for value in values):
        return None
    ratio = values[0] / better(values[1:])
    cells = [f"{value / scale:.1f}" for value in values] + [f"{ratio:.2f}"]
    return {"what": name, "values": [value / scale for value in values], "ratio": round(ratio, 3), "cells": cells}


def compare(args, model):
    rows = []
    for prompt in args.prompts:
        figures = measure(args, model, prompt, args.decode if prompt == args.prompts[0] else 0)
        rows.append(row(f"prefill {prompt}, tokens/s", figures, "prefill_tps"))
        if prompt == args.prompts[0]:
            rows.append(row("decode, tokens/s", figures, "decode_tps"))
            rows.append(row("peak resident, MB", figures, "peak_rss", 1e6, min))
            rows.append(row("anonymous, MB", figures, "anon", 1e6, min))
            share = figures["siskin"]["share_of_read"]
            if share is not None:
                rows.append({"what": "share of a plain read", "values": [share], "cells": [f"{share:.2f}", "", "", ""]})
    figures = measure(args, model, 8, 1)
    rows.append(row("first token of 8, ms", figures, "first_token_ms", 1.0, min))
    if args.busy:
        hog = busy_core()
        try:
            rows.append(row("decode, a core busy", measure(args, model, 8, args.decode), "decode_tps"))
        finally:
            hog.kill()
    return [row for row in rows if row]


def cpu():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--siskin", default="target/release/siskin", help="the command (%(default)s)")
    parser.add_argument("--venv", type=pathlib.Path, default=pathlib.Path("target/versus"), help="virtual environment (%(default)s)")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--prompts", type=int, nargs="+", default=[256, 32, 1024], help="prompt lengths; the first is decoded after")
    parser.add_argument("--decode", type=int, default=32, help="tokens to generate")
    parser.add_argument("--depth", type=int, default=0, help="tokens in the context before")
    parser.add_argument("--busy", action="store_true", help="measure once more beside a process that keeps a core busy")
    parser.add_argument("--isa", help="kernels that siskin is to use")
    parser.add_argument("--json", type=pathlib.Path, help="write all results to this file")
    args = parser.parse_args()
    args.python = environment(args.venv)
    facts = {"cpu": cpu(), "cores": os.cpu_count(), "threads": args.threads, "llama-cpp-python": VERSION,
             "siskin": subprocess.run([args.siskin, "--version"], capture_output=True, text=True).stdout.strip(),
             "runs": args.runs, "depth": args.depth, "date": time.strftime("%Y-%m-%d")}  # fmt: skip
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    results = {}
    for model in args.models:
        rows = results[model] = compare(args, model)
        print(f"\n| {pathlib.Path(model).name} | {' | '.join(CONFIGURATIONS)} | ratio |\n|---|---|---|---|---|")
        for line in rows:
            print(f"| {line['what']} | {' | '.join(line['cells'])} |", flush=True)
    if args.json:
        args.json.write_text(json.dumps({"facts": facts, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
