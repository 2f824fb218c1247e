"""What a snapshot stream must be before a byte of it counts."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etcd_dr.domain.stream_check import CheckedStream, StreamCheck
from etcd_dr.errors import StreamBroken
from fakes.etcd_database import EtcdDatabase

DATA = EtcdDatabase.of_keys(50).to_bytes()
TRAILER = hashlib.sha256(DATA).digest()

Messages = list[tuple[bytes, int | None]]


def announced(data: bytes = DATA, *, size: int = 4096, trailer: bytes = TRAILER) -> Messages:
    """Return a stream as etcd sends it."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    sent, messages = 0, []
    for piece in pieces:
        sent += len(piece)
        messages.append((piece, len(data) - sent))
    return [*messages, (trailer, 0)] if trailer else messages


def run(messages: Messages) -> CheckedStream:
    check = StreamCheck(subject="https://m1:2379")
    for blob, remaining in messages:
        data = check.admit(blob, remaining)
        if data:
            check.digest(data)
    return check.finish()


def refusal(messages: Messages) -> str:
    with pytest.raises(StreamBroken) as raised:
        run(messages)
    assert raised.value.subject == "https://m1:2379"
    return raised.value.message


def test_whole_stream_gives_both_digests() -> None:
    """The plain digest is that of the file with its trailer, the trailer's that of the data."""
    checked = run(announced())

    assert checked.data_bytes == len(DATA)
    assert checked.file_bytes == len(DATA) + 32
    assert checked.trailer_digest.hex == TRAILER.hex()
    assert checked.plain_digest.hex == hashlib.sha256(DATA + TRAILER).hexdigest()


@given(size=st.integers(1, 40_000))
def test_messages_may_have_any_size(size: int) -> None:
    """Where messages are cut says nothing, with announcements or without."""
    expected = hashlib.sha256(DATA + TRAILER).hexdigest()
    whole = DATA + TRAILER

    with_counts = run(announced(size=size))
    without = run([(whole[at : at + size], None) for at in range(0, len(whole), size)])

    assert with_counts.plain_digest.hex == expected
    assert without.plain_digest.hex == expected


@given(cut=st.integers(0, len(DATA) + 31))
def test_every_truncation_is_refused(cut: int) -> None:
    """A stream that ends early with OK is never whole, wherever it ends."""
    whole, kept, messages = DATA + TRAILER, 0, []
    for blob, remaining in announced():
        piece = blob[: max(0, cut - kept)]
        kept += len(blob)
        if piece:
            messages.append((piece, None if remaining is None else remaining))
    del whole

    refusal(messages)


@given(cut=st.integers(0, len(DATA) + 31))
def test_every_truncation_of_an_unannounced_stream_is_refused(cut: int) -> None:
    """Where nothing was announced, the trailer tells."""
    refusal([((DATA + TRAILER)[:cut], None)])


@given(at=st.integers(0, len(DATA) + 31), bit=st.integers(0, 7))
def test_every_flipped_bit_is_refused(at: int, bit: int) -> None:
    """Data or trailer: one bit is enough."""
    whole = bytearray(DATA + TRAILER)
    whole[at] ^= 1 << bit

    refusal(announced(bytes(whole[:-32]), trailer=bytes(whole[-32:])))


def test_empty_message_with_bytes_to_come_ends_the_stream() -> None:
    """etcd sends them for ever when it cannot read its database; one is enough."""
    messages = announced()

    assert "cannot read its database" in refusal([*messages[:3], (b"", 1000), *messages[3:]])


def test_empty_message_at_the_end_is_harmless() -> None:
    """Nothing to come and nothing in it: some servers say so before the trailer."""
    messages = announced()

    assert run([*messages[:-1], (b"", 0), messages[-1]]).data_bytes == len(DATA)


def test_empty_messages_without_end_are_refused() -> None:
    """Also after the trailer, where nothing is missing any more."""
    assert "without end" in refusal([*announced(), *[(b"", 0)] * 200])


@pytest.mark.parametrize("off_by", [-4096, -1, 1, 4096])
def test_announcement_that_disagrees_with_the_count_is_refused(off_by: int) -> None:
    """From the second message on, what is still to come must be what the first one promised."""
    messages = announced()
    blob, remaining = messages[5]
    assert remaining is not None
    messages[5] = (blob, remaining + off_by)

    assert "by the count" in refusal(messages)


def test_more_than_announced_is_refused() -> None:
    """Neither data nor trailer may be longer than they are."""
    assert "more bytes" in refusal([*announced(), (b"x", 0)])
    assert "more bytes" in refusal([(DATA[:20480], 4096), (DATA[20480:28672], 0)])


def test_stream_without_trailer_is_refused() -> None:
    """Whole data and no digest prove nothing."""
    assert "without its trailer" in refusal(announced(trailer=b""))
    assert "without its trailer" in refusal(announced(trailer=TRAILER[:31]))


@pytest.mark.parametrize("size", [0, 1, 512, 4096, 3 * 4096, 5 * 4096 - 512, 5 * 4096 + 1])
def test_data_of_impossible_size_is_refused(size: int) -> None:
    """A database is a whole number of its pages, and at least four."""
    data = DATA[:size]

    refusal(announced(data, trailer=hashlib.sha256(data).digest()))


def test_data_that_is_no_database_is_refused_at_its_first_block() -> None:
    """A right digest over anything else is still not a snapshot."""
    data = b"GIF89a" + bytes(10 * 4096 - 6)
    check = StreamCheck(subject="https://m1:2379")

    with pytest.raises(StreamBroken, match="does not begin with a page"):
        check.digest(check.admit(data[:4096], len(data) - 4096))
