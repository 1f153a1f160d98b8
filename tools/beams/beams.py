"""What several continuations side by side take, beside as many runs one after the other: a Markdown table.

    python3 tools/beams/beams.py MODEL.gguf

In turn, again and again, each as a new process: one greedy run, beam searches and samples. Medians of the time from the end of the prompt to the
last token; the same number of tokens in each, whatever the model says.
"""

import argparse
import json
import statistics
import subprocess

WAYS = [
    ("one greedy run", 1, ["--temp", "0"]),
    ("`--beams 2`", 2, ["--beams", "2"]),
    ("`--beams 4`", 4, ["--beams", "4"]),
    ("`--beams 8`", 8, ["--beams", "8"]),
    ("`--best-of 8`", 8, ["--best-of", "8", "--seed", "1"]),
]


def milliseconds(args, flags):
    command = [args.siskin, "generate", "-m", args.model, "-n", str(args.tokens), "--ignore-eos", "--json"]
    if args.threads:
        command += ["-t", str(args.threads)]
    done = subprocess.run([*command, *flags, args.prompt], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    if len(result["tokens"]) != args.tokens:
        raise SystemExit(f"{flags}: found {len(result['tokens'])} tokens, expected {args.tokens}")
    return result["timing"]["decode_ms"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--siskin", default="target/release/siskin")
    parser.add_argument("--prompt", default="Once upon a time")
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    times = {name: [] for name, _, _ in WAYS}
    for _ in range(args.repeat):
        for name, _, flags in WAYS:
            times[name].append(milliseconds(args, flags))
    one = statistics.median(times[WAYS[0][0]])
    print("| | ms (fastest to slowest) | time, of one greedy run | times as fast as N runs |")
    print("|---|---|---|---|")
    for name, count, _ in WAYS:
        found = times[name]
        median = statistics.median(found)
        span = f"{median:.0f} ({min(found):.0f} to {max(found):.0f})"
        print(f"| {name} | {span} | {median / one:.2f} | {count * one / median:.2f} |")


if __name__ == "__main__":
    main()
