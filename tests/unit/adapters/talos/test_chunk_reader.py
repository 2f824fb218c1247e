"""Messages are cut out of a stream of bytes wherever its pieces end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from etcd_dr.adapters.talos.chunk_reader import BrokenFraming, MessageCutter


def framed(messages: list[bytes]) -> bytes:
    return b"".join(b"\0" + len(message).to_bytes(4, "big") + message for message in messages)


@given(some.lists(some.binary(max_size=40), max_size=20), some.lists(some.integers(1, 30), min_size=1, max_size=8))
def test_pieces_of_any_size_give_the_same_messages(messages: list[bytes], sizes: list[int]) -> None:
    """A header may be torn as well."""
    body, cutter, found, at, turn = framed(messages), MessageCutter(), [], 0, 0
    while at < len(body):
        size = sizes[turn % len(sizes)]
        found += cutter.cut(body[at : at + size])
        at, turn = at + size, turn + 1

    cutter.finish()

    assert found == messages


def test_end_within_a_message_is_told() -> None:
    """A stream that breaks off is no whole one."""
    cutter = MessageCutter()
    cutter.cut(framed([b"abc"])[:-1])

    with pytest.raises(BrokenFraming):
        cutter.finish()


@pytest.mark.parametrize("head", [b"\1\0\0\0\1x", b"\0\xff\xff\xff\xffx"])
def test_what_is_no_message_is_refused(head: bytes) -> None:
    """Compressed, or larger than any that Talos sends."""
    with pytest.raises(BrokenFraming):
        MessageCutter().cut(head)
