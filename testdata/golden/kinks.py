"""Writes kinks.json: gradients that PyTorch takes where a derivative does not exist, at ties and at bounds, of Σ dy·y
with dy = 1, 2, 3, …. Made with torch 2.15."""
import json
import pathlib

import torch

CASES = [  # operator, attributes, axes, operands, the same in PyTorch
    ("Abs", {}, None, [[-1.0, 0.0, 2.0]], torch.abs),
    ("Relu", {}, None, [[-1.0, 0.0, 2.0]], torch.relu),
    ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}, None, [[-4.0, -3.0, 0.0, 3.0, 4.0]], torch.nn.functional.hardsigmoid),
    ("Clip", {}, None, [[-2.0, -1.0, 0.0, 1.0, 2.0]], lambda x: torch.clamp(x, -1.0, 1.0)),  # at constant bounds
    ("Max", {}, None, [[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]], torch.maximum),
    ("Min", {}, None, [[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]], torch.minimum),
    ("ReduceMax", {"keepdims": 0}, [1], [[[1.0, 3.0, 3.0], [2.0, 2.0, 2.0], [0.0, 1.0, 5.0]]], lambda x: x.amax(1)),
    ("ReduceMin", {"keepdims": 0}, [1], [[[1.0, 3.0, 1.0], [2.0, 2.0, 2.0], [0.0, 1.0, 5.0]]], lambda x: x.amin(1)),
    ("ReduceL2", {"keepdims": 0}, [1], [[[0.0, 0.0], [3.0, 4.0]]], lambda x: torch.linalg.vector_norm(x, dim=1)),
    ("Pow", {}, None, [[0.0, 0.0, 2.0], [1.0, 2.0, 0.0]], torch.pow),
]
lines = []
for op, attrs, axes, operands, f in CASES:
    xs = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in operands]
    y = f(*xs)
    (y.flatten() * torch.arange(1, y.numel() + 1)).sum().backward()
    grads = [None if x.grad is None else x.grad.flatten().tolist() for x in xs]
    lines.append(json.dumps({"op": op, "attrs": attrs, "axes": axes, "shapes": [list(x.shape) for x in xs],
                             "operands": [x.detach().flatten().tolist() for x in xs], "gradients": grads}))
(pathlib.Path(__file__).parent / "kinks.json").write_text("[\n " + ",\n ".join(lines) + "\n]\n")
