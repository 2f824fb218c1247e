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
# --universal: one lock for every platform and for every Python from 3.11. No addresses of indexes enter the files.
resolve() { uv pip compile --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-header --quiet "$@"; }
resolve pyproject.toml --group test --output-file "$lock" "$@"
# The image takes the same versions: what runs, and apart from it what builds the wheel.
image=deploy/image
resolve pyproject.toml --constraints "$lock" --no-annotate --output-file $image/requirements.lock --upgrade
# editables is what hatchling asks for where a checkout is installed in place, as `make demo` does.
{ echo editables; python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")'; } |
  resolve - --constraints "$lock" --no-annotate --output-file $image/build.lock --upgrade
# What only the tests of the chart need, outside .venv.
resolve - --constraints "$lock" --no-annotate --output-file tests/tools/kubernetes-validate.lock --upgrade <<END
kubernetes-validate>=1.37
END
echo "make: $lock, $image/requirements.lock and $image/build.lock are resolved; install the first with: make test" >&2
