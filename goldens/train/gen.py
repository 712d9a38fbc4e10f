"""Golden values for `ilab-train`: logits, loss, every gradient and ten AdamW steps of a tiny Llama.

Run: python goldens/train/gen.py     (torch==2.15.0, transformers==4.57.6, safetensors==0.8.0, numpy)
Writes: goldens/train/llama.safetensors

The weights are not stored: both sides compute them exactly from the same integers (`weight` below).
"""

import math
import pathlib

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

CONFIG = dict(
    vocab_size=48, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=6, rms_norm_eps=1e-5, rope_theta=10000.0, max_position_embeddings=64,
)
LLAMA3 = dict(rope_type="llama3", factor=4.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=16)
# Three samples of different lengths; the last element of a pair says from where on tokens are learned.
SAMPLES = [(9, 3), (5, 1), (12, 7)]


def weight(name, shape):
    """Exact in f32 on every machine: a hash of the index, scaled by a power of two."""
    seed = sum((index + 1) * byte for index, byte in enumerate(name.encode())) & 0xFFFFFFFF
    index = torch.arange(torch.Size(shape).numel(), dtype=torch.int64)
    hashed = ((index + 1) * 2654435761 + seed * 40503) & 0xFFFFFFFF
    hashed = ((hashed ^ (hashed >> 15)) * 2246822519) & 0xFFFFFFFF
    values = ((hashed >> 8).double() / 2**24 - 0.5).float()
    return (values * 0.5 if len(shape) > 1 else values * 0.25 + 1.0).reshape(shape)


def build(tied, rope_scaling):
    config = LlamaConfig(**CONFIG, tie_word_embeddings=tied, rope_scaling=rope_scaling)
    model = LlamaForCausalLM(config).float()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weight(name, parameter.shape))
    return model


def samples():
    for number, (length, first) in enumerate(SAMPLES):
        ids = torch.tensor([(7 * number + 5 * position * position + 3) % CONFIG["vocab_size"] for position in range(length)])
        labels = ids.clone()
        labels[:first] = -100
        yield ids, labels


def mean_loss(model):
    """Sum over all learned tokens of all samples, divided by their number: independent of any packing."""
    total, count = 0.0, 0
    for ids, labels in samples():
        logits = model(ids[None]).logits[0, :-1]
        total = total + torch.nn.functional.cross_entropy(logits, labels[1:], ignore_index=-100, reduction="sum")
        count += int((labels[1:] != -100).sum())
    return total / count


def main():
    golden = {}
    for case, tied, scaling in [("untied", False, None), ("tied", True, None), ("llama3", True, LLAMA3)]:
        model = build(tied, scaling)
        golden[f"{case}.logits"] = torch.cat([model(ids[None]).logits[0] for ids, _ in samples()]).detach()
        loss = mean_loss(model)
        loss.backward()
        golden[f"{case}.loss"] = loss.detach().reshape(1)
        for name, parameter in model.named_parameters():
            golden[f"{case}.gradient.{name}"] = parameter.grad.clone()

    model = build(True, None)
    decayed = [parameter for parameter in model.parameters() if parameter.dim() > 1]
    others = [parameter for parameter in model.parameters() if parameter.dim() == 1]
    optimiser = torch.optim.AdamW(
        [dict(params=decayed, weight_decay=0.1), dict(params=others, weight_decay=0.0)],
        lr=1.0, betas=(0.9, 0.95), eps=1e-8)
    losses, norms, rates = [], [], []
    for step in range(10):
        # A warm-up of one step, then a cosine over the nine that are left.
        lr = 0.01 if step < 1 else 0.01 * 0.5 * (1 + math.cos(math.pi * (step - 1) / 9))
        for group in optimiser.param_groups:
            group["lr"] = lr
        optimiser.zero_grad()
        loss = mean_loss(model)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0).item())
        optimiser.step()
        losses.append(loss.item())
        rates.append(lr)
    golden["steps.losses"] = torch.tensor(losses)
    golden["steps.norms"] = torch.tensor(norms)
    golden["steps.rates"] = torch.tensor(rates)
    for name, parameter in model.named_parameters():
        golden[f"steps.weight.{name}"] = parameter.detach().clone()
    save_file({name: tensor.contiguous() for name, tensor in golden.items()},
              pathlib.Path(__file__).with_name("llama.safetensors"))
    print(losses, norms)


if __name__ == "__main__":
    main()
