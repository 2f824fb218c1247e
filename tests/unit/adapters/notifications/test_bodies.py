"""What receivers read: Slack's text and our own JSON."""

from __future__ import annotations

from etcd_dr.adapters.notifications import generic, slack
from etcd_dr.domain.health import Severity
from etcd_dr.domain.notifications.message import Notification, Tidings
from fakes.clock import MORNING
from fakes.conditions import condition, message

LOST = condition("quorum.lost", Severity.CRITICAL, member=None, summary="quorum is lost")


def test_chat_shows_what_to_do_and_where_to_read_on() -> None:
    """Title, condition, next step, runbook."""
    text = slack.body(message(LOST))["text"]

    assert text.splitlines()[0] == "*CRITICAL prod: quorum is lost*"
    assert "quorum.lost: quorum is lost" in text
    assert "Look: etcd-dr health <https://example.com/page.md|runbook>" in text


def test_names_from_outside_become_no_mentions() -> None:
    """A member named <!channel> must not wake everybody, nor break the text into lines of its own."""
    text = slack.body(message(condition(member="<!channel>", summary="a & b\nCRITICAL fake")))["text"]

    assert "<!channel>" not in text
    assert "&lt;!channel&gt;" in text
    assert "a &amp; b CRITICAL fake" in text


def test_long_list_is_counted_and_long_texts_are_cut() -> None:
    """A chat refuses what is too long, and nobody reads it."""
    many = [condition(f"code.{number}", member=None, summary="x" * 5000) for number in range(30)]

    text = slack.body(message(*many))["text"]

    assert "… and 20 more" in text
    assert len(text) < 20_000


def test_what_is_over_is_told_so() -> None:
    """Nobody runs because of it."""
    resolved = message(LOST, tidings=Tidings.RESOLVED)

    assert slack.body(resolved)["text"].startswith("*RESOLVED prod: quorum is lost*")
    assert generic.body(resolved)["status"] == "resolved"
    assert generic.body(resolved)["severity"] == "ok"


def test_json_has_the_documented_keys() -> None:
    """Programs are written against them (docs/notifications.md)."""
    body = generic.body(message(condition()))

    assert body == {
        "version": 1,
        "source": "etcd-dr",
        "cluster": "prod",
        "at": "2026-08-20T03:00:00+00:00",
        "status": "firing",
        "severity": "warning",
        "title": "WARNING prod: m2: does not answer",
        "conditions": [
            {
                "status": "raised",
                "code": "member.unreachable",
                "severity": "warning",
                "member": "m2",
                "about": "",
                "summary": "does not answer",
                "next_step": "Look: etcd-dr health",
                "runbook_url": "https://example.com/page.md",
                "since": "2026-08-20T03:00:00+00:00",
            }
        ],
    }


def test_test_message_says_that_nothing_is_wrong() -> None:
    """Whoever gets it by surprise goes back to sleep."""
    test = Notification("all receivers", MORNING, (), is_test=True)

    assert slack.body(test)["text"] == "*etcd-dr: this is a test message, nothing is wrong*"
    assert generic.body(test)["status"] == "test"
