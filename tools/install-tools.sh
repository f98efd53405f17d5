#!/usr/bin/env bash
# Debian and npm packages that the tests use: Node.js, the official MicroPython WebAssembly build, qemu with a
# micro:bit in it, and systemd's own judgement of the service's unit.
# Does nothing when they are there. `make test` and CI call it; a test whose tool is missing says so and is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

# need PROGRAM PACKAGES WHY
need() {
  command -v "$1" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # shellcheck disable=SC2086 # a list of words
    apt-get update -qq && apt-get install -y -qq --no-install-recommends $2 >/dev/null
  else
    echo "tools: $1 is missing, so $3. Install it: apt-get install $2" >&2
  fi
}

need node "nodejs npm" "board code is not tested on MicroPython"
need npm npm "board code is not tested on MicroPython"
need qemu-system-arm qemu-system-arm "the micro:bit is not tested"
need systemd-analyze systemd "the service's unit is not judged"
if command -v npm >/dev/null && [ ! -d sim/micropython/node_modules ]; then
  (cd sim/micropython && npm ci --silent --no-audit --no-fund)
fi
