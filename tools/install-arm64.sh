#!/usr/bin/env bash
# install-arm64.sh: Python 3.11 of Debian 12 for arm64 and qemu to run it here, unpacked into .cache/arm64 (110 MB).
# The test of the host bundle runs the bundle's own wheels in it. Nothing is installed on this machine, and nobody
# has to be root. Does nothing when it is there and whole. CI calls it.
set -euo pipefail
cd "$(dirname "$0")/.."
packages="python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libc6 libgcc-s1 libstdc++6 libcrypt1
  zlib1g libbz2-1.0 liblzma5 libffi8 libexpat1 libssl3 libsqlite3-0 libuuid1"
home=$PWD/.cache/arm64
wanted=$(sha256sum < tools/install-arm64.sh)
if [ "$(cat "$home/made-by" 2>/dev/null)" = "$wanted" ] && (cd "$home" && sha256sum --status -c SHA256SUMS); then
  exit 0
fi
fail() {
  echo "arm64: $1; the host bundle is then not tried on arm64" >&2
  exit 1
}
for program in apt-get dpkg-deb; do
  command -v "$program" >/dev/null || fail "$program is missing (this needs Debian 12's package sources)"
done
rm -rf "$home"
mkdir -p "$home"/apt/{state/lists/partial,cache/archives/partial} "$home"/debs "$home"/root
touch "$home/apt/status"
# This machine's own sources and keys, with a list of packages apart from its own.
options="-q -o Dir::State=$home/apt/state -o Dir::State::status=$home/apt/status -o Dir::Cache=$home/apt/cache
  -o APT::Sandbox::User=$(id -un) -o APT::Architectures::=arm64 -o APT::Architectures::=$(dpkg --print-architecture)"
echo "Unpacking Debian's Python for arm64 into .cache/arm64, once ..." >&2
log=$home/apt/log
# shellcheck disable=SC2086 # a list of words each
apt-get $options update >"$log" 2>&1 || fail "no lists of packages: $(tail -n 1 "$log")"
# shellcheck disable=SC2086
(cd "$home/debs" && apt-get $options download $(printf '%s:arm64 ' $packages) qemu-user-static) >"$log" 2>&1 ||
  fail "no packages: $(tail -n 1 "$log")"
for deb in "$home"/debs/*_arm64.deb; do
  dpkg-deb -x "$deb" "$home/root"
done
dpkg-deb --fsys-tarfile "$home"/debs/qemu-user-static_*.deb | tar -x -C "$home" --strip-components=3 ./usr/bin/qemu-aarch64-static
rm -rf "$home/apt" "$home/debs" "$home"/root/usr/share/{doc,man,locale}
(cd "$home" && find root qemu-aarch64-static -type f -print0 | sort -z | xargs -0 sha256sum > SHA256SUMS)
echo "$wanted" > "$home/made-by"
"$home/qemu-aarch64-static" -L "$home/root" "$home/root/usr/bin/python3.11" -c 'import ctypes, sqlite3, ssl, lzma' ||
  { rm -rf "$home"; fail "what was unpacked does not run"; }
