#!/usr/bin/env bash
# Three sessions with one memory: what the first was told, the others know.
set -euo pipefail
program=$1 work=$2
rm -rf "$work" && mkdir -p "$work" && cd "$work"
for url in file:files jsondir:logs; do
  memory="memory-${url%%:*}.jsonl"
  printf 'remember: The harbour faces north.\nWhich way does the harbour face?\n' |
    "$program" "$url" "$memory" monday > out
  diff - out <<'END'
agent: 0 exchanges so far
agent: Noted as 1.
agent: The harbour faces north.
END
  printf 'Where is the harbour?\nAnd the lighthouse?\n' | "$program" "$url" "$memory" tuesday > out
  diff - out <<'END'
agent: 0 exchanges so far
agent: The harbour faces north.
agent: I do not know.
END
  "$program" "$url" "$memory" monday < /dev/null > out
  diff - out <<'END'
agent: 2 exchanges so far
END
  [ "$(stat -c %a "$memory")" = 600 ]
done
rm -rf "$work"
