#!/usr/bin/env bash
# Our R3F step and epoch against PyTorch's, in alternation on this machine with the same threads.
# PYTHON names an interpreter with torch, transformers and safetensors; DATA the GLUE directory.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if ! "$python" -c 'import torch, transformers, safetensors' 2>/dev/null; then
	echo "bench: $python has no torch, transformers and safetensors; measuring r3f-ort alone." >&2
	echo "bench: for the comparison: python3 -m venv /tmp/torch && /tmp/torch/bin/pip install torch transformers safetensors, then PYTHON=/tmp/torch/bin/python make bench" >&2
	exec bin/r3f-ort bench --model .r3f/models/minilm --batch-size 16 --length 128 --steps 5 --method r3f --dropout 0.1 --json
fi
exec "$python" scripts/bench.py --data "${DATA:-../shared/data/glue}" "$@"
