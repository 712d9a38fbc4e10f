"""Trains a Llama of some size for a few steps with PyTorch and prints what it took, as one JSON object.

Run: python checks/peers/train.py --dtype bf16 [--steps 5] [--lora 8] ...     (see checks/peers.txt)

The same work as `cargo xtask bench train`: random tokens, every token learned (or a share of them), AdamW, clipping.
"""

import argparse
import json
import resource
import statistics
import time

import torch
from transformers import LlamaConfig, LlamaForCausalLM


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--dtype", choices=["f32", "bf16", "autocast"], default="f32")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--feed-forward", type=int, default=2048)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--kv-heads", type=int, default=12)
    parser.add_argument("--vocabulary", type=int, default=32000)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--masked", type=float, default=0.0, help="share of every sample that is not learned")
    parser.add_argument("--lora", type=int, default=0, help="rank; 0 trains everything")
    return parser.parse_args()


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=args.vocabulary, hidden_size=args.width, intermediate_size=args.feed_forward,
        num_hidden_layers=args.layers, num_attention_heads=args.heads, num_key_value_heads=args.kv_heads,
        max_position_embeddings=2048, tie_word_embeddings=False, use_cache=False,
    )
    dtype = torch.bfloat16 if args.dtype == "bf16" else torch.float32
    torch.set_default_dtype(dtype)
    model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    if args.lora:
        from peft import LoraConfig, get_peft_model

        targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
        model = get_peft_model(model, LoraConfig(r=args.lora, lora_alpha=32, lora_dropout=0.0, target_modules=targets))
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=1e-5, betas=(0.9, 0.95), weight_decay=0.0)
    ids = torch.randint(0, args.vocabulary, (args.samples, args.length))
    labels = ids.clone()
    labels[:, : int(args.length * args.masked)] = -100
    seconds, losses = [], []
    for _ in range(args.steps):
        started = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.dtype == "autocast"):
            loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        seconds.append(time.perf_counter() - started)
        losses.append(loss.item())
    usual = statistics.median(seconds[1:]) if len(seconds) > 1 else seconds[0]
    print(json.dumps({
        "tokens_per_second": args.samples * args.length / usual,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "seconds": seconds, "losses": losses, "torch": torch.__version__, "dtype": args.dtype,
    }))


if __name__ == "__main__":
    main()
