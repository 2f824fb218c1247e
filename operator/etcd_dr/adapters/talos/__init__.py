"""Talos' machine API: one node at a time, over gRPC with the Ed25519 certificates that Talos uses.

Rules:
- Every node is dialled by its own address, without routing metadata: what another node's apid could forward is lost
  together with that node.
- Everything asynchronous stays in here (loop.py): callers see blocking calls with deadlines, like everywhere else.
- Every error of the library is translated into the one tree (failures.py), also inside streams.
"""
