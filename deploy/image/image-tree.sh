#!/bin/sh
# Lays what the image adds to its base into DIRECTORY: sh image-tree.sh DIRECTORY. The same steps as in the Dockerfile.
set -eu
[ $# -eq 1 ] || { echo "usage: sh image-tree.sh DIRECTORY" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${PYTHON:-}" ]; then
  . "$here/../../tests/tools/python.sh"
  export PYTHON="$python"
fi
mkdir -p "$1"
sh "$here/python-tree.sh" "$1/etcd-dr"
if command -v go >/dev/null 2>&1; then
  sh "$here/etcd-programs.sh" "$1/etcd" ${ETCD_MINORS:-3.5 3.6 3.7}
else
  echo "image-tree.sh: Go is not installed: etcd's programs are left out" >&2
fi
