"""Train the model on the packed token ids of `tokenizer.py`: `python train.py --data DIR --out FILE`.

Muon (PyTorch's own) moves the matrices of the layers, AdamW the embedding and the norms.
Each process works on its part of a batch and updates its share of the parameters, so that
`--processes 2` uses two cores without waiting at every operation. The learning rate is constant,
then falls to zero over the last part; four-bit rounding (see model.py) runs at the end of that.
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
    parser.add_argument("--data", required=True, help="folder of train.npy and heldout.npy")
    parser.add_argument("--out", required=True, help="checkpoint to write")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--minutes", type=float, default=1e9, help="finish the schedule by then, whatever the steps")
    parser.add_argument("--tokens", type=int, default=4096, help="tokens a step, over all processes")
    parser.add_argument("--length", type=int, default=256, help="positions a row; doubled at the end of training")
    parser.add_argument("--muon-lr", type=float, default=4e-3)
    parser.add_argument("--adam-lr", type=float, default=3e-3)
    parser.add_argument("--decay-from", type=float, default=0.55, help="share of training with constant rate")
    parser.add_argument("--quantize-from", type=float, default=0.80)
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
def heldout_loss(model, ids, rows=24, length=512):
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


def run(rank, args, port):
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=args.processes)
    cfg = Config()
    model = Llama(cfg)
    opts, owned = optimizers(model, args, rank)
    base = [opt.param_groups[0]["lr"] for opt in opts]
    ids, held = (np.load(f"{args.data}/{name}.npy") for name in ("train", "heldout"))
    source = batches(ids, args.seed, rank)
    next(source)
    if rank == 0:
        print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(ids)} training tokens", flush=True)
    began, step, progress, recent = time.time(), 0, torch.zeros(1), []
    while progress.item() < 1.0:
        done = progress.item()
        Linear.quantize = done >= args.quantize_from
        length = args.length * (1 if done < 0.85 else 2)
        for opt, lr in zip(opts, base):
            opt.param_groups[0]["lr"] = lr * rate(done, args)
        loss = loss_of(model, source.send((args.tokens // args.processes // length, length)))
        model.zero_grad()
        loss.backward()
        average_gradients(owned)
        for opt in opts:
            opt.step()
        share(owned)
        step += 1
        # All processes must agree on the time, so the first one says how far we are.
        progress.fill_(max(step / args.steps, (time.time() - began) / 60 / args.minutes))
        dist.broadcast(progress, 0)
        recent.append(loss.item())
        if rank == 0 and (step % 25 == 0 or progress.item() >= 1.0):
            line = f"step {step} at {time.time() - began:.0f} s ({progress.item():.3f}): loss {np.mean(recent):.4f}"
            recent = []
            if step % 100 == 0 or progress.item() >= 1.0:
                line += f", held-out {heldout_loss(model, held):.4f}"
                torch.save({"config": dataclasses.asdict(cfg), "weights": model.state_dict(), "step": step}, args.out)
            print(line, flush=True)
    if rank == 0:
        Linear.quantize = False
        print(f"final held-out loss {heldout_loss(model, held, 64):.4f} nats a token, {time.time() - began:.0f} s", flush=True)
    dist.destroy_process_group()


def main():
    args = arguments()
    os.environ["OMP_NUM_THREADS"] = "1"
    port = random.SystemRandom().randrange(20000, 50000)
    mp.spawn(run, (args, port), args.processes)


if __name__ == "__main__":
    main()
