"""Compare r3f-ort with PyTorch (testdata/golden/r3f_reference.py) in alternation and print ratios.

Called by scripts/bench.sh. Every pair runs back to back, so a machine whose speed drifts changes both sides.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile

REFERENCE = "testdata/golden/r3f_reference.py"
MODEL = ".r3f/models/minilm"


def last_json(command):
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True).stdout
    return json.loads("{" + out.rsplit("\n{", 1)[-1].lstrip("{"))


def ours_step(a):
    return last_json(["bin/r3f-ort", "bench", "--model", MODEL, "--batch-size", "16", "--length", "128", "--steps", str(a.steps),
                      "--method", "r3f", "--dropout", "0.1", "--threads", str(a.threads), "--json"])


def torch_step(a):
    return last_json([sys.executable, REFERENCE, "bench", "--model", MODEL, "--batch", "16", "--length", "128", "--steps", str(a.steps),
                      "--method", "r3f", "--dropout", "0.1", "--threads", str(a.threads)])


def ours_epoch(a):
    with tempfile.TemporaryDirectory() as run:
        r = last_json(["bin/r3f-ort", "train", "--model", MODEL, "--task", "rte", "--data", a.data, "--method", "r3f", "--epochs", "1", "--batch-size", "16",
                       "--lr", "2e-5", "--dropout", "0.1", "--threads", str(a.threads), "--out", os.path.join(run, "run"), "--json"])
    return r["seconds"]


def torch_epoch(a):
    command = [sys.executable, REFERENCE, "train", "--model", MODEL, "--task", "rte", "--data", a.data, "--method", "r3f", "--epochs", "1", "--batch", "16",
               "--lr", "2e-5", "--threads", str(a.threads)]
    out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True).stdout
    return json.loads(out.splitlines()[0])["train_seconds"]


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--data", default=None)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--epoch-rounds", type=int, default=1)
    p.add_argument("--steps", type=int, default=5)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    a = p.parse_args()
    speed, memory, ours = [], [], None
    for i in range(a.rounds):
        ours, theirs = ours_step(a), torch_step(a)
        speed.append(theirs["median_step_seconds"] / ours["median_step_seconds"])
        memory.append(ours["peak_rss_mb"] / theirs["peak_rss_mb"])
        print(f"R3F step 16×128, round {i + 1}: r3f-ort {ours['median_step_seconds']:.2f} s {ours['peak_rss_mb']:.0f} MB, "
              f"PyTorch {theirs['median_step_seconds']:.2f} s {theirs['peak_rss_mb']:.0f} MB", flush=True)
    print(f"examples a second, r3f-ort / PyTorch: {statistics.median(speed):.2f} (min {min(speed):.2f}, max {max(speed):.2f})")
    print(f"peak memory, r3f-ort / PyTorch:       {statistics.median(memory):.2f}")
    print("profile of our step, seconds:", json.dumps(ours["profile"]))
    if not a.data or not os.path.isdir(a.data):
        print(f"no GLUE data at {a.data}: the RTE epoch is not compared; set DATA")
        return
    ratios = []
    for i in range(a.epoch_rounds):
        o, t = ours_epoch(a), torch_epoch(a)
        ratios.append(t / o)
        print(f"RTE epoch with R3F, round {i + 1}: r3f-ort {o:.0f} s (length buckets), PyTorch {t:.0f} s (random batches)", flush=True)
    print(f"RTE epoch, r3f-ort / PyTorch: {statistics.median(ratios):.2f}")


main()
