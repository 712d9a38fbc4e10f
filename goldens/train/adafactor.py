"""Golden values of `ilab-kernels/src/adafactor.rs`: three steps of Adafactor on a matrix and on a vector.

Run: python goldens/train/adafactor.py     (torch==2.15.0, transformers==4.57.6)
"""

import torch
from transformers.optimization import Adafactor

for shape in [(2, 3), (6,)]:
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0, 0.5, 0.25, -0.125]).reshape(shape))
    optimiser = Adafactor([weight], lr=0.1, scale_parameter=False, relative_step=False, warmup_init=False)
    for step in range(1, 4):
        gradient = [((index * 7 + step * 5) % 11 - 5.0) * 0.1 for index in range(6)]
        weight.grad = torch.tensor(gradient).reshape(shape)
        optimiser.step()
    print(shape, weight.detach().flatten().tolist())
