"""Log lines: JSON for machines, text for people, nothing below the level."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from etcd_dr.adapters.event_log import EventLog, EventsBesideAnswer
from fakes.clock import FakeClock
from fakes.events import RecordingEvents


def test_event_is_one_json_line_with_a_utc_time() -> None:
    """Name, level and fields as they were given."""
    stream = io.StringIO()

    EventLog(stream, level="info", format="json", clock=FakeClock()).emit(
        "snapshot.committed", cluster="prod", bytes=3, proven=None
    )

    assert stream.getvalue().count("\n") == 1
    assert json.loads(stream.getvalue()) == {
        "timestamp": "2026-08-20T03:00:00.000Z",
        "level": "info",
        "event": "snapshot.committed",
        "cluster": "prod",
        "bytes": 3,
        "proven": None,
    }
    assert list(json.loads(stream.getvalue()))[:3] == ["timestamp", "level", "event"]


def test_text_is_one_line_whatever_a_value_holds() -> None:
    """Values with spaces are quoted; control characters never reach the terminal."""
    stream = io.StringIO()

    EventLog(stream, level="debug", format="text", clock=FakeClock()).emit(
        "member.unreachable", level="warning", member="m1", reason="no\x1b[2J\nroute", empty=""
    )

    assert stream.getvalue() == (
        '2026-08-20T03:00:00.000Z warning member.unreachable member=m1 reason=no\\x1b[2J\\nroute empty=""\n'
    )


def test_what_is_below_the_level_is_not_written() -> None:
    """Debug is for those who ask."""
    stream = io.StringIO()
    log = EventLog(stream, level="warning", format="json", clock=FakeClock())

    log.emit("a", level="debug")
    log.emit("b")
    log.emit("c", level="warning")
    log.emit("d", level="error")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["c", "d"]


def test_stream_that_is_gone_stops_nothing() -> None:
    """A log that cannot be written to never ends the work."""
    stream = io.StringIO()
    stream.close()

    EventLog(stream, level="info", format="json", clock=FakeClock()).emit("a")


@pytest.mark.parametrize("level", ["info", "warning"])
def test_library_is_loaded_for_the_first_line_only(level: str) -> None:
    """A command that logs nothing does not wait for the library."""
    code = (
        "import io, sys\n"
        "from etcd_dr.adapters.event_log import EventLog\n"
        "from etcd_dr.adapters.system_clock import SystemClock\n"
        f"EventLog(io.StringIO(), level='warning', format='json', clock=SystemClock()).emit('a', level={level!r})\n"
        "print('structlog' in sys.modules)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == str(level == "warning")


def test_what_an_answer_says_is_not_logged_as_well() -> None:
    """Nobody reads a warning twice; what the answer does not say is still told."""
    events = RecordingEvents()
    beside = EventsBesideAnswer(events, said_in_answer=frozenset({"snapshot.warning"}))

    beside.emit("snapshot.warning", level="warning", reason="x")
    beside.emit("snapshot.not_discarded", level="warning", reason="y")

    assert [told.event for told in events.told] == ["snapshot.not_discarded"]
