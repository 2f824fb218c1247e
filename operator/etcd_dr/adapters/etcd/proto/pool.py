"""The descriptor pool that our generated modules register in, instead of protobuf's process-wide one.

Every Python client of etcd registers `etcdserverpb` in the process-wide pool, and a second registration of one name
with another content ends the import ("duplicate symbol"). Ours are a subset under the same names, which the path of
a call demands. With a pool of their own they live beside any other client in one process.
"""

from __future__ import annotations

from google.protobuf.descriptor_pool import DescriptorPool

_POOL = DescriptorPool()


def Default() -> DescriptorPool:  # noqa: N802 - the name that generated modules call
    """Return the private pool."""
    return _POOL
