"""Takes the bytes out of Talos' 1 KiB messages without making an object of each.

A snapshot of 300 MB comes in 300,000 messages (Talos: pkg/chunker), so what is done for one of them decides how fast
a snapshot is. The usual message is a tag, a length and the bytes; everything else goes through protobuf.
"""

from __future__ import annotations

from typing import Any

from grpclib.encoding.proto import ProtoCodec

from etcd_dr.adapters.talos.proto import common_pb2

_BYTES_TAG = 0x12  # field 2, length-delimited


class RawChunk:
    """Names the answer type of calls that stream `common.Data`; what arrives is bytes."""


class ForwardedError(Exception):
    """A node that passed the call on says that the other one failed."""


class RawChunkCodec(ProtoCodec):
    """Protobuf as usual, and `RawChunk` for chunks."""

    def decode(self, data: bytes, message_type: Any) -> Any:
        return chunk_of(data) if message_type is RawChunk else super().decode(data, message_type)


def chunk_of(data: bytes) -> bytes:
    """Return the bytes of one `common.Data`. Raises ForwardedError, and DecodeError for what is none."""
    size = len(data)
    if size > 2 and data[0] == _BYTES_TAG:
        low = data[1]
        if low < 0x80:
            if size == 2 + low:
                return data[2:]
        elif data[2] < 0x80 and size == 3 + (low & 0x7F | data[2] << 7):
            return data[3:]
    return _parsed(data)


def _parsed(data: bytes) -> bytes:
    message = common_pb2.Data.FromString(data)
    if message.metadata.error:
        raise ForwardedError(message.metadata.error)
    return message.bytes
