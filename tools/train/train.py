"""Train the model on the packed token ids of `tokenizer.py`: `python train.py --data DIR --out FILE`.

Muon (PyTorch's own) moves the matrices of the layers, AdamW the embedding and the norms.
Each process works on its part of a batch and updates its share of the parameters, so that
`--processes 2` uses two cores without waiting at every operation. The learning rate is constant,
then falls to zero over the last part; four-bit rounding (see model.py) runs at the end of that.

The first part of training sees only texts that repeat names. A model this small otherwise learns
every phrase of a story long before it learns to look back at who the story is about.
"""

import argparse
import dataclasses
import os
import random
import time

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F

from model import Config, Linear, Llama


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="folder of names.npy, train.npy and heldout.npy")
    parser.add_argument("--out", required=True, help="checkpoint to write")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--minutes", type=float, default=1e9, help="finish the schedule by then, whatever the steps")
    parser.add_argument("--tokens", type=int, default=2048, help="tokens a step, over all processes")
    parser.add_argument("--length", type=int, default=256, help="positions a row, doubled at the end")
    parser.add_argument("--names-until", type=float, default=0.15, help="share of training on names.npy alone")
    parser.add_argument("--muon-lr", type=float, default=4e-3)
    parser.add_argument("--adam-lr", type=float, default=3e-3)
    parser.add_argument("--decay-from", type=float, default=0.55, help="share of training with constant rate")
    parser.add_argument("--quantize-from", type=float, default=0.80, help="share of training without rounding")
    parser.add_argument("--long-from", type=float, default=0.85, help="share of training with rows of --length")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def batches(ids, seed, rank):
    """Endless rows of `length + 1` ids that begin at a text's `<s>`; send the (rows, length) wanted."""
    starts = np.flatnonzero(ids[:-1024] == 1)
    rng = np.random.default_rng([seed, rank])
    order, at, rows, length = None, len(starts), *(yield)
    while True:
        if at + rows > len(starts):
            order, at = rng.permutation(starts), 0
        picked = np.stack([ids[s : s + length + 1] for s in order[at : at + rows]])
        at += rows
        rows, length = yield torch.from_numpy(picked.astype(np.int64))


def loss_of(model, rows):
    logits = model(rows[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())


@torch.no_grad()
def heldout_loss(model, ids, rows=16, length=512):
    """Mean loss in nats a token over the first `rows` rows of the held-out ids."""
    table = torch.from_numpy(ids[: rows * length + 1].astype(np.int64))
    parts = [loss_of(model, table[None, i * length : (i + 1) * length + 1]) for i in range(rows)]
    return torch.stack(parts).mean().item()


def optimizers(model, args, rank):
    """The optimizers for this process's share of the parameters, and every parameter's owner."""
    params = list(model.parameters())
    owners = [i % args.processes for i in range(len(params))]
    mine = [p for p, owner in zip(params, owners) if owner == rank]
    matrices = [p for p in mine if p.ndim == 2 and p is not model.embedding.weight]
    others = [p for p in mine if p.ndim == 1 or p is model.embedding.weight]
    muon = torch.optim.Muon(matrices, lr=args.muon_lr, weight_decay=0.05, adjust_lr_fn="match_rms_adamw")
    adam = torch.optim.AdamW(others, lr=args.adam_lr, betas=(0.9, 0.95), weight_decay=0.0)
    for group in muon.param_groups + adam.param_groups:
        group["initial_lr"] = group["lr"]
    return [muon, adam], list(zip(params, owners))


def average_gradients(owned):
    flat = torch.cat([p.grad.flatten() for p, _ in owned])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    flat *= min(1.0, 1.0 / (flat.norm().item() + 1e-6))
    for part, (p, _) in zip(flat.split([p.numel() for p, _ in owned]), owned):
        p.grad.copy_(part.view_as(p))


def share(owned):
    for p, owner in owned:
        dist.broadcast(p.data, owner)


def rate(progress, args):
    """Warm-up over 2 %, constant, then linear to zero."""
    return min(1.0, (progress + 1e-3) / 0.02, max(0.0, (1 - progress) / (1 - args.decay_from)))


def join(rank, args, port):
    """Make this process number `rank` of the group; one thread each."""
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=args.processes)


class Progress:
    """The share of training that is done, 0 to 1; the same in every process."""

    def __init__(self, args):
        self.args, self.began, self.step, self.value = args, time.time(), 0, torch.zeros(1)

    def done(self):
        return self.value.item()

    def seconds(self):
        return time.time() - self.began

    def advance(self):
        """Count a step. All must agree on the time, so the first process says how far we are."""
        self.step += 1
        self.value.fill_(max(self.step / self.args.steps, self.seconds() / 60 / self.args.minutes))
        dist.broadcast(self.value, 0)


def rows_of(sources, done, args):
    """This process's rows for the next step: names first, then all texts, longer ones at the end."""
    part, length = ("names", args.length // 2) if done < args.names_until else ("train", args.length)
    if done >= args.long_from:
        length *= 2
    return sources[part].send((args.tokens // args.processes // length, length))


def train_step(model, sources, opts, owned, done, args):
    """One step on this process's rows; returns their loss before it."""
    Linear.quantize = done >= args.quantize_from
    loss = loss_of(model, rows_of(sources, done, args))
    model.zero_grad()
    loss.backward()
    average_gradients(owned)
    for opt in opts:
        for group in opt.param_groups:
            group["lr"] = group["initial_lr"] * rate(done, args)
        opt.step()
    share(owned)
    return loss.item()


def save(model, step, path):
    torch.save({"config": dataclasses.asdict(model.cfg), "weights": model.state_dict(), "step": step}, path)


def run(rank, args, port):
    """What each process does; the first one also prints and saves."""
    join(rank, args, port)
    model = Llama(Config())
    opts, owned = optimizers(model, args, rank)
    held = np.load(f"{args.data}/heldout.npy")
    sources = {name: batches(np.load(f"{args.data}/{name}.npy"), args.seed, rank) for name in ("names", "train")}
    for source in sources.values():
        next(source)
    progress, recent = Progress(args), []
    while progress.done() < 1.0:
        recent.append(train_step(model, sources, opts, owned, progress.done(), args))
        progress.advance()
        if rank == 0 and progress.step % 25 == 0:
            print(f"step {progress.step} at {progress.seconds():.0f} s ({progress.done():.3f}): loss {np.mean(recent):.4f}", flush=True)
            recent = []
        if rank == 0 and progress.step % 200 == 0:
            save(model, progress.step, args.out)
            print(f"held-out loss {heldout_loss(model, held):.4f}", flush=True)
    if rank == 0:
        save(model, progress.step, args.out)
        Linear.quantize = False
        print(f"{progress.step} steps, {progress.seconds():.0f} s, held-out loss {heldout_loss(model, held, 32):.4f} nats a token", flush=True)
    dist.destroy_process_group()


def main():
    args = arguments()
    os.environ["OMP_NUM_THREADS"] = "1"
    port = random.SystemRandom().randrange(20000, 50000)
    mp.spawn(run, (args, port), args.processes)


if __name__ == "__main__":
    main()
