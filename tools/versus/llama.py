"""One run of llama.cpp for versus.py, in the fields of `siskin bench --json`.

    python llama.py MODEL PROMPT DECODE DEPTH THREADS REPACK

Times begin after the import of the library, which is Python's affair. As in `siskin bench`, all is run once before it is timed.
"""

import ctypes
import json
import pathlib
import sys
import time

import llama_cpp as llama

START = time.perf_counter()


@llama.llama_log_callback
def silent(_level, _text, _data):
    pass


def status(name):
    """A size from /proc/self/status in bytes."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return None


class Run:
    def __init__(self, model, positions, threads, repack):
        llama.llama_log_set(silent, ctypes.c_void_p(0))
        llama.llama_backend_init()
        params = llama.llama_model_default_params()
        params.use_extra_bufts = repack
        self.model = llama.llama_model_load_from_file(model.encode(), params)
        params = llama.llama_context_default_params()
        params.n_ctx = positions
        params.n_threads = params.n_threads_batch = threads
        self.context = llama.llama_init_from_model(self.model, params)
        self.vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))
        self.batch_size = params.n_batch

    def tokens(self, count):
        return [(i * 2654435761 >> 7) % self.vocabulary for i in range(count)]

    def clear(self):
        llama.llama_memory_clear(llama.llama_get_memory(self.context), True)

    def decode(self, tokens, position):
        """Runs tokens; the logits of the last are there when it returns."""
        for start in range(0, len(tokens), self.batch_size):
            part = tokens[start : start + self.batch_size]
            batch = llama.llama_batch_init(len(part), 0, 1)
            batch.n_tokens = len(part)
            for i, token in enumerate(part):
                batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, position + start + i, 1
                batch.seq_id[i][0], batch.logits[i] = 0, start + i == len(tokens) - 1
            assert llama.llama_decode(self.context, batch) == 0
            llama.llama_batch_free(batch)
        llama.llama_synchronize(self.context)

    def once(self, prompt, decode, depth):
        """Seconds for the prompt and for the tokens after it."""
        self.clear()
        if depth:
            self.decode(self.tokens(depth), 0)
        start = time.perf_counter()
        self.decode(self.tokens(prompt), depth)
        first = time.perf_counter()
        for i, token in enumerate(self.tokens(decode)):
            self.decode([token], depth + prompt + i)
        return first - start, time.perf_counter() - first


def main():
    model, (prompt, decode, depth, threads, repack) = sys.argv[1], map(int, sys.argv[2:])
    run = Run(model, prompt + decode + depth + 1, threads, bool(repack))
    run.once(prompt, 0, depth)
    first_token = time.perf_counter() - START
    run.once(prompt, min(decode, 2), depth)
    prefill, decoded = run.once(prompt, decode, depth)
    print(json.dumps({
        "prefill_tps": prompt / prefill, "decode_tps": decode / decoded if decode else None,
        "first_token_ms": first_token * 1e3, "peak_rss": status("VmHWM:"), "anon": status("RssAnon:"),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
