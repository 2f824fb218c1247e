#!/bin/sh
# Resolves the locked versions: sh lock.sh LOCK [--upgrade]. Uses uv from PATH, else one in a scratch environment.
set -eu
lock=$1; shift
scratch=
trap '[ -z "$scratch" ] || rm -rf "$scratch"' EXIT
if ! uv --version >/dev/null 2>&1; then
  . "$(dirname "$0")/python.sh"
  scratch=$(mktemp -d)
  "$python" -m venv "$scratch"
  "$scratch/bin/python" -m pip install --quiet uv
  PATH=$scratch/bin:$PATH
fi
# --universal: one lock for every platform and for every Python from 3.11. No addresses of indexes enter the file.
uv pip compile pyproject.toml --group test --python-version 3.11 --universal --generate-hashes \
  --no-emit-index-url --no-header --quiet --output-file "$lock" "$@"
echo "make: $lock is resolved; install it with: make test" >&2
