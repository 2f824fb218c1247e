"""Part sizes and the threads that send them, without a store."""

from __future__ import annotations

import threading

import pytest

from etcd_dr.adapters.stores.s3.parts import LARGEST_PART_BYTES, MAX_PARTS, PartSender, SentPart, part_size_bytes
from etcd_dr.adapters.stores.settings import SMALLEST_PART_BYTES
from etcd_dr.errors import StoreUnreachable

MIB = 1024 * 1024
TIB = 1024 * 1024 * MIB


def test_ten_thousand_parts_hold_the_largest_object() -> None:
    """5 TiB fit with the default size; no part is larger or smaller than S3 allows."""
    sizes = [part_size_bytes(number, first_bytes=16 * MIB) for number in range(1, MAX_PARTS + 1)]

    assert sum(sizes) >= 5 * TIB
    assert sizes == sorted(sizes)
    assert min(sizes) >= SMALLEST_PART_BYTES
    assert max(sizes) <= LARGEST_PART_BYTES


def test_parts_of_any_etcd_have_one_size() -> None:
    """For the first 5,000 parts memory does not grow."""
    assert {part_size_bytes(number, first_bytes=16 * MIB) for number in range(1, 5001)} == {16 * MIB}
    assert part_size_bytes(5001, first_bytes=16 * MIB) == 32 * MIB
    assert part_size_bytes(5501, first_bytes=16 * MIB) == 64 * MIB


def sent(number: int, body: bytearray) -> SentPart:
    return SentPart(number=number, etag=f"{len(body)}")


def test_parts_come_back_in_order_whatever_finished_first() -> None:
    """The order of completion is not the order of the object."""
    first_may_end = threading.Event()

    def send(number: int, body: bytearray) -> SentPart:
        if number == 1:
            assert first_may_end.wait(10)
        if number == 3:
            first_may_end.set()
        return sent(number, body)

    sender = PartSender(send, threads=3, budget_bytes=30)
    for number in (1, 2, 3):
        sender.submit(number, bytearray(10))

    assert [part.number for part in sender.finish()] == [1, 2, 3]


def test_bytes_in_flight_stay_within_the_budget() -> None:
    """A part waits until there is room; one that is larger than the budget travels alone."""
    mutex = threading.Lock()
    in_flight: list[int] = []
    peaks: list[tuple[int, int]] = []

    def send(number: int, body: bytearray) -> SentPart:
        with mutex:
            in_flight.append(len(body))
            peaks.append((sum(in_flight), len(in_flight)))
        with mutex:
            in_flight.remove(len(body))
        return sent(number, body)

    sender = PartSender(send, threads=4, budget_bytes=30)
    for number, size in enumerate([10, 10, 10, 10, 40, 10, 20, 20], start=1):
        sender.submit(number, bytearray(size))
    sender.finish()

    assert all(total <= 30 or count == 1 for total, count in peaks)


def test_failed_part_is_raised_by_a_later_call() -> None:
    """The first failure ends the upload at the next part, or at the end."""
    failure = StoreUnreachable("gone")

    def send(number: int, body: bytearray) -> SentPart:
        raise failure

    sender = PartSender(send, threads=1, budget_bytes=10)
    sender.submit(1, bytearray(10))

    with pytest.raises(StoreUnreachable) as raised:
        sender.submit(2, bytearray(10))
    sender.stop(grace_seconds=1)

    assert raised.value is failure


def test_stopping_does_not_wait_for_a_stuck_part() -> None:
    """What has not begun never does, and a part that hangs delays a shutdown by the grace only."""
    release, started = threading.Event(), []

    def send(number: int, body: bytearray) -> SentPart:
        started.append(number)
        release.wait(20)
        return sent(number, body)

    sender = PartSender(send, threads=1, budget_bytes=100)
    for number in (1, 2, 3):
        sender.submit(number, bytearray(10))

    sender.stop(grace_seconds=0.01)
    release.set()

    assert started in ([1], [])
