"""Goldens of the tasks package, made by other programs: scikit-learn and SciPy for metrics.jsonl, the project's PyTorch
reference reader for glue.jsonl (row counts and SHA-256 of the rows; no data).

    pip install numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
    python generate.py metrics
    python generate.py glue GLUE_FOLDER r3f_reference.py
"""
import hashlib, json, os, struct, sys


def metrics():
    import numpy as np
    from scipy import stats
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    rng = np.random.default_rng(20)
    cases = []
    for n, k, skill in [(1, 2, 1.0), (2, 2, 0.0), (7, 2, 0.5), (40, 2, 0.3), (200, 2, 0.8), (60, 2, -0.5), (30, 3, 0.0),
                        (50, 3, 0.6), (80, 5, 0.4), (9, 7, 0.2), (25, 4, 1.0)]:
        gold = rng.integers(0, k, n)
        wrong = (gold + 1) % k if skill < 0 else rng.integers(0, k, n)
        pred = np.where(rng.random(n) < abs(skill), gold if skill > 0 else wrong, rng.integers(0, k, n))
        want = {"accuracy": accuracy_score(gold, pred), "matthews": matthews_corrcoef(gold, pred),
                "macro_f1": f1_score(gold, pred, average="macro", zero_division=0)}
        if k == 2:
            want["f1"] = f1_score(gold, pred, zero_division=0)
        cases.append({"gold": gold.tolist(), "pred": pred.tolist(), "want": want})
    for n, noise, digits in [(2, 1.0, 6), (3, 1.0, 6), (10, 0.1, 6), (50, 1.0, 1), (200, 2.0, 0), (40, 100.0, 3)]:
        gold = np.round(rng.uniform(0, 5, n), digits)
        pred = np.round(gold + noise * rng.standard_normal(n), digits)
        cases.append({"targets": gold.tolist(), "scores": pred.tolist(),
                      "want": {"pearson": stats.pearsonr(pred, gold)[0], "spearman": stats.spearmanr(pred, gold)[0]}})
    return cases


def glue(data, reference):
    source = open(reference, encoding="utf-8").read()  # its table and its reader; the rest of it needs PyTorch
    scope = {"os": os}
    exec(source[source.index("TASKS = {"):source.index("def symmetric_kl")], scope)
    out = []
    for task in scope["TASKS"]:
        for split in ("train", "dev"):
            rows, labels = scope["read"](task, data, split)
            h = hashlib.sha256()
            for text, pair, y in rows:
                h.update(f"{text}\0{'' if pair is None else pair}\0".encode())
                h.update(struct.pack("<q", y) if labels else struct.pack("<d", y))
            out.append({"task": task, "split": split, "rows": len(rows), "sha256": h.hexdigest()})
    return out


if __name__ == "__main__":
    lines = {"metrics": metrics, "glue": glue}[sys.argv[1]](*sys.argv[2:])
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), sys.argv[1] + ".jsonl"), "w") as f:
        f.writelines(json.dumps(line) + "\n" for line in lines)
