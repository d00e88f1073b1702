"""A training step of artifacts from Python, on one thread: what BenchmarkStep of driver/trainapi does from Go.

    python step.py ARTIFACTS BATCH STEPS        # onnxruntime-training-cpu==1.19.2, onnx==1.16.2, numpy<2
"""
import json, sys, time
import numpy as np
import onnx
import onnxruntime
from onnxruntime.training.api import CheckpointState, Module, Optimizer

d, B, T, n = sys.argv[1], int(sys.argv[2]), 32, int(sys.argv[3])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
state = CheckpointState.load_checkpoint(d + "/checkpoint")
module = Module(d + "/training_model.onnx", state, d + "/eval_model.onnx", session_options=options)
optimizer = Optimizer(d + "/optimizer_model.onnx", module)
manifest = json.load(open(d + "/r3f.json"))
model, roles = manifest["model"], {v: k for k, v in manifest["inputs"].items() if isinstance(v, str)}
r = np.random.default_rng(0)
values = {
    "input_ids": r.integers(model["vocab_size"] // 2, model["vocab_size"], (B, T)), "attention_mask": np.ones((B, T), np.int64),
    "token_type_ids": np.zeros((B, T), np.int64), "noise": np.zeros((B, T, model["hidden_size"]), np.float32),
    "labels": np.zeros(B, np.int64),
}
for i in onnx.load(d + "/training_model.onnx").graph.input:
    if roles.get(i.name) in ("lambda", "share"):
        values[roles[i.name]] = np.ones([1] * len(i.type.tensor_type.shape.dim), np.float32)
feeds = [values[roles[name]] for name in module.input_names()]
module.train()
optimizer.set_learning_rate(2e-5)
wall, cpu = [], []
for _ in range(n + 1):
    w, c = time.perf_counter(), time.process_time()
    module(*feeds)
    optimizer.step()
    module.lazy_reset_grad()
    wall.append(time.perf_counter() - w)
    cpu.append(time.process_time() - c)
print(json.dumps({"wall_s": float(np.median(wall[1:])), "cpu_s": sum(cpu[1:]) / n}))
