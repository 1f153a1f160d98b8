"""The oracle: a forward pass in double precision, as plainly as it can be said.

Weights are dequantized as a whole by gguf-py's numpy code; activations are never quantized. What a program differs from this, because it
quantizes activations or keeps keys and values in f16, is its own error, not the format's.

    python reference.py MODEL.gguf 1,403,407     prints the five likeliest next ids and their logits
"""

import sys

import gguf
import numpy as np


class Model:
    """A llama or qwen2 model, with all its weights in memory; `kv` is the type that keys and values are rounded to."""

    def __init__(self, path, kv=np.float64):
        self.kv = kv
        reader = gguf.GGUFReader(path)
        field = lambda key, default=None: reader.fields[key].contents() if key in reader.fields else default
        self.arch = field("general.architecture")
        if self.arch not in ("llama", "qwen2"):
            raise SystemExit(f"{path}: architecture {self.arch} is not known here")
        arch = lambda key, default=None: field(f"{self.arch}.{key}", default)
        self.layers = arch("block_count")
        self.heads = arch("attention.head_count")
        self.kv_heads = arch("attention.head_count_kv", self.heads)
        self.head_dim = arch("attention.key_length", arch("embedding_length") // self.heads)
        self.rope_dim = arch("rope.dimension_count", self.head_dim)
        self.eps = arch("attention.layer_norm_rms_epsilon")
        self.rope_base = arch("rope.freq_base", 10000.0)
        self.weights = {t.name: decode(t) for t in reader.tensors}

    def linear(self, x, name):
        """`x` [tokens, cols] times the matrix `name` [rows, cols], plus its bias if it has one."""
        y = x @ self.weights[f"{name}.weight"].T
        return y + self.weights.get(f"{name}.bias", 0.0)

    def norm(self, x, name):
        scale = 1.0 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + self.eps)
        return x * scale * self.weights[f"{name}.weight"]

    def angles(self, tokens):
        """Rotary angles [tokens, 1, rope_dim / 2]; the optional tensor `rope_freqs` divides the frequencies."""
        frequencies = np.float64(self.rope_base) ** (-np.arange(0, self.rope_dim, 2) / self.rope_dim)
        frequencies = frequencies / self.weights.get("rope_freqs.weight", 1.0)
        return (np.arange(tokens)[:, None] * frequencies)[:, None, :]

    def rope(self, x):
        """Rotates `x` [tokens, heads, head_dim]: llama's pairs are neighbours, qwen2's are half a head apart."""
        angle = self.angles(len(x))
        half = self.rope_dim // 2
        even = slice(0, self.rope_dim, 2) if self.arch == "llama" else slice(0, half)
        odd = slice(1, self.rope_dim, 2) if self.arch == "llama" else slice(half, self.rope_dim)
        y = x.copy()
        y[..., even] = x[..., even] * np.cos(angle) - x[..., odd] * np.sin(angle)
        y[..., odd] = x[..., even] * np.sin(angle) + x[..., odd] * np.cos(angle)
        return y

    def attention(self, x, block):
        tokens = len(x)
        heads = lambda name, count: self.linear(x, f"{block}.{name}").reshape(tokens, count, self.head_dim)
        q = self.rope(heads("attn_q", self.heads))
        stored = lambda x: x.astype(self.kv).astype(np.float64).repeat(self.heads // self.kv_heads, axis=1)
        k = stored(self.rope(heads("attn_k", self.kv_heads)))
        v = stored(heads("attn_v", self.kv_heads))
        scores = np.einsum("qhd,khd->hqk", q, k) / np.sqrt(self.head_dim)
        scores += np.triu(np.full((tokens, tokens), -np.inf), 1)
        mixed = np.einsum("hqk,khd->qhd", np.exp(log_softmax(scores)), v)
        return self.linear(mixed.reshape(tokens, -1), f"{block}.attn_output")

    def feed_forward(self, x, block):
        gate = self.linear(x, f"{block}.ffn_gate")
        return self.linear(gate / (1.0 + np.exp(-gate)) * self.linear(x, f"{block}.ffn_up"), f"{block}.ffn_down")

    def logits(self, ids):
        """Logits [tokens, vocabulary] after each of `ids`."""
        x = self.weights["token_embd.weight"][np.asarray(ids)]
        for block in (f"blk.{layer}" for layer in range(self.layers)):
            x = x + self.attention(self.norm(x, f"{block}.attn_norm"), block)
            x = x + self.feed_forward(self.norm(x, f"{block}.ffn_norm"), block)
        output = "output" if "output.weight" in self.weights else "token_embd"
        return self.linear(self.norm(x, "output_norm"), output)


def decode(tensor):
    """The weights of a tensor of a GGUF file, [rows, cols] or [cols]."""
    values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    return values.reshape([int(n) for n in reversed(tensor.shape)]).astype(np.float64)


def log_softmax(x):
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


if __name__ == "__main__":
    logits = Model(sys.argv[1]).logits([int(i) for i in sys.argv[2].split(",")])[-1]
    for i in np.argsort(-logits)[:5]:
        print(i, logits[i])
