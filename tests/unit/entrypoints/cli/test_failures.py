"""How failures leave the command."""

from __future__ import annotations

import io
import json

import pytest

from etcd_dr.entrypoints.cli.failures import FailureReport, bug, status_of_code
from etcd_dr.errors import ConfigError, EtcdDrError, IdentityMissing, MemberTimeout, StoreDenied

ERROR = StoreDenied(
    "the credentials may not list",
    subject="s3://backups/",
    next_step="Give the role s3:ListBucket.\nThen run it again: etcd-dr snapshot list",
    context={"action": "ListObjectsV2"},
)


def told(
    error: EtcdDrError, *, as_json: bool = False, debug: bool = False, status: int | None = None
) -> tuple[int, str]:
    stream = io.StringIO()
    ended = FailureReport(stream, as_json=as_json, debug=debug, status=status).tell(error)
    return ended, stream.getvalue()


def test_error_says_what_happened_and_what_to_do_next() -> None:
    """Two facts, two lines; each further line of the next step below its first."""
    status, text = told(ERROR)

    assert status == 77
    assert text.splitlines() == [
        "error: s3://backups/: the credentials may not list",
        "  next: Give the role s3:ListBucket.",
        "        Then run it again: etcd-dr snapshot list",
    ]


def test_evidence_and_traceback_come_with_debug_only() -> None:
    """A person at night needs the sentence; whoever looks into it needs the rest."""
    assert "ListObjectsV2" not in told(ERROR)[1]
    assert "  action: ListObjectsV2" in told(ERROR, debug=True)[1].splitlines()
    assert "Traceback" not in told(bug(KeyError("x")))[1]
    assert "KeyError" in told(bug(KeyError("x")), debug=True)[1]


def test_json_error_is_one_line_with_the_promised_keys() -> None:
    """docs/json-output.md promises exactly these."""
    _, text = told(ERROR, as_json=True)

    assert text.count("\n") == 1
    assert json.loads(text) == {
        "error": {
            "code": "store.denied",
            "message": ERROR.message,
            "subject": ERROR.subject,
            "next_step": ERROR.next_step,
            "retryable": False,
            "context": {"action": "ListObjectsV2"},
        }
    }


def test_command_may_have_a_failure_status_of_its_own() -> None:
    """`health` is a Nagios plugin: whatever fails is unknown."""
    assert told(ERROR, status=3)[0] == 3


def test_what_nobody_expected_is_called_a_bug() -> None:
    """In one clear line, with the status of an internal error."""
    status, text = told(bug(ValueError("first line\nsecond line")))

    assert status == 70
    assert text.startswith(
        "error: this is a bug in etcd-dr, or a case that it does not know: ValueError: first line\\nsec"
    )
    assert "--log-level debug" in text


def test_hostile_text_in_an_error_is_escaped() -> None:
    """What an object or a member calls itself may hold terminal sequences."""
    _, text = told(ConfigError("is odd\x1b[2J", subject="\x1b]0;x\x07"))

    assert "\x1b" not in text
    assert "\x07" not in text


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (IdentityMissing.code, IdentityMissing.exit_status),
        (MemberTimeout.code, MemberTimeout.exit_status),
        ("etcd.none", 69),
        ("http.404", 69),
    ],
)
def test_code_leads_to_the_status_of_its_class(code: str, status: int) -> None:
    """A level that was not reached ends as the error would that kept it."""
    assert status_of_code(code) == status
