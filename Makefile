# r3f-ort: every target a person needs. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

FUZZTIME ?= 20s
TIMEOUT  := 15m

# Packages that need no cgo: all but the engines and the program.
PURE = $$(go list ./... | grep -vE '/(cmd|driver/stock|driver/trainapi)(/|$$)')

.PHONY: help setup setup-training build test unit race lint demo bench scores fuzz fault clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## fetch ONNX Runtime and MiniLM into .r3f/ (hashes checked), build bin/r3f-ort
	@scripts/setup.sh

setup-training: ## fetch ONNX Runtime 1.19.2 with the training API into .r3f/, for --engine training-api
	@scripts/setup.sh training

build: ## build bin/r3f-ort only
	go build -trimpath -o bin/r3f-ort ./cmd/r3f-ort

test: ## set-up, static checks, and all tests, also under the race detector
	@$(MAKE) --no-print-directory setup
	@case "$$(uname -sm)" in "Linux x86_64") $(MAKE) --no-print-directory setup-training ;; esac
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory unit
	@$(MAKE) --no-print-directory race

unit: ## all tests, nothing else
	go test -timeout $(TIMEOUT) ./...

race: ## short tests of the packages without cgo under the race detector
	go test -race -short -timeout $(TIMEOUT) $(PURE)

lint: ## gofmt, go vet (with and without cgo), staticcheck
	@scripts/lint.sh
	CGO_ENABLED=0 go vet $(PURE)

demo: setup ## fine-tune MiniLM with R3F on the embedded data set
	@scripts/demo.sh

bench: setup ## our step and epoch against PyTorch, in alternation
	@scripts/bench.sh

scores: setup ## dev scores over seeds, ours and PyTorch's, into docs/results.md (hours)
	@scripts/scores.sh

fuzz: ## run every fuzz target for FUZZTIME (20s)
	@FUZZTIME=$(FUZZTIME) scripts/fuzz.sh

fault: setup ## crashes, damages, full disks and leaks in their long form (make test runs a short one)
	go test -count=1 -timeout 90m -v -run '^TestFault' ./driver ./driver/stock -long

clean: ## remove bin/; .r3f/ (downloads) and runs/ stay
	rm -rf bin
