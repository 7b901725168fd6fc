#!/usr/bin/env bash
# The daemon greets each session once, remembers across restarts, and heals a malformed state.
set -euo pipefail
program=$1 work=$2
rm -rf "$work"

expect() {
  local wanted=$1 got=$2
  [[ $got == "$wanted" ]] && return
  printf 'wanted:\n%s\ngot:\n%s\n' "$wanted" "$got" >&2
  exit 1
}

expect $'started for the first time\nalice: welcome\nalice: go on\nstate: SLEEP' "$("$program" "$work" alice)"
expect $'started again\nbob: welcome\nbob: go on\ndigest: 1 sessions were served\nstate: SLEEP' \
  "$("$program" "$work" bob)"
# The next digest is due in eighteen hours.
expect $'started again\nstate: SLEEP' "$("$program" "$work")"

echo '{"fsm_state": "SL' > "$work/daemon/state.json"
got=$("$program" "$work")
[[ $got == 'malformed state put aside: '*$'\nstarted for the first time\nstate: SLEEP' ]] || { echo "$got" >&2; exit 1; }
[[ $(cat "$work"/daemon/state.json.quarantine-*) == '{"fsm_state": "SL' ]]
