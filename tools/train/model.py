"""The network: a llama decoder, small and plain, in PyTorch.

Weights have the layout GGUF's `llama` architecture expects: RoPE rotates
neighbouring pairs (2i, 2i+1), so the exporter copies q and k as they are.
During the last part of training the matrices are rounded to four bits in the
forward pass (`fake_quantize`), so that the shipped Q4_K file loses little.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    """Shape of the model; `dim` and `hidden` are multiples of 256 for K-quants."""

    vocab: int = 2048
    dim: int = 256
    hidden: int = 512
    layers: int = 4
    heads: int = 8
    kv_heads: int = 4
    context: int = 512
    rope_base: float = 10000.0
    norm_eps: float = 1e-5

    @property
    def head_dim(self):
        return self.dim // self.heads


def fake_quantize(weight, bits, block):
    """Round `weight` to `bits` in blocks of `block` along a row, with a scale and a
    minimum each; the gradient passes as if nothing had been rounded."""
    w = weight.detach().float().reshape(-1, block)
    low = w.amin(1, keepdim=True).clamp(max=0.0)
    step = ((w.amax(1, keepdim=True) - low) / (2**bits - 1)).clamp(min=1e-12)
    rounded = ((w - low) / step).round() * step + low
    return weight + (rounded.reshape(weight.shape) - weight.detach())


class Linear(nn.Linear):
    """A matrix without bias; `quantize` switches the four-bit rounding on."""

    quantize = False

    def __init__(self, columns, rows):
        super().__init__(columns, rows, bias=False)

    def forward(self, x):
        w = fake_quantize(self.weight, 4, 32) if Linear.quantize else self.weight
        return F.linear(x, w)


def rope_tables(cfg):
    """cos and sin of every angle: `context x head_dim/2`."""
    pair = torch.arange(0, cfg.head_dim, 2, dtype=torch.float32) / cfg.head_dim
    angle = torch.outer(torch.arange(cfg.context, dtype=torch.float32), cfg.rope_base**-pair)
    return angle.cos(), angle.sin()


def rotate(x, cos, sin):
    """Apply RoPE to `x` (`batch x heads x positions x head_dim`), interleaved pairs."""
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), -1)
    return turned.flatten(-2).to(x.dtype)


class Attention(nn.Module):
    """Grouped-query attention; `heads / kv_heads` query heads share a key head."""

    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        self.q = Linear(cfg.dim, cfg.dim)
        self.k = Linear(cfg.dim, cfg.kv_heads * cfg.head_dim)
        self.v = Linear(cfg.dim, cfg.kv_heads * cfg.head_dim)
        self.output = Linear(cfg.dim, cfg.dim)

    def forward(self, x, cos, sin):
        split = lambda y, heads: y.unflatten(-1, (heads, self.cfg.head_dim)).transpose(1, 2)
        q = rotate(split(self.q(x), self.cfg.heads), cos, sin)
        k = rotate(split(self.k(x), self.cfg.kv_heads), cos, sin)
        v = split(self.v(x), self.cfg.kv_heads)
        group = self.cfg.heads // self.cfg.kv_heads
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.output(y.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    """Attention, then the gated feed-forward, each behind an RMS norm."""

    def __init__(self, cfg):
        super().__init__()
        self.attn_norm = nn.RMSNorm(cfg.dim, eps=cfg.norm_eps)
        self.attn = Attention(cfg)
        self.ffn_norm = nn.RMSNorm(cfg.dim, eps=cfg.norm_eps)
        self.gate = Linear(cfg.dim, cfg.hidden)
        self.up = Linear(cfg.dim, cfg.hidden)
        self.down = Linear(cfg.hidden, cfg.dim)

    def forward(self, x, cos, sin):
        x = x + self.attn(self.attn_norm(x), cos, sin)
        y = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    """Embedding, layers, norm, and the embedding again as output (tied)."""

    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        self.embedding = nn.Embedding(cfg.vocab, cfg.dim)
        self.layers = nn.ModuleList(Layer(cfg) for _ in range(cfg.layers))
        self.norm = nn.RMSNorm(cfg.dim, eps=cfg.norm_eps)
        cos, sin = rope_tables(cfg)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.apply(self.init)

    def init(self, module):
        # Words that play the same part (names) share most of what they learn; a wide start keeps
        # them apart, so that the layers can tell and repeat them.
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.1)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)

    def forward(self, ids):
        """Logits (`batch x positions x vocab`) for token ids (`batch x positions`)."""
        table = self.embedding.weight
        if Linear.quantize:
            table = fake_quantize(table, 6, 16)
        x = F.embedding(ids, table)
        cos, sin = self.cos[: ids.shape[1]], self.sin[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x, cos, sin)
        return F.linear(self.norm(x), table)
