"""Records what llama.cpp computes from the built-in model, for the tests: `python builtin.py`.

Reads models/builtin.gguf and writes tests/data/builtin.json: token ids of some texts, the
logits after two prompts, and greedy continuations. llama.cpp runs in its most exact
configuration (rival.py): weights as they stand in the file, keys and values in f32.
"""

import ctypes
import json
import pathlib

import llama_cpp
import numpy as np

import rival

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "models/builtin.gguf"
OUT = ROOT / "tests/data/builtin.json"
# What `siskin doctor` carries: the largest logits after one prompt, and how it goes on.
DOCTOR = ROOT / "models/builtin.golden.json"
DOCTOR_PROMPT = "Once upon a time"
DOCTOR_LOGITS = 32
DOCTOR_GREEDY = 16

CHAT = "<|im_start|>user\nWhat does a cow say?<|im_end|>\n<|im_start|>assistant\n"

# text, whether chat markers are read as special tokens
TEXTS = [
    ("Once upon a time", False),
    ("The cat sat on the", False),
    ("", False),
    (" leading and  double spaces ", False),
    ("Two lines.\nAnd a\ttab.", False),
    ("3.14 and 2,048 = 1 < 2 & \"quotes\" (yes)!?", False),
    ("caf\u00e9, na\u00efve, \u65e5\u672c\u8a9e, \U0001f426", False),
    ("The wheel went round", False),
    ("tick tock, tick tock, tick tock", False),
    (CHAT, True),
    (CHAT, False),
]
LOGITS = ["The cat sat on the", "Once upon a time"]
GREEDY = [("Once upon a time", False), ("The wheel went round", False), (CHAT, True)]
GENERATED = 64


def tokenize(session, text, special):
    """Ids of `text` with the `<s>` that the file asks for."""
    data = text.encode()
    ids = (llama_cpp.llama_token * (len(data) + 16))()
    vocab = llama_cpp.llama_model_get_vocab(session.model)
    count = llama_cpp.llama_tokenize(vocab, data, len(data), ids, len(ids), True, special)
    return list(ids[:count])


def logits(prompt):
    """Logits after the last id of the prompt, six significant digits."""
    session = rival.Session(MODEL, len(prompt), "f32")
    row = session.feed(prompt)[-1]
    session.close()
    return [float(f"{value:.6g}") for value in row]


def greedy(prompt):
    """The continuation, and how far the second choice was behind at each step: where that
    is tiny, another order of float sums may choose otherwise."""
    ids = rival.greedy(MODEL, prompt, GENERATED)
    rows = np.sort(rival.forced(MODEL, prompt, ids, "f32")[:-1], axis=-1)
    return {"prompt": prompt, "ids": ids, "margin": [float(f"{m:.6g}") for m in rows[:, -1] - rows[:, -2]]}


def detokenize(session, ids):
    vocab = llama_cpp.llama_model_get_vocab(session.model)
    buffer = ctypes.create_string_buffer(16 * len(ids) + 64)
    tokens = (llama_cpp.llama_token * len(ids))(*ids)
    count = llama_cpp.llama_detokenize(vocab, tokens, len(ids), buffer, len(buffer), True, False)
    return buffer.raw[:count].decode(errors="replace")


def doctor(golden):
    """A part of the goldens that is small enough for the program itself."""
    last = next(entry for entry in golden["logits"] if entry["text"] == DOCTOR_PROMPT)
    greedy = next(entry for entry in golden["greedy"] if entry["text"] == DOCTOR_PROMPT)
    largest = sorted(range(len(last["last"])), key=lambda i: -last["last"][i])[:DOCTOR_LOGITS]
    return {
        "prompt": last["ids"],
        "logits": [[i, last["last"][i]] for i in largest],
        "greedy": greedy["ids"][:DOCTOR_GREEDY],
    }


def main():
    session = rival.Session(MODEL, 16, "f32")
    ids = {(text, special): tokenize(session, text, special) for text, special in TEXTS}
    golden = {
        "made_by": {
            "llama_cpp_python": llama_cpp.__version__,
            "settings": f"{rival.SETTINGS}, KV f32",
            "system": rival.system(),
            "model_bytes": MODEL.stat().st_size,
        },
        "tokens": [{"text": text, "special": special, "ids": found} for (text, special), found in ids.items()],
        "logits": [{"text": text, "ids": ids[text, False], "last": logits(ids[text, False])} for text in LOGITS],
        "greedy": [],
    }
    for text, special in GREEDY:
        found = greedy(ids[text, special])
        golden["greedy"].append({"text": text, **found, "continuation": detokenize(session, found["ids"])})
    session.close()
    OUT.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in golden.items()]
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    DOCTOR.write_text(json.dumps(doctor(golden)) + "\n")
    print(f"wrote {OUT.relative_to(ROOT)} and {DOCTOR.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
