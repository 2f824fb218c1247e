"""The deterministic half of fuzzing: the same bent files in every run, a few seconds of them in the quick tests."""

from __future__ import annotations

import resource
import time

import pytest

from fuzz.boltdb_mutations import explore, mutant

QUICK = 600
LONG = 60_000


def explore_range(numbers: range, *, seconds_each: float) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in numbers:
        data = mutant(number)
        started = time.process_time()
        try:
            explore(data)
        except Exception as error:
            raise AssertionError(f"mutant({number}) raised {error!r}") from error
        assert time.process_time() - started < seconds_each, f"mutant({number}) took too long"
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 200 * 1024, f"memory grew by {grown_kib} KiB"


@pytest.mark.parametrize("part", range(4))
def test_bent_files_end_in_findings(part: int) -> None:
    """No bent file raises anything undocumented, takes long, or takes much memory."""
    explore_range(range(part, QUICK, 4), seconds_each=2.0)


@pytest.mark.matrix
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(8))
def test_many_bent_files_end_in_findings(part: int) -> None:
    """The same for a hundred times as many."""
    explore_range(range(QUICK + part, LONG, 8), seconds_each=2.0)
