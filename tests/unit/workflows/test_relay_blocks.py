"""The scratch file as the queue between two threads."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from etcd_dr.errors import Cancelled
from etcd_dr.workflows.relay_blocks import BLOCK_BYTES, BlockRelay
from fakes.local_files import FakeScratch


def test_reader_gets_everything_in_order(tmp_path: Path) -> None:
    """Whatever the pace of the two, the bytes are the same, in pieces of at most a block."""
    blocks = [bytes([number]) * (BLOCK_BYTES // 3 + number) for number in range(20)]
    with FakeScratch(tmp_path).create(expected_bytes=0) as scratch:
        relay = BlockRelay(scratch)
        got: list[bytes] = []
        reader = threading.Thread(target=lambda: got.extend(relay))
        reader.start()

        for block in blocks:
            relay.append(block)
        relay.finish()
        reader.join(10)

    assert b"".join(got) == b"".join(blocks)
    assert max(map(len, got)) <= BLOCK_BYTES


def test_writer_never_waits_for_the_reader(tmp_path: Path) -> None:
    """A store that takes nothing does not hold up the stream."""
    with FakeScratch(tmp_path).create(expected_bytes=0) as scratch:
        relay = BlockRelay(scratch)

        for _ in range(50):
            relay.append(bytes(BLOCK_BYTES))
        relay.finish()

        assert sum(map(len, relay)) == 50 * BLOCK_BYTES


def test_abandoned_reader_stops_even_after_the_end(tmp_path: Path) -> None:
    """When the database turns out damaged, the rest of the upload is not awaited."""
    with FakeScratch(tmp_path).create(expected_bytes=0) as scratch:
        relay = BlockRelay(scratch)
        relay.append(b"x")
        relay.finish()
        relay.abandon()

        with pytest.raises(Cancelled):
            list(relay)


def test_abandoning_wakes_a_reader_that_waits(tmp_path: Path) -> None:
    """Nobody hangs when the writer fails."""
    with FakeScratch(tmp_path).create(expected_bytes=0) as scratch:
        relay = BlockRelay(scratch)
        ended: list[BaseException] = []

        def read() -> None:
            try:
                list(relay)
            except Cancelled as error:
                ended.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        relay.abandon()
        reader.join(10)

    assert len(ended) == 1
