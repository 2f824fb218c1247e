"""Speaks etcd's gRPC API to one member at a time, over mutual TLS or plain HTTP.

The parts live together because they are one conversation: who may be spoken to and with what (`access`, `material`),
the connection (`channel`, `login`), the calls (`client`, `stream`; those that
change a cluster in `admin`), and what it means when they fail (`failures`,
`diagnosis`). `connector` puts them together. Stubs are our own (`proto`, docs/adr/0001).
"""

import os

# gRPC's C core writes lines of its own to standard error for every failed handshake. Each failure is translated into
# an error of ours that says more. The variable is read when grpc is loaded, hence here, before any module that does.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
