"""What the end of a log says."""

from __future__ import annotations

import pytest

from etcd_dr.domain.recovery.clues import Cause, cause_clue, damage_clue, log_end, read_clues, removal_clue


def test_last_cause_counts() -> None:
    """An earlier complaint may have been removed since."""
    clues = read_clues(["no space left on device", "started", "tls: certificate has expired"])

    found = cause_clue(clues)

    assert found is not None
    assert found.cause is Cause.CERTIFICATE_EXPIRED


@pytest.mark.parametrize(
    "boundary", ['"msg":"starting an etcd server"', '"msg":"received signal; shutting down","signal":"terminated"']
)
def test_what_was_said_before_the_last_start_or_stop_counts_no_more(boundary: str) -> None:
    """Somebody renewed the certificate, or simply stopped it: it can be started."""
    assert read_clues(["tls: certificate has expired", boundary, "stopped serving"]) == ()
    assert len(read_clues([boundary, "tls: certificate has expired"])) == 1


@pytest.mark.parametrize(
    "line",
    [
        '"level":"warn","msg":"unrecognized environment variable","environment-variable":"ETCD_PORT=1"',
        '"msg":"failed to detect default host","error":"open /proc/net/route: no such file or directory"',
    ],
)
def test_what_a_sound_etcd_logs_is_no_cause(line: str) -> None:
    """A cause keeps a member from being started, so it must be one."""
    assert cause_clue(read_clues([line])) is None


@pytest.mark.parametrize(
    "line",
    [
        "panic: freepages: failed to get all reachable pages (page 91: multiple references)",
        "panic: assertion failed: Page expected to be: 3, but self identifies as 0",
        "failed to read WAL, cannot be repaired: wal: crc mismatch",
        "tocommit(107) is out of range [lastIndex(101)]. Was the raft log corrupted, truncated, or lost?",
        "failed to recover v3 backend from snapshot: failed to find database snapshot file",
    ],
)
def test_damage_is_told_from_causes(line: str) -> None:
    assert damage_clue(read_clues([line])) is not None


def test_removal_is_its_own_clue() -> None:
    clues = read_clues(["rafthttp: the member has been permanently removed from the cluster"])

    assert removal_clue(clues) is not None
    assert damage_clue(clues) is None


def test_long_lines_are_cut_and_plain_ones_say_nothing() -> None:
    """A log is shown to people as evidence, and is not ours."""
    clues = read_clues(["ready to serve client requests", "no space left on device " + "x" * 10_000])

    assert len(clues) == 1
    assert len(clues[0].line) <= 300


def test_end_of_a_log_is_the_lines_that_tell_why() -> None:
    """A panic's own words lie above its trace; where nothing is known to tell, the last lines are shown."""
    trace = ["panic: freepages: failed to get all reachable pages", "goroutine 84 [running]:", *["  at x"] * 40]

    assert log_end(trace) == "\nIts log ends with:\n  panic: freepages: failed to get all reachable pages"
    assert log_end(["one", "two"]) == "\nIts log ends with:\n  one\n  two"
    assert log_end([]) == ""
