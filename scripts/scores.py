"""Dev scores over seeds, r3f-ort against PyTorch (testdata/golden/r3f_reference.py): runs what docs/scores.jsonl lacks, then
writes the table of docs/results.md from it. Called by scripts/scores.sh; without --data it writes the table alone.

A line of docs/scores.jsonl is one run: who made it, task, method, seed, and its scores after the last epoch.
"""
import argparse, json, os, statistics, subprocess, sys

SCORES, RESULTS, RUNS = "docs/scores.jsonl", "docs/results.md", "runs/scores"
REFERENCE, MODEL = "testdata/golden/r3f_reference.py", ".r3f/models/minilm"
OURS, THEIRS = "r3f-ort", "PyTorch"
CELLS = [("cola", "standard"), ("cola", "r3f"), ("mrpc", "standard"), ("mrpc", "r3f"), ("sts-b", "standard")]
METRICS = {"cola": ["matthews"], "mrpc": ["accuracy", "f1"], "sts-b": ["pearson"]}
BEGIN, END = "<!-- make scores writes this table -->\n", "<!-- end of the table -->"
HEAD = ["task, metric", "method", "r3f-ort, by seed", "mean ± s.d.", "PyTorch, by seed", "mean ± s.d.", "difference of means, in s.d. of a seed"]


def settings(a, task, method, seed):
    return ["--model", MODEL, "--task", task, "--data", a.data, "--method", method, "--epochs", "3", "--lr", "1e-4",
            "--seed", str(seed), "--threads", str(a.threads)]


def output(command):
    run = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if run.returncode:  # it said why on stderr
        sys.exit(f"scores: exit code {run.returncode} of: {' '.join(command)}\nFinished runs are in {SCORES}; the next call goes on after them.")
    return run.stdout


def ours(a, task, method, seed):
    run = ["--batch-size", "16", "--out", f"{RUNS}/{task}-{method}-{seed}", "--overwrite", "--json"]
    return json.loads(output(["bin/r3f-ort", "train", *settings(a, task, method, seed), *run]))["metrics"]


def theirs(a, task, method, seed):
    lines = output([sys.executable, REFERENCE, "train", *settings(a, task, method, seed), "--batch", "16", "--bucket"]).splitlines()
    dev = json.loads(lines[-2])["dev"]  # the last line is timings
    return {"matthews" if name == "mcc" else name: value for name, value in dev.items()}


def by_seed(scores, who, task, method, metric):
    return {s["seed"]: s["metrics"][metric] for s in scores
            if (s["by"], s["task"], s["method"]) == (who, task, method) and metric in s["metrics"]}


def columns(runs):
    listed = ", ".join(f"{runs[seed]:.4f}" if seed in runs else "–" for seed in range(1, max(runs, default=0) + 1))
    values = list(runs.values())
    return [listed, f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""]


def row(scores, task, method, metric):
    o, t = (by_seed(scores, who, task, method, metric) for who in (OURS, THEIRS))
    return [f"{task}, {metric}", method, *columns(o), *columns(t), difference(list(o.values()), list(t.values()))]


def difference(o, t):
    """The difference of the means in standard deviations of one run, which both sides estimate together."""
    if len(o) < 2 or len(t) < 2:
        return ""
    squares = statistics.variance(o) * (len(o) - 1) + statistics.variance(t) * (len(t) - 1)
    return f"{(statistics.mean(o) - statistics.mean(t)) / (squares / (len(o) + len(t) - 2)) ** 0.5:+.2f}"


def table(scores):
    rows = [HEAD, ["---"] * len(HEAD)] + [row(scores, *cell, metric) for cell in CELLS for metric in METRICS[cell[0]]]
    return "".join("| " + " | ".join(r) + " |\n" for r in rows)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data", help="directory of the GLUE folders")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    a = p.parse_args()
    with open(SCORES) as f:
        scores = [json.loads(line) for line in f]
    done = {(s["by"], s["task"], s["method"], s["seed"]) for s in scores}
    wanted = [(who, *cell, seed) for seed in range(1, a.seeds + 1) for cell in CELLS for who in (OURS, THEIRS)]
    for who, task, method, seed in wanted if a.data else ():
        if (who, task, method, seed) in done:
            continue
        metrics = (ours if who == OURS else theirs)(a, task, method, seed)
        scores.append({"by": who, "task": task, "method": method, "seed": seed, "metrics": metrics})
        print(json.dumps(scores[-1]), flush=True)
        with open(SCORES, "a") as f:
            f.write(json.dumps(scores[-1]) + "\n")
    with open(RESULTS) as f:
        before, rest = f.read().split(BEGIN)
    with open(RESULTS + ".tmp", "w") as f:
        f.write(before + BEGIN + "\n" + table(scores) + "\n" + END + rest.split(END)[1])
    os.replace(RESULTS + ".tmp", RESULTS)


main()
