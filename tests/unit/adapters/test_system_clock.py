"""The machine's clock and randomness keep the ports' contract."""

from __future__ import annotations

import re
from datetime import UTC, timedelta

from etcd_dr.adapters.system_clock import SystemClock, SystemTokens


def test_wall_clock_is_aware_and_utc() -> None:
    """A moment without a zone cannot be compared with one that has it."""
    assert SystemClock().now().tzinfo is UTC
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_monotonic_clock_never_goes_back() -> None:
    """Durations are measured with it."""
    readings = [SystemClock().monotonic() for _ in range(100)]

    assert readings == sorted(readings)


def test_tokens_are_48_bits_in_lowercase_hex_and_differ() -> None:
    """They make snapshot ids unique."""
    tokens = {SystemTokens().token() for _ in range(1000)}

    assert len(tokens) == 1000
    assert all(re.fullmatch(r"[0-9a-f]{12}", token) for token in tokens)
