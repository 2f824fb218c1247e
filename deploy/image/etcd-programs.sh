#!/bin/sh
# Builds etcd's programs into DIRECTORY/etcd-<minor>: sh etcd-programs.sh DIRECTORY MINOR...
#
# Each minor has a Go module of its own below etcd/, whose go.mod pins the release and whose go.sum the checksum of every
# source; nothing else is taken. GOARCH builds for another architecture. The same Go makes the same bytes.
# Every minor gets etcd (drills run it) and etcdutl (it restores); the last one named also etcdctl, for people.
set -eu
[ $# -ge 2 ] || { echo "usage: sh etcd-programs.sh DIRECTORY MINOR..." >&2; exit 2; }
mkdir -p "$1"
programs=$(cd "$1" && pwd)
modules=$(cd "$(dirname "$0")/etcd" && pwd)
shift
export CGO_ENABLED=0 GOFLAGS='-mod=readonly -trimpath -buildvcs=false' GOTOOLCHAIN=local

build() { go build -C "$modules/$minor" -ldflags '-s -w' -o "$programs/etcd-$minor/$1" "go.etcd.io/etcd/$2/v3"; }

for minor in "$@"; do
  [ -f "$modules/$minor/go.sum" ] || { echo "etcd-programs.sh: no pinned release of etcd $minor in $modules" >&2; exit 1; }
  build etcd server
  build etcdutl etcdutl
  last=$minor
done
minor=$last
build etcdctl etcdctl
