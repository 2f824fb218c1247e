#!/bin/sh
# Pins a release of etcd for the image: sh pin-etcd.sh 3.6.16. Go checks what it fetches against the public checksum log.
set -eu
[ $# -eq 1 ] || { echo "usage: sh pin-etcd.sh MAJOR.MINOR.PATCH" >&2; exit 2; }
module=$(dirname "$0")/etcd/${1%.*}
mkdir -p "$module"
cd "$module"
rm -f go.mod go.sum
go mod init "etcd-dr.invalid/etcd-${1%.*}"
go mod edit -go=1.24 # raised by what is fetched, where that needs more
for program in server etcdctl etcdutl; do set -- "$@" "go.etcd.io/etcd/$program/v3@v$1"; done
shift
go get "$@"
# Every source that a build reads, for each architecture, and no more.
for architecture in amd64 arm64; do
  GOOS=linux GOARCH=$architecture go list -deps go.etcd.io/etcd/server/v3 go.etcd.io/etcd/etcdctl/v3 go.etcd.io/etcd/etcdutl/v3 >/dev/null
done
