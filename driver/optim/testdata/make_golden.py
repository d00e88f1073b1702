"""Five updates by torch.optim.AdamW (fused) and its learning rates by LambdaLR, for the tests. Needs torch only.

    python make_golden.py > golden.json
"""
import json
import math
import torch

torch.manual_seed(0)
N, STEPS = 30, 5


def case(betas, eps, decay, rates, scale):
    p = torch.nn.Parameter(torch.randn(N))
    start = p.detach().tolist()
    opt = torch.optim.AdamW([p], lr=1.0, betas=betas, eps=eps, weight_decay=decay, fused=True)
    steps = []
    for lr in rates:
        g = torch.randn(N) * torch.logspace(-12, 3, N)
        g[::7] = 0
        opt.param_groups[0]["lr"] = lr
        p.grad = g * torch.tensor(scale)
        opt.step()
        state = opt.state[p]
        steps.append({"lr": lr, "g": g.tolist(), "p": p.detach().tolist(), "m": state["exp_avg"].tolist(), "v": state["exp_avg_sq"].tolist()})
    return {"beta1": betas[0], "beta2": betas[1], "eps": eps, "weight_decay": decay, "scale": scale, "start": start, "steps": steps}


def schedule(step, total, warmup):  # as r3f_reference.py
    return step / max(1, warmup) if step < warmup else max(0.0, (total - step) / max(1, total - warmup))


def cosine(step, total, warmup):  # as transformers.get_cosine_schedule_with_warmup
    return step / max(1, warmup) if step < warmup else max(0.0, 0.5 * (1.0 + math.cos(math.pi * (step - warmup) / max(1, total - warmup))))


runs = [(1, 0), (10, 0), (10, 3), (100, 6), (5, 5), (5, 9)]
print(json.dumps({
    "adamw": [
        case((0.9, 0.98), 1e-6, 0.01, [1e-5, 2e-5, 3e-5, 2e-5, 1e-5], 1.0),
        case((0.9, 0.98), 1e-6, 0.0, [1e-3] * STEPS, 1.0),
        case((0.9, 0.999), 1e-8, 0.1, [1e-2, 5e-3, 1e-3, 1e-4, 0.0], 0.25),
        case((0.0, 0.5), 1e-3, 0.3, [0.1] * STEPS, 1.0),
    ],
    "schedules": [{"total": t, "warmup": w, "linear": [schedule(s + 1, t, w) for s in range(t)], "cosine": [cosine(s + 1, t, w) for s in range(t)]}
                  for t, w in runs],
    "warmup": [{"share": s, "total": t, "steps": int(s * t)} for s in (0.0, 0.06, 0.1, 0.29, 0.999) for t in (1, 100, 3120, 123873)],
}))
