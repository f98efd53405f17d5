#!/bin/sh
# Takes Signet off this host: sudo sh uninstall.sh
#   --purge           also what is known of the wearer: vault, key, settings, for ever
#   --prefix DIR      where the program is (/opt/signet)
#   --root DIR        everything is below DIR, as it was installed with --root
# Without --purge the vault, its key and the settings stay, and a later installation finds them.

die() {
  echo "uninstall: $*" >&2
  exit 1
}

read_options() {
  prefix=/opt/signet root='' purge=''
  while [ $# -gt 0 ]; do
    case $1 in
      --purge) purge=yes && shift && continue ;;
      --prefix | --root) [ $# -gt 1 ] || die "$1: expected a value, got none" ;;
      *) die "expected --purge, --prefix DIR or --root DIR, got $1" ;;
    esac
    case $1 in --prefix) prefix=$2 ;; --root) root=$2 ;; esac
    shift 2
  done
  case $prefix in /?*) ;; *) die "--prefix: expected an absolute path other than /, got $prefix" ;; esac
  # As install.sh takes them.
  case $prefix in *[!A-Za-z0-9/._-]*) die "--prefix: expected letters, digits and /._-, got $prefix" ;; esac
  case $root in '' | /?*) ;; *) die "--root: expected an absolute path other than /, got $root" ;; esac
  # //, /. and /opt/.. are / too, and so is a link that leads there.
  prefix=$(realpath -ms -- "$prefix")
  [ "$prefix" != / ] || die "--prefix: expected an absolute path other than /, got /"
  [ -z "$root" ] || root=$(realpath -m -- "$root")
  [ "$root" != / ] || die "--root: expected an absolute path other than /, got /"
  [ -n "$root" ] || [ "$(id -u)" = 0 ] || die "expected root (sudo sh uninstall.sh)"
}

stop() {
  [ -z "$root" ] || return 0
  systemctl disable --now --quiet signet.service 2>/dev/null || true
}

# The key first and by the product's own hand, so that a copy of the vault elsewhere is of no use either.
erase() {
  signet=$root$prefix/current/venv/bin/signet
  [ ! -x "$signet" ] ||
    SIGNET_STATE_DIR=$root/var/lib/signet SIGNET_KEY_FILE=$root/etc/signet/keys/signet.key \
      "$signet" vault erase --yes >/dev/null 2>&1 || true
  rm -rf "$root/var/lib/signet" "$root/etc/signet"
}

remove() {
  rm -f "$root/etc/systemd/system/signet.service" "$root/etc/udev/rules.d/70-signet.rules"
  # Only if it is ours: another signet may have been put there since.
  ! grep -qsF "$prefix/current/venv/bin/signet" "$root/usr/local/bin/signet" || rm -f "$root/usr/local/bin/signet"
  rm -rf "$root$prefix/releases" "$root$prefix/current"
  rmdir "$root$prefix" 2>/dev/null || true
}

forget() {
  [ -z "$root" ] || return 0
  systemctl daemon-reload || true
  ! command -v udevadm >/dev/null || udevadm control --reload || true
  [ -z "$purge" ] || userdel signet 2>/dev/null || true
}

main() {
  set -eu
  read_options "$@"
  stop
  [ -z "$purge" ] || erase
  remove
  forget
  if [ -n "$purge" ]; then
    echo "Signet is gone, and with it the vault, its key and the settings."
  elif [ -d "$root/var/lib/signet" ] || [ -d "$root/etc/signet" ]; then
    echo "Signet is gone. Kept: $root/var/lib/signet (vault), $root/etc/signet (its key, settings); --purge erases them."
  else
    echo "Signet is gone."
  fi
}

main "$@"
