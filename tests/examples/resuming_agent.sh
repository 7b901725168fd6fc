#!/usr/bin/env bash
# Killed in the middle of each step in turn, it ends with the same session as one never killed.
set -euo pipefail
program=$1 work=$2
rm -rf "$work" && mkdir -p "$work" && cd "$work"
for url in file:files jsondir:logs; do
  for step in 1 2 3 4; do
    if "$program" "$url" "bed-$step" --die-in-step "$step" >killed.txt 2>&1; then
      echo "was not killed" >&2
      exit 1
    fi
    "$program" "$url" "bed-$step" >resumed.txt
    grep -q "resumed; $((step - 1)) of 4 steps done, one call without its result" resumed.txt
    grep -q 'that call is recorded already' resumed.txt
    grep -q 'all 4 steps done' resumed.txt
    "$program" "$url" "bed-$step" | grep -q 'resumed; 4 of 4 steps done$'
  done
done
rm -rf "$work"
