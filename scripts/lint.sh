#!/usr/bin/env bash
# gofmt, go vet and staticcheck over the module. Exit 1 on the first finding.
# A staticcheck that cannot be downloaded is reported and skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

staticcheck_module=honnef.co/go/tools@v0.8.2 # runs on Go 1.26
tool=$PWD/.r3f/bin/${staticcheck_module##*@}/staticcheck

dirs=$(go list -f '{{.Dir}}' ./...)
# shellcheck disable=SC2086 # one word per directory
unformatted=$(find $dirs -maxdepth 1 -name '*.go' -exec gofmt -l {} +)
if [ -n "$unformatted" ]; then
	printf 'lint: not formatted, run gofmt -w on:\n%s\n' "$unformatted" >&2
	exit 1
fi
go vet ./...

if [ ! -x "$tool" ]; then
	# Outside the module: the tool's dependencies are none of ours.
	if ! reason=$(cd / && go mod download "$staticcheck_module" 2>&1); then
		printf 'lint: staticcheck skipped, it cannot be downloaded: %s\n' "$reason" >&2
		exit 0
	fi
	(cd / && GOBIN=${tool%/*} go install "${staticcheck_module/@//cmd/staticcheck@}")
fi
"$tool" ./...
