#!/usr/bin/env bash
# Twice: the second run finds the first one's session.
set -euo pipefail
program=$1 work=$2
rm -rf "$work" && mkdir -p "$work" && cd "$work"
for url in file:files jsondir:logs; do
  "$program" "$url" | grep -qx 'trip-to-oslo: Is there a night train?, 2 messages'
  "$program" "$url" | grep -qx 'trip-to-oslo: Is there a night train?, 4 messages'
done
rm -rf "$work"
