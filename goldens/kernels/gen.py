"""Golden values for the quantised rows of `ilab-kernels`: Q8_0 blocks as gguf-py writes them, NF4 as bitsandbytes reads.

Run: python goldens/kernels/gen.py     (gguf==0.19.0, bitsandbytes==0.50.2, torch==2.15.0, numpy)
Writes: goldens/kernels/quantised.txt, one list a line: its name, then its values

The input is `(i * 7919 % 1013 - 506) / 400` for i in 0..128, exact in both languages up to one rounding to f32.
"""

import pathlib

import bitsandbytes.functional as bnb
import numpy as np
import torch
from gguf.constants import GGMLQuantizationType
from gguf.quants import quantize

values = np.array([(i * 7919 % 1013 - 506) / 400 for i in range(128)], dtype=np.float32)
q8 = quantize(values.reshape(1, -1), GGMLQuantizationType.Q8_0).reshape(-1)
codes, state = bnb.quantize_4bit(torch.from_numpy(values), blocksize=64, quant_type="nf4")
nf4 = bnb.dequantize_4bit(codes, state).reshape(-1)
levels = bnb.get_4bit_type("nf4", device="cpu")
lines = [
    "q8_0 " + " ".join(str(byte) for byte in q8.tolist()),
    "nf4_levels " + " ".join(f"{level:.9g}" for level in levels.tolist()),
    "nf4 " + " ".join(f"{value:.9g}" for value in nf4.tolist()),
]
(pathlib.Path(__file__).parent / "quantised.txt").write_text("\n".join(lines) + "\n")
