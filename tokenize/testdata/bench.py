"""Tokens a second here and with Hugging Face tokenizers, in alternation.

    pip install tokenizers==0.23.3
    python bench.py TEXTS TOKENIZER_JSON [DIR]

TEXTS has a text a line. Both sides, freshly started, encode all of them as one
batch with special tokens (Hugging Face's encode_batch_fast, which leaves offsets
out), five times in turn, with one thread and with all. DIR is the tokenizer that
is read here where it is not TOKENIZER_JSON. Prints medians and their ratio.
"""

import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

texts, tokenizer_json = sys.argv[1:3]
if len(sys.argv) == 4 and sys.argv[3] == "--one":
    from tokenizers import Tokenizer

    lines = pathlib.Path(texts).read_text(encoding="utf-8").split("\n")[:-1]
    tok = Tokenizer.from_file(tokenizer_json)
    tok.no_truncation()
    tok.no_padding()
    start = time.perf_counter()
    encodings = tok.encode_batch_fast(lines)
    seconds = time.perf_counter() - start
    print(sum(len(e.ids) for e in encodings) / seconds)
    sys.exit()

here = pathlib.Path(__file__).parent
directory = os.path.abspath(sys.argv[3] if len(sys.argv) > 3 else tokenizer_json)
with tempfile.TemporaryDirectory() as temporary:
    binary = os.path.join(temporary, "tokenize.test")
    subprocess.run(["go", "test", "-c", "-o", binary, "."], cwd=here.parent, check=True)

    def ours(threads):
        out = subprocess.run([binary, "-test.run=^$", "-test.bench=EncodeAll$", "-test.benchtime=1x", f"-test.cpu={threads}", "-tokenizer", directory,
                              "-bench-texts", os.path.abspath(texts)], capture_output=True, text=True, check=True, cwd=here.parent).stdout
        return float(re.search(r"([\d.e+]+) tokens/s", out)[1])

    def theirs(threads):
        environment = os.environ | {"RAYON_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false"}
        return float(subprocess.run([sys.executable, __file__, texts, tokenizer_json, "--one"], capture_output=True, text=True, check=True, env=environment).stdout)

    for threads in (1, os.cpu_count()):
        rounds = [(ours(threads), theirs(threads)) for _ in range(5)]
        a, b = (statistics.median(side) for side in zip(*rounds))
        ratio = statistics.median(x / y for x, y in rounds)
        print(f"{threads} threads: {a:,.0f} tokens/s here, {b:,.0f} with Hugging Face tokenizers; ratio {ratio:.2f}")
