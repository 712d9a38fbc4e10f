"""Products of PyTorch in bf16, as one JSON object of GFLOP/s: the peer of `ilab-kernels/examples/speed`.

Run: python checks/peers/matmul.py [--threads 2]     (see checks/peers.txt)
"""

import argparse
import json
import time

import torch

SHAPES = [(1024, 1024, 1024), (2048, 2048, 2048), (2048, 768, 768), (2048, 768, 2048), (2048, 2048, 768), (2048, 768, 32000)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(parser.parse_args().threads)
    rates = {}
    for m, k, n in SHAPES:
        left, right = torch.randn(m, k).bfloat16(), torch.randn(n, k).bfloat16()
        fastest = float("inf")
        for _ in range(12):
            started = time.perf_counter()
            left @ right.T
            fastest = min(fastest, time.perf_counter() - started)
        rates[f"[{m}, {k}] x [{k}, {n}]"] = 2 * m * k * n / fastest / 1e9
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
