"""Memory that siskin plans, that it then takes, and that llama.cpp takes for the same job: a Markdown table.

    python3 tools/memory/memory.py --venv VENV --contexts 256,1024,2048 MODEL.gguf...

The job is a prompt that fills the context but for eight tokens, and these eight. Without --venv (a Python environment with
llama-cpp-python) llama.cpp is left out. llama.cpp runs by its defaults but for the threads; the peak of its process before it was loaded
is taken off. Sizes are MB (10^6 bytes): resident at the peak, of siskin with and without the pages of the file.
"""

import argparse
import json
import os
import subprocess

ANSWER = 8


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)[:200]}: {done.stderr.strip()}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def siskin(args, model, context):
    prompt = context - ANSWER
    ids = ",".join(str(300 + i % 1000) for i in range(prompt))
    common = ["-t", str(args.threads), "--json"]
    plan = run([args.siskin, "plan", model, "-p", str(prompt), "-n", str(ANSWER), "--no-probe", *common])
    job = ["--tokens", ids, "-n", str(ANSWER), "--ignore-eos", "--temp", "0"]
    memory = run([args.siskin, "generate", "-m", model, *job, *common])["memory"]
    return plan, memory


def llama(args, model, context):
    if not args.venv:
        return None
    script = os.path.join(os.path.dirname(__file__), "llama.py")
    python = os.path.join(args.venv, "bin/python")
    return run([python, script, model, str(context - ANSWER), str(ANSWER), str(args.threads)])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+")
    parser.add_argument("--siskin", default="target/release/siskin")
    parser.add_argument("--venv")
    parser.add_argument("--contexts", default="256,1024,2048")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    mb = lambda n: f"{n / 1e6:.1f}"
    print("| model | context | planned | measured | difference | resident with the file | llama.cpp |")
    print("|---|---|---|---|---|---|---|")
    for model in args.models:
        for context in map(int, args.contexts.split(",")):
            plan, memory = siskin(args, model, context)
            other = llama(args, model, context)
            planned, measured = plan["needed"], memory["peak_outside_file"]
            name = os.path.basename(model).removesuffix(".gguf")
            rival = mb(other["peak"]) if other else ""
            cells = [name, str(context), mb(planned), mb(measured), f"{(measured - planned) / 1e6:+.1f}", mb(memory["peak_rss"]), rival]
            print("| " + " | ".join(cells) + " |", flush=True)


main()
