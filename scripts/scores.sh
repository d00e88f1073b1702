#!/usr/bin/env bash
# Dev scores over seeds against PyTorch: what docs/scores.jsonl lacks is run (hours), and the table in docs/results.md written.
# PYTHON names an interpreter with torch, transformers and safetensors; DATA the GLUE directory.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if ! "$python" -c 'import torch, transformers, safetensors' 2>/dev/null; then
	echo "scores: $python has no torch, transformers and safetensors: give PYTHON=/path/to/python that has them" >&2
	exit 2
fi
exec "$python" scripts/scores.py --data "${DATA:-../shared/data/glue}" "$@"
