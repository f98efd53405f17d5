#!/usr/bin/env bash
# make-venv.sh PYTHON FOLDER REQUIREMENT: a virtual environment with this project in it, made once.
set -euo pipefail
python=$1 folder=$2 requirement=$3
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || {
  echo "make: no Python called '$python'. Install Python 3.11, 3.12 or 3.13, or say which: make PYTHON=python3.12" >&2; exit 2; }
case $version in 3.11|3.12|3.13) ;; *)
  echo "make: '$python' is Python $version; Signet needs 3.11, 3.12 or 3.13: make PYTHON=python3.12" >&2; exit 2;; esac
echo "Installing $requirement into $folder (Python $version), once ..." >&2
"$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check -e "$requirement" \
  2> >(grep -v -e '^WARNING: Location' -e '^$' >&2)
touch "$folder/.done"
