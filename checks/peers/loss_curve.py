"""A small Llama and 200 steps of data in a folder, and the losses of PyTorch in f32 on them, as one JSON object.

Run: python checks/peers/loss_curve.py --folder DIR [--threads 2] [--steps 200]     (see checks/peers.txt)

The tokens follow a fixed random table of successors, so that there is something to learn in 200 steps. The same folder is
trained on by `ilab-train/examples/loss_curve.rs`.
"""

import argparse
import json
import math
import pathlib

import torch
from transformers import LlamaConfig, LlamaForCausalLM

VOCABULARY, SAMPLES, LENGTH, RATE = 4096, 8, 128, 1e-3


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=200)
    return parser.parse_args()


def data(n):
    """Every token has four possible successors."""
    successors = torch.randint(0, VOCABULARY, (VOCABULARY, 4))
    tokens = torch.randint(0, VOCABULARY, (n,))
    columns = [tokens]
    for _ in range(LENGTH - 1):
        tokens = successors[tokens, torch.randint(0, 4, (n,))]
        columns.append(tokens)
    return torch.stack(columns, dim=1)


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=384, intermediate_size=1024, num_hidden_layers=6, num_attention_heads=6,
        num_key_value_heads=2, max_position_embeddings=LENGTH, tie_word_embeddings=False, use_cache=False,
    ))
    model.save_pretrained(args.folder)
    samples = data(args.steps * SAMPLES)
    with open(args.folder / "data.jsonl", "w", encoding="utf-8") as file:
        for sample in samples.tolist():
            file.write(json.dumps({"input_ids": sample, "labels": sample, "len": len(sample)}) + "\n")
    decayed = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    others = [parameter for parameter in model.parameters() if parameter.dim() == 1]
    optimiser = torch.optim.AdamW(
        [dict(params=decayed, weight_decay=0.1), dict(params=others, weight_decay=0.0)],
        lr=RATE, betas=(0.9, 0.95), eps=1e-8)
    losses = []
    for step, batch in enumerate(samples.split(SAMPLES)):
        for group in optimiser.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / args.steps))
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    print(json.dumps({"losses": losses, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
