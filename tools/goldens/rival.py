"""llama.cpp through the low-level interface of llama-cpp-python, in its most exact configuration.

Weights as they stand in the file (no repacking), no flash attention, one thread; keys and values in f32 or f16.
"""

import ctypes

import llama_cpp
import numpy as np

SETTINGS = "no repack, flash attention off, 1 thread"
KV = {"f32": llama_cpp.GGML_TYPE_F32, "f16": llama_cpp.GGML_TYPE_F16}


@llama_cpp.llama_log_callback
def _silent(level, text, data):
    pass


llama_cpp.llama_backend_init()
llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))


def system():
    """The instruction sets that llama.cpp uses on this machine."""
    parts = llama_cpp.llama_print_system_info().decode().split("|")
    return " ".join(part.split("=")[0].strip().removeprefix("CPU : ") for part in parts if part.strip().endswith("= 1"))


class Session:
    """A model with one sequence of up to `capacity` tokens; `kv` is the type of keys and values, a key of `KV`."""

    def __init__(self, path, capacity, kv):
        params = llama_cpp.llama_model_default_params()
        params.n_gpu_layers = 0
        params.use_extra_bufts = False
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
        if not self.model:
            raise SystemExit(f"llama.cpp cannot load {path}")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = capacity
        params.n_threads = params.n_threads_batch = 1
        params.type_k = params.type_v = KV[kv]
        params.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.context = llama_cpp.llama_init_from_model(self.model, params)
        self.vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        self.length = 0

    def feed(self, ids):
        """Logits [tokens, vocabulary] after each of `ids`, computed as one batch."""
        batch = llama_cpp.llama_batch_init(len(ids), 0, 1)
        batch.n_tokens = len(ids)
        for i, token in enumerate(ids):
            batch.token[i] = token
            batch.pos[i] = self.length + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = 1
        if llama_cpp.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama_decode failed")
        rows = [llama_cpp.llama_get_logits_ith(self.context, i) for i in range(len(ids))]
        logits = np.array([np.ctypeslib.as_array(row, (self.vocab,)) for row in rows], np.float64)
        llama_cpp.llama_batch_free(batch)
        self.length += len(ids)
        return logits

    def close(self):
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)


def forced(path, prompt, ids, kv):
    """Logits after the prompt (one batch) and after each of `ids` (one at a time)."""
    session = Session(path, len(prompt) + len(ids), kv)
    rows = [session.feed(prompt)[-1]] + [session.feed([token])[0] for token in ids]
    session.close()
    return np.array(rows)


def greedy(path, prompt, count):
    """The `count` ids that follow the prompt, each the likeliest, with keys and values in f32."""
    session = Session(path, len(prompt) + count, "f32")
    ids = [int(session.feed(prompt)[-1].argmax())]
    while len(ids) < count:
        ids.append(int(session.feed(ids[-1:])[0].argmax()))
    session.close()
    return ids
