"""The rule on clocks: leases, certificates and signed requests to a store all suffer when one is off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from etcd_dr.domain.clock_reading import ClockReading, certainly_apart
from etcd_dr.domain.health import Finding, Severity
from etcd_dr.domain.health_rules.rule import Rule, Situation, listing

_SEE = "timedatectl; chronyc tracking"


def skew(s: Situation) -> Iterator[Finding]:
    readings = [(s.view.label_of(e), c) for e in s.observation.endpoints if (c := e.http.clock.value) is not None]
    off = [(label, c) for label, c in readings if c.certain_seconds >= s.thresholds.clock_skew_warning_seconds]
    if len(readings) > 1 and len(off) == len(readings) and not certainly_apart([c for _, c in readings]):
        yield _ours(s, readings)
        return
    for label, reading in off:
        ahead = "ahead of" if reading.offset_seconds > 0 else "behind"
        yield Finding(
            "clock.skew",
            _severity(s, reading),
            f"its clock is {abs(reading.offset_seconds):.1f} s {ahead} this machine's",
            f"Compare both with a time server, and set the wrong one: {_SEE}",
            member=label,
            evidence=_evidence(reading),
        )


def _ours(s: Situation, readings: Sequence[tuple[str, ClockReading]]) -> Finding:
    """All members agree with one another: then it is our clock that is wrong."""
    reading = min((c for _, c in readings), key=lambda c: c.certain_seconds)
    ahead = "behind" if reading.offset_seconds > 0 else "ahead of"
    return Finding(
        "clock.skew",
        _severity(s, reading),
        f"this machine's clock is {abs(reading.offset_seconds):.1f} s {ahead} all members' clocks",
        f"Set this machine's clock; snapshot ages and certificate dates above are judged by it: {_SEE}",
        evidence=_evidence(reading) | {"members": listing(label for label, _ in readings)},
    )


def _severity(s: Situation, reading: ClockReading) -> Severity:
    limit = s.thresholds.clock_skew_critical_seconds
    return Severity.CRITICAL if reading.certain_seconds >= limit else Severity.WARNING


def _evidence(reading: ClockReading) -> dict[str, str | int | float | bool | None]:
    return {
        "offset_seconds": round(reading.offset_seconds, 2),
        "resolution_seconds": round(reading.resolution_seconds, 2),
    }


RULES = (Rule.of(skew, "clock.skew"),)
