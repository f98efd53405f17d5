#!/bin/sh
# Puts Signet on this host, without a network: sudo sh install.sh
#   --prefix DIR      where the program goes (/opt/signet)
#   --root DIR        try it: everything goes below DIR, no user is made, no service started, root is not needed
#   --python PROGRAM  which Python to use (python3.11, else python3)
# Again is fine, and so is over another version: the vault, its key and the settings stay as they are. Whatever
# goes wrong is one line, and the version that was there before is then still the one in force.

die() {
  echo "install: $*" >&2
  exit 1
}

read_options() {
  prefix=/opt/signet root='' python=''
  while [ $# -gt 0 ]; do
    case $1 in
      --prefix | --root | --python) [ $# -gt 1 ] || die "$1: expected a value, got none" ;;
      *) die "expected --prefix DIR, --root DIR or --python PROGRAM, got $1" ;;
    esac
    case $1 in --prefix) prefix=$2 ;; --root) root=$2 ;; --python) python=$2 ;; esac
    shift 2
  done
  case $prefix in /?*) ;; *) die "--prefix: expected an absolute path other than /, got $prefix" ;; esac
  # It is written into a unit and a script.
  case $prefix in *[!A-Za-z0-9/._-]*) die "--prefix: expected letters, digits and /._-, got $prefix" ;; esac
  case $root in '' | /?*) ;; *) die "--root: expected an absolute path other than /, got $root" ;; esac
  # //, /. and /opt/.. are / too, and so is a link that leads there.
  prefix=$(realpath -ms -- "$prefix")
  [ "$prefix" != / ] || die "--prefix: expected an absolute path other than /, got /"
  [ -z "$root" ] || root=$(realpath -m -- "$root")
  [ "$root" != / ] || die "--root: expected an absolute path other than /, got /"
}

check_copy() {
  command -v sha256sum >/dev/null || die "expected the program sha256sum, found none"
  [ -f "$here/SHA256SUMS" ] || die "expected SHA256SUMS beside this script, found none: unpack the archive anew"
  damaged=$(cd "$here" && LC_ALL=C sha256sum --strict -c SHA256SUMS 2>/dev/null | sed -n 's/: FAILED.*//p' | head -n 1)
  [ -z "$damaged" ] || die "$damaged is damaged: copy the archive anew and compare its hash"
  (cd "$here" && sha256sum --strict --status -c SHA256SUMS 2>/dev/null) || die "SHA256SUMS is damaged: copy the archive anew"
  # Checked just now: six plain assignments.
  . "$here/bundle.env"
}

# What there is of this machine against what the archive was made for; prints what is wrong, if anything.
misfit() {
  "$python" - "$MACHINE" "$PYTHON" "$GLIBC" "$root" <<'PY'
import os, platform, struct, sys
machine, python, glibc, root = sys.argv[1:]
def numbers(text):
    return [int(n) for n in text.split(".")[:2] if n.isdigit()] or [0]
libc, has = platform.libc_ver()
if platform.machine() != machine or struct.calcsize("P") != 8:
    bits = 8 * struct.calcsize("P")
    print(f"expected a 64-bit {machine} system, got {platform.machine()} with a {bits}-bit Python")
elif "%d.%d" % sys.version_info[:2] != python:
    print(f"expected Python {python} (Debian 12 has it), got {platform.python_version()}")
elif not root and os.path.realpath(sys.executable).startswith(("/root/", "/home/")):
    print(f"expected a Python that the service may see (--python /usr/bin/python3), got {sys.executable}")
elif libc != "glibc" or numbers(has) < numbers(glibc):
    print(f"expected glibc {glibc} or newer, got {libc or 'another libc'} {has}")
else:
    try:
        import ctypes, sqlite3, venv, zlib
    except ImportError as err:
        print(f"expected a whole Python (apt-get install python3), got one without {err.name}")
PY
}

check_host() {
  [ -n "$root" ] || [ "$(id -u)" = 0 ] || die "expected root (sudo sh install.sh), or --root DIR to try it"
  [ -n "$root" ] || command -v systemctl >/dev/null || die "expected systemd, found none"
  [ -n "$python" ] || python=$(command -v python3.11 || command -v python3) ||
    die "expected Python $PYTHON, found none: apt-get install python3"
  wrong=$(misfit 2>/dev/null) || die "expected a Python that runs, got $python"
  [ -z "$wrong" ] || die "$wrong"
}

check_room() {
  [ ! -e "$release/.done" ] || return 0
  there=$root$prefix
  while [ ! -d "$there" ]; do there=$(dirname "$there"); done
  free_kb=$(df -Pk "$there" | awk 'NR == 2 { print $4 }')
  [ "$free_kb" -ge "$NEED_KB" ] ||
    die "expected $((NEED_KB / 1000)) MB free in $there, got $((free_kb / 1000)) MB"
}

# The models open and the libraries load, on this very machine.
works() {
  "$release/venv/bin/python" -I -c '
import cryptography.hazmat.primitives.ciphers.aead, mcap.reader, serial
from firmware_host.inference.bundle import load_bundle, open_model
bundle = load_bundle()
for contract in (bundle.stress, bundle.gait):
    open_model(bundle, contract).run("reset")
' >>"$log" 2>&1
}

# pip comes in the archive and looks nowhere else; Debian's own may be missing.
fill_release() {
  pip=$(echo "$here"/wheels/pip-*.whl)/pip
  mkdir -p "$release/tmp" "$release/share" &&
    "$python" -m venv --without-pip "$release/venv" &&
    env -i PATH="$PATH" TMPDIR="$release/tmp" PIP_CONFIG_FILE=/dev/null \
      "$release/venv/bin/python" "$pip" install --no-index --find-links "$here/wheels" \
      --require-hashes --no-cache-dir --disable-pip-version-check --no-input -r "$here/requirements.txt" &&
    rm -rf "$release/tmp" &&
    cp "$here"/files/* "$here/uninstall.sh" "$release/share/"
} >>"$log" 2>&1

make_release() {
  log=/dev/null
  if [ -e "$release/.done" ] && works; then
    return 0
  fi
  log=$release/install.log
  rm -rf "$release"
  mkdir -p "$release" || die "cannot make $release"
  if ! fill_release || ! works; then
    # Python's own last word; after it on a full disk nothing may follow.
    why=$(grep -v '^ *$' "$log" 2>/dev/null | tail -n 1)
    rm -rf "$release"
    rmdir "$root$prefix/releases" "$root$prefix" 2>/dev/null || true
    die "could not install: ${why:-the disk is full?}"
  fi
  touch "$release/.done"
}

# Written beside and then renamed: a cut leaves the old file or the new one.
put() {
  mkdir -p "$(dirname "$root$2")"
  sed "s|@PREFIX@|$prefix|g" "$files/$1" >"$root$2.new"
  chmod "$3" "$root$2.new"
  mv -f "$root$2.new" "$root$2"
}

make_user() {
  [ -z "$root" ] || return 0
  getent passwd signet >/dev/null ||
    useradd --system --user-group --no-create-home --home-dir /var/lib/signet --shell /usr/sbin/nologin signet
  usermod -aG dialout signet
}

make_folders() {
  mkdir -p "$root/etc/signet/keys" "$root/var/lib/signet"
  chmod 0700 "$root/etc/signet/keys" "$root/var/lib/signet"
  [ -n "$root" ] || chown signet:signet /etc/signet/keys /var/lib/signet
}

put_files() {
  put signet.service /etc/systemd/system/signet.service 0644
  put 70-signet.rules /etc/udev/rules.d/70-signet.rules 0644
  put signet.sh /usr/local/bin/signet 0755
  # The wearer's own from then on.
  [ -e "$root/etc/signet/signet.toml" ] || put signet.toml /etc/signet/signet.toml 0644
}

point_to() {
  ln -sfn "$1" "$root$prefix/current.new"
  mv -fT "$root$prefix/current.new" "$root$prefix/current"
}

start() {
  [ -z "$root" ] || return 0
  systemctl daemon-reload
  # A host without udev or a board is no fault of the installation.
  if command -v udevadm >/dev/null; then
    udevadm control --reload && udevadm trigger --subsystem-match=tty || true
  fi
  systemctl enable --quiet signet.service
  systemctl restart signet.service || go_back
}

# The version before, with the files that came with it.
go_back() {
  [ -n "$before" ] && [ "$before" != "releases/$ID" ] && [ -d "$root$prefix/$before" ] ||
    die "installed, but the service does not start: journalctl -u signet"
  files=$root$prefix/$before/share
  put_files
  point_to "$before"
  systemctl daemon-reload && systemctl restart signet.service || true
  die "the service does not start with $VERSION (journalctl -u signet); the version before is in force again"
}

remove_old() {
  for old in "$root$prefix"/releases/*; do
    [ "$old" = "$release" ] || rm -rf "$old"
  done
}

main() {
  set -eu
  umask 022
  here=$(cd "$(dirname "$0")" && pwd -P)
  read_options "$@"
  check_copy
  check_host
  release=$root$prefix/releases/$ID
  check_room
  make_release
  make_user
  make_folders
  files=$here/files before=$(readlink "$root$prefix/current" || true)
  put_files
  point_to "releases/$ID"
  start
  remove_old
  echo "Signet $VERSION is installed in $root$prefix. The vault is $root/var/lib/signet, its key (from the first start on) in $root/etc/signet/keys:"
  echo "copy the key to another place, for without it nobody opens the vault again."
  [ -n "$root" ] || echo "Plug the board in and look: systemctl status signet, sudo signet status"
}

main "$@"
