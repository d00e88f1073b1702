#!/usr/bin/env bash
# Runs every fuzz target of the module for FUZZTIME (20s) each.
# Exit 1 at the first failure; go test then names the input that it saved.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Not a pipe: go test would read the list meant for the loop.
targets=$(go test -list '^Fuzz' ./... | awk '
	/^Fuzz/ { names[++n] = $1 }
	/^ok/   { for (i = 1; i <= n; i++) print $2, names[i]; n = 0 }')
while read -r package target; do
	printf 'fuzz: %s %s\n' "$package" "$target"
	# Making inputs smaller would take the whole time where the first are files of some kilobytes.
	go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-20s}" -fuzzminimizetime 1s "$package"
done <<<"$targets"
