#!/bin/sh
# Lays the command and the libraries it needs into TREE, a virtual environment: sh python-tree.sh TREE
#
#   1. the wheel is built from this checkout, with the build backend that build.lock names
#   2. requirements.lock is installed, wheels only, every one checked against its hash
#   3. byte code is made now, because nothing can be written at run time; its validity does not hang on file times
#
# The environment has no pip of its own and keeps the metadata of every package, for an SBOM. PYTHON names the interpreter.
set -eu
[ $# -eq 1 ] || { echo "usage: sh python-tree.sh TREE" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
tree=$1
[ ! -e "$tree" ] || { echo "python-tree.sh: $tree is already there; remove it, or name another" >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"${PYTHON:-python3}" -m venv "$scratch/build"
pip() { "$scratch/build/bin/python" -m pip --quiet --disable-pip-version-check --no-input "$@"; }

pip install --require-hashes --only-binary :all: --requirement "$here/build.lock"
pip wheel --no-deps --no-build-isolation --wheel-dir "$scratch/wheel" "$here/../.."

"${PYTHON:-python3}" -m venv --without-pip "$tree"
pip --python "$tree/bin/python" install --no-compile --require-hashes --only-binary :all: --requirement "$here/requirements.lock"
# By name rather than by file: otherwise the metadata would remember this scratch directory.
pip --python "$tree/bin/python" install --no-compile --no-deps --no-index --find-links "$scratch/wheel" etcd-dr
"$tree/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$tree/lib"
