"""What libraries log becomes events of ours."""

from __future__ import annotations

import io
import json
import logging

from etcd_dr.adapters.event_log import EventLog
from etcd_dr.adapters.library_log import library_records_told
from fakes.clock import FakeClock
from fakes.events import RecordingEvents


def test_warning_of_a_library_is_one_json_line() -> None:
    """A log of JSON lines stays one, also when apscheduler skips a run."""
    stream = io.StringIO()
    log = EventLog(stream, level="info", format="json", clock=FakeClock())

    with library_records_told(log):
        logging.getLogger("apscheduler.scheduler").warning('Execution of job "%s" skipped:\nmaximum %d', "rounds", 1)

    assert json.loads(stream.getvalue()) == {
        "timestamp": "2026-08-20T03:00:00.000Z",
        "level": "warning",
        "event": "library.log",
        "logger": "apscheduler.scheduler",
        "message": 'Execution of job "rounds" skipped:\nmaximum 1',
    }


def test_job_that_is_late_again_and_again_is_told_once() -> None:
    """While a member hangs every round is skipped, and one line says all there is to say."""
    events = RecordingEvents()

    with library_records_told(events):
        for job in ("prod/health", "prod/health", "stage/health", "prod/health"):
            logging.getLogger("apscheduler.scheduler").warning('Execution of job "%s" skipped: maximum %d', job, 1)

    assert [str(told.fields["message"]).split('"')[1] for told in events.of("library.log")] == [
        "prod/health",
        "stage/health",
    ]


def test_exception_is_told_in_one_line() -> None:
    """Its kind, its words and where it was raised."""
    events = RecordingEvents()

    with library_records_told(events):
        try:
            raise ValueError("no such thing")
        except ValueError:
            logging.getLogger("uvicorn.error").exception("job raised")

    [told] = events.of("library.log")
    assert told.level == "error"
    assert told.fields["error"] == "ValueError: no such thing"
    assert str(told.fields["place"]).startswith("test_exception_is_told_in_one_line:")


def test_what_may_hold_credentials_is_not_told() -> None:
    """Libraries write requests with their headers at debug, and nobody's wish for debug lines asks for those."""
    events = RecordingEvents()

    with library_records_told(events):
        logging.getLogger("botocore.endpoint").debug("headers: Authorization")
        logging.getLogger("urllib3").info("new connection")

    assert not events.told


def test_record_whose_arguments_do_not_fit_is_told_all_the_same() -> None:
    """A library's mistake in its own log line never becomes ours."""
    events = RecordingEvents()

    with library_records_told(events):
        logging.getLogger("grpc").warning("%d calls", "many")

    assert [told.fields["message"] for told in events.of("library.log")] == ["%d calls"]


def test_logging_is_as_it_was_afterwards() -> None:
    """Whoever embeds or tests this process keeps their own handlers."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level

    with library_records_told(RecordingEvents()):
        assert root.handlers != before

    assert root.handlers == before
    assert root.level == level
