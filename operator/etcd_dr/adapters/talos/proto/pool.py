"""The descriptor pool that our generated modules register in, instead of protobuf's process-wide one.

Talos' packages are called `common`, `machine` and `time`: names that anybody's stubs may register process-wide too,
and a second registration of one name with another content ends the import ("duplicate symbol").
"""

from __future__ import annotations

from google.protobuf.descriptor_pool import DescriptorPool

_POOL = DescriptorPool()


def Default() -> DescriptorPool:  # noqa: N802 - the name that generated modules call
    """Return the private pool."""
    return _POOL
