#!/bin/sh
# The signet command of this host: the vault, the key, the settings and the user of the service.
set -eu
export SIGNET_STATE_DIR=/var/lib/signet
export SIGNET_KEY_FILE=/etc/signet/keys/signet.key
export SIGNET_CONFIG=/etc/signet/signet.toml
signet=@PREFIX@/current/venv/bin/signet
[ "$(id -u)" = 0 ] || exec "$signet" "$@"
# As root it would write files into the vault that the service cannot open.
exec setpriv --reuid signet --regid signet --init-groups --inh-caps=-all "$signet" "$@"
