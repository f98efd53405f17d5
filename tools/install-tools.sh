#!/usr/bin/env bash
# Debian and npm packages that the tests use: Node.js, the official MicroPython WebAssembly build, and qemu with a
# micro:bit in it.
# Does nothing when they are there. `make test` and CI call it.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq nodejs npm >/dev/null
  else
    echo "tools: Node.js is missing, so board code is not tested on MicroPython. Install it: apt-get install nodejs npm" >&2
    exit 0
  fi
fi
if [ ! -d sim/micropython/node_modules ]; then
  (cd sim/micropython && npm ci --silent --no-audit --no-fund)
fi
if ! command -v qemu-system-arm >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends qemu-system-arm >/dev/null
  else
    echo "tools: qemu-system-arm is missing, so the micro:bit is not tested. Install it: apt-get install qemu-system-arm" >&2
  fi
fi
