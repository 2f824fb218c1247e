"""The short way out of a chunk message gives the same bytes as protobuf."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as some

from etcd_dr.adapters.talos.codec import ForwardedError, RawChunk, RawChunkCodec
from etcd_dr.adapters.talos.proto import common_pb2

CODEC = RawChunkCodec()


@pytest.mark.parametrize("size", [0, 1, 127, 128, 1024, 16383, 16384, 70_000])
def test_every_length_is_read(size: int) -> None:
    """Around the borders of the length's encoding."""
    body = bytes(range(256)) * (size // 256 + 1)

    assert CODEC.decode(common_pb2.Data(bytes=body[:size]).SerializeToString(), RawChunk) == body[:size]


def test_metadata_of_a_forwarding_node_is_skipped() -> None:
    """A node that passes a stream on puts its name in front."""
    message = common_pb2.Data(metadata=common_pb2.Metadata(hostname="10.0.0.2"), bytes=b"abc")

    assert CODEC.decode(message.SerializeToString(), RawChunk) == b"abc"


def test_error_of_a_forwarded_node_is_raised() -> None:
    """The call as a whole ends well, so this is the only place that tells."""
    message = common_pb2.Data(metadata=common_pb2.Metadata(error="rpc error"))

    with pytest.raises(ForwardedError):
        CODEC.decode(message.SerializeToString(), RawChunk)


@given(some.binary(max_size=300), some.binary(max_size=40))
def test_agrees_with_protobuf_on_anything(body: bytes, tail: bytes) -> None:
    """Whatever follows in a message, both read the same or both refuse."""
    data = common_pb2.Data(bytes=body).SerializeToString() + tail
    try:
        parsed = common_pb2.Data.FromString(data)
    except DecodeError:
        with pytest.raises(DecodeError):
            CODEC.decode(data, RawChunk)
        return
    if not parsed.metadata.error:
        assert CODEC.decode(data, RawChunk) == parsed.bytes
