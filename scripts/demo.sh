#!/usr/bin/env bash
# The main job on the embedded data set: fine-tune MiniLM with R3F, and by the standard method to compare, then
# route three new messages with the exported model.
set -euo pipefail
cd "$(dirname "$0")/.."

data=testdata/demo
out=${DEMO_OUT:-runs/demo}
bin=bin/r3f-ort

train() { # method
	"$bin" train --model .r3f/models/minilm --train $data/train.tsv --dev $data/dev.tsv --method "$1" \
		--epochs 4 --batch-size 16 --lr 1.5e-4 --max-length 64 --seed 1 --out "$out/$1" --overwrite --json >"$out/$1.json"
}
accuracy() { # method
	sed -n 's/.*"accuracy": *\([0-9.]*\).*/\1/p' "$out/$1.json" | head -n 1
}

mkdir -p "$out"
echo "Routing customer messages to the right desk (six desks; see $data/README.md)."
echo
echo "1/3  R3F"
train r3f
echo
echo "2/3  standard fine-tuning"
train standard
echo
echo "3/3  three new messages, routed by the exported R3F model"
"$bin" predict --model "$out/r3f/model" <$data/predict.jsonl >"$out/predictions.jsonl"
paste -d '\t' \
	<(sed 's/.*"label":"\([^"]*\)","score":\([0-9.]\{1,4\}\).*/     \1 (\2)/' "$out/predictions.jsonl") \
	<(sed 's/.*"text": "\(.*\)"}/\1/' $data/predict.jsonl)
echo
echo "dev accuracy, R3F                  $(accuracy r3f)"
echo "dev accuracy, standard fine-tuning $(accuracy standard)"
echo "exported model                     $out/r3f/model/model.onnx"
