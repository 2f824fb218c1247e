#!/bin/sh
# Builds or renews a virtual environment from a lock: sh venv.sh DIRECTORY LOCK STAMP [BUILD-LOCK]
# BUILD-LOCK names the build backend, where LOCK does not.
set -eu
venv=$1 lock=$2 stamp=$3 build_lock=${4:-}
. "$(dirname "$0")/python.sh"

# Two makes at once: the second waits, finds the stamp fresh, and is done. (flock is part of util-linux.)
if [ "${ETCD_DR_VENV_HELD:-}" != 1 ] && command -v flock >/dev/null 2>&1; then
  mkdir -p "$venv"
  ETCD_DR_VENV_HELD=1 exec flock "$venv/.lock" sh "$0" "$@"
fi
[ -z "$(find "$stamp" -newer "$lock" 2>/dev/null)" ] || exit 0

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "make: $python cannot make virtual environments: its venv or ensurepip module is missing." >&2
    echo "      Install them first (Debian: apt-get install python3-venv)." >&2
    exit 1
  fi
  echo "make: building $venv with $("$python" --version)" >&2
  "$python" -m venv "$venv"
fi
echo "make: installing what $lock names (a minute the first time)" >&2
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock" \
  ${build_lock:+--requirement "$build_lock"}
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
touch "$stamp"
