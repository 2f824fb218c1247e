#!/bin/sh
# Regenerates the checked-in gRPC stubs beside every .proto of ours, with the generator that pyproject.toml pins.
# The generator's version decides which protobuf runtime the stubs need at least, so it is not the newest one.
set -eu
. "$(dirname "$0")/python.sh"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch"
generator=$("$python" -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["stubs"])')
# grpcio-tools 1.66 still imports pkg_resources, which newer setuptools no longer carry.
"$scratch/bin/python" -m pip install --quiet $generator 'setuptools<80'
protos=$(find operator -name '*.proto')
[ -n "$protos" ] || { echo 'make: there are no .proto files' >&2; exit 1; }
# Talos is spoken to over grpclib, because grpcio cannot (docs/adr/0001); everything else over grpcio.
PATH=$scratch/bin:$PATH "$scratch/bin/python" -m grpc_tools.protoc -I operator \
  --python_out=operator --pyi_out=operator --grpclib_python_out=operator $(find operator -name '*.proto' -path '*/talos/*')
"$scratch/bin/python" -m grpc_tools.protoc -I operator \
  --python_out=operator --pyi_out=operator --grpc_python_out=operator $(find operator -name '*.proto' ! -path '*/talos/*')
# grpclib's generator writes a file for every .proto, also where there is no service.
find operator -name '*_grpc.py' -path '*/talos/*' -exec grep -L '^class' {} + | while read -r empty; do rm "$empty"; done
# A package that has a pool.py keeps its names out of protobuf's process-wide pool; that module says why.
for pool in $(find operator -name pool.py -path '*/proto/*'); do
  folder=$(dirname "$pool")
  package=$(echo "${folder#operator/}" | tr / .)
  sed -i "s/^from google.protobuf import descriptor_pool as/from $package import pool as/" "$folder"/*_pb2.py
done
echo "make: regenerated beside" $protos >&2
