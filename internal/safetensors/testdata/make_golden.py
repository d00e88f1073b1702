"""Writes golden.safetensors with the official Python library and golden.json
with what NumPy reads in it. Run: python make_golden.py
Needs safetensors 0.8.0, numpy 2.4.6, ml_dtypes 0.6.0.
"""
import json
import os

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

os.chdir(os.path.dirname(os.path.abspath(__file__)))
inf, nan = np.inf, np.nan
edge = [0.0, -0.0, 1.0, -1.5, 1 / 3, 65504.0, 6.1e-5, 5.96e-8, -2.1e-6, inf, -inf, nan]
tensors = {
    "f64": np.array(edge + [1e-300, 3.4e38], np.float64),
    "f32": np.array(edge + [1e-45, 3.4e38], np.float32).reshape(2, 7),
    "f16": np.array(edge, np.float16).reshape(3, 2, 2),
    "bf16": np.array(edge, np.float32).astype(ml_dtypes.bfloat16).reshape(2, 6),
    "i64": np.array([0, -1, 2**63 - 1, -(2**63)], np.int64),
    "i32": np.array([[0, -1], [2**31 - 1, -(2**31)]], np.int32),
    "i16": np.array([0, -1, 2**15 - 1, -(2**15), 7], np.int16),
    "i8": np.array([0, -1, 127, -128, 5], np.int8),
    "u8": np.array([0, 1, 255], np.uint8),
    "bool": np.array([True, False, True]),
    "scalar": np.array(2.5, np.float32),
    "empty": np.zeros((0, 3), np.float32),
    'odd "name" <&> \\ ä 語\n': np.array([1.0], np.float32),
    "b.second": np.array([2.0], np.float32),
    "a.first": np.array([1.0], np.float32),
}
save_file(tensors, "golden.safetensors", metadata={"format": "pt <ä>"})

expected = []
for name, a in tensors.items():
    e = {"name": name, "shape": list(a.shape)}
    if a.dtype.kind in "fV" or a.dtype == ml_dtypes.bfloat16:
        e["float32_bits"] = a.astype(np.float32).ravel().view(np.uint32).tolist()
    else:
        e["int64"] = [str(v) for v in a.astype(np.int64).ravel().tolist()]
    expected.append(e)
with open("golden.json", "w") as f:
    f.write("[\n" + ",\n".join(json.dumps(e, ensure_ascii=False) for e in expected) + "\n]\n")
