"""What the exported files score in llama.cpp: `python score.py --models DIR --text heldout.txt`.

Perplexity per format over a text file, the distribution after "The cat sat on the", greedy
loops, and samples. With `--tokenizer` it first checks that llama.cpp's ids equal SentencePiece's.
"""

import argparse
import random
from pathlib import Path

import llama_cpp
import numpy as np
import sentencepiece

import tokenizer
from corpus.facts import fact

PROMPTS = ["Once upon a time", "The cat sat on the", "The wheel went round", "The little ball went up the hill and down the hill."]
QUESTIONS = ["Hello!", "What does a cow say?", "What is two plus three?", "Which day comes after Friday?", "What is the opposite of hot?", "Name three birds.", "Tell me a story about a fox."]


def load(path, context=512):
    return llama_cpp.Llama(str(path), n_ctx=context, n_batch=context, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False)


def log_softmax(logits):
    logits = logits.astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def logits(model, ids):
    """Logits after each of `ids`: `positions x vocab`."""
    model.reset()
    model.eval(ids)
    return np.array(model.scores[: len(ids)])


def perplexity(model, text, length=512):
    """exp of the mean loss over chunks of `length` tokens that each begin with `<s>`; a chunk's
    every token but that one is scored, knowing the tokens of its chunk that come before it."""
    ids = model.tokenize(text.encode(), add_bos=False, special=False)
    losses = []
    for start in range(0, len(ids), length - 1):
        chunk = [model.token_bos(), *ids[start : start + length - 1]]
        scores = log_softmax(logits(model, chunk[:-1]))
        losses.append(-scores[np.arange(len(chunk) - 1), chunk[1:]])
    losses = np.concatenate(losses)
    return float(np.exp(losses.mean())), len(losses)


def generate(model, prompt, temperature, seed, limit=220, special=False):
    """Text from the model; temperature 0 is greedy."""
    ids = model.tokenize(prompt.encode(), add_bos=True, special=special)
    rng = np.random.default_rng(seed)
    new = []
    model.reset()
    model.eval(ids)
    while len(new) < limit:
        last = np.array(model.scores[model.n_tokens - 1], dtype=np.float64)
        token = int(last.argmax()) if temperature == 0 else pick(last / temperature, rng)
        if token in (model.token_eos(), model.tokenize(b"<|im_end|>", add_bos=False, special=True)[-1]):
            break
        new.append(token)
        model.eval([token])
    return model.detokenize(new, prev_tokens=ids).decode(errors="replace")


def pick(scores, rng):
    odds = np.exp(log_softmax(scores))
    return int(rng.choice(len(odds), p=odds / odds.sum()))


def ask(model, question, temperature=0.0, seed=1):
    prompt = f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
    return generate(model, prompt, temperature, seed, special=True)


def right_answers(model):
    """How many of the facts the model answers word for word, greedily, and how many there are."""
    rng = random.Random(0)
    pairs = {question: answer for question, answer in (fact(rng) for _ in range(3000)) if not question.startswith("Name")}
    return sum(ask(model, question).strip() == answer for question, answer in pairs.items()), len(pairs)


def show_distribution(model, prompt, count=12):
    ids = model.tokenize(prompt.encode(), add_bos=True)
    scores = log_softmax(logits(model, ids)[-1])
    for token in scores.argsort()[::-1][:count]:
        piece = model.detokenize([int(token)], prev_tokens=ids).decode(errors="replace")
        print(f"  {np.exp(scores[token]):7.2%} {piece!r}")


def check_tokenizer(model, path, text):
    """llama.cpp must read every line of `text` as SentencePiece does."""
    reference = sentencepiece.SentencePieceProcessor(model_file=path)
    chat = "<|im_start|>user\nHello, 3 caf\u00e9s!  Two  spaces.<|im_end|>\n<|im_start|>assistant\n"
    for line in [*text.split("\n\n"), chat, "\U0001f426 a bird", " x", "\n"]:
        found = model.tokenize(line.encode(), add_bos=False, special=True)
        expected = tokenizer.encode(reference, line)
        if found != expected:
            raise SystemExit(f"ids differ for {line!r}:\n{found}\n{expected}")
    print("token ids agree with SentencePiece")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--tokenizer")
    parser.add_argument("--samples", type=int, default=3)
    args = parser.parse_args()
    text = args.text.read_text(encoding="utf-8")
    for path in sorted(args.models.glob("*.gguf")):
        value, count = perplexity(load(path), text)
        print(f"{path.name}: {path.stat().st_size} bytes, perplexity {value:.4f} over {count} tokens", flush=True)
    model = load(next(args.models.glob("*Q4_K_M.gguf")))
    if args.tokenizer:
        check_tokenizer(model, args.tokenizer, text)
    print("after 'The cat sat on the':")
    show_distribution(model, "The cat sat on the")
    for prompt in PROMPTS:
        print(f"greedy: {prompt}{generate(model, prompt, 0, 0, 80)}")
        print(f"temperature 0.8: {prompt}{generate(model, prompt, 0.8, 1, 80)}")
    print("facts answered right: {} of {}".format(*right_answers(model)))
    for question in QUESTIONS:
        print(f"{question} -> {ask(model, question)}")
    for seed in range(args.samples):
        print(f"--- sample, seed {seed}\nOnce upon a time{generate(model, 'Once upon a time', 0.8, seed)}")


if __name__ == "__main__":
    main()
