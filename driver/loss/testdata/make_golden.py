"""Losses and gradients by PyTorch's autograd in float64, for TestGolden. Needs torch only.

    python make_golden.py > golden.json
"""
import json
import torch
import torch.nn.functional as F


def symmetric_kl(a, b):  # as r3f_reference.py, in float64
    la, lb = F.log_softmax(a, -1), F.log_softmax(b, -1)
    return ((la.exp() - lb.exp()) * (la - lb)).sum() / a.shape[0]


def case(name, method, rows, classes, lam, noise, scale=3.0, stop=False, term=""):
    regression = classes == 1
    passes = 1 if method == "standard" or (regression and term != "mse" and method != "rdrop") else 2
    clean = (torch.randn(rows, classes) * scale).float()
    second = (clean + torch.randn(rows, classes) * noise).float()
    logits = torch.cat([clean, second][:passes]).double().requires_grad_()
    y = (torch.rand(rows) * 5).double() if regression else torch.randint(0, classes, (rows,))
    task_loss = (lambda lo: F.mse_loss(lo.squeeze(-1), y)) if regression else (lambda lo: F.cross_entropy(lo, y))
    a, b = logits[:rows], logits[rows:]
    task, term_value = task_loss(a), torch.zeros((), dtype=torch.float64)
    if method == "rdrop":
        task = task + task_loss(b)
    if passes == 2:
        target = a.detach() if stop else a
        if not regression:
            term_value = symmetric_kl(target, b) * (0.5 if method == "rdrop" else 1)
        elif term == "mse":
            term_value = F.mse_loss(target, b)
    loss = task + lam * term_value
    loss.backward()
    return {"name": name, "method": method, "classes": classes, "lambda": lam, "stop_gradient": stop, "regression": regression,
            "regression_term": term, "labels": None if regression else y.tolist(), "targets": y.tolist() if regression else None,
            "logits": logits.detach().flatten().tolist(), "loss": loss.item(), "task": task.item(),
            "regulariser": term_value.item(), "dlogits": logits.grad.flatten().tolist()}


torch.manual_seed(0)
print(json.dumps([
    case("standard", "standard", 4, 3, 1.0, 0),
    case("r3f", "r3f", 4, 3, 0.7, 0.5),
    case("r3f, tiny noise", "r3f", 4, 2, 5.0, 1e-4),
    case("r3f, wide logits", "r3f", 3, 4, 1.0, 20.0, scale=30.0),
    case("r3f, target held", "r3f", 4, 3, 0.7, 0.5, stop=True),
    case("r4f", "r4f", 2, 5, 0.1, 1.0),
    case("rdrop", "rdrop", 4, 3, 4.0, 0.5),
    case("standard regression", "standard", 4, 1, 1.0, 0),
    case("r3f regression", "r3f", 4, 1, 1.0, 0.5),
    case("r3f regression, mse", "r3f", 4, 1, 0.7, 0.5, term="mse"),
    case("r3f regression, mse, target held", "r3f", 4, 1, 0.7, 0.5, term="mse", stop=True),
    case("rdrop regression", "rdrop", 4, 1, 2.0, 0.5),
    case("rdrop regression, mse", "rdrop", 4, 1, 2.0, 0.5, term="mse"),
], indent=1))
