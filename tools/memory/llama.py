"""Runs a prompt and a few tokens with llama-cpp-python and prints the peak of its memory as JSON. Called by memory.py."""

import json
import sys

from llama_cpp import Llama


def status(name):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name + ":"))


def main():
    model, prompt, answer, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    before = status("VmHWM")
    llama = Llama(model, n_ctx=prompt + answer, n_threads=threads, n_threads_batch=threads, verbose=False)
    llama.eval([300 + i % 1000 for i in range(prompt)])
    for _ in range(answer):
        llama.eval([llama.sample(temp=0.0)])
    # the interpreter and numpy are not llama.cpp's
    print(json.dumps({"peak": status("VmHWM") - before, "file": status("RssFile")}))


main()
