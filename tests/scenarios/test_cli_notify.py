"""`etcd-dr notify test`: what a person sees who sets up messages."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from etcd_dr.errors import NotificationRefused
from real.peers.webhook_receiver import WebhookReceiver
from scenarios.command_line import CommandLine
from scenarios.documented_json import PAGE, differences, examples


def configured(directory: Path, *receivers: dict[str, object]) -> CommandLine:
    config = directory / "etcd-dr.yaml"
    config.write_text(yaml.safe_dump({"notifications": list(receivers)}))
    return CommandLine(directory, {"ETCD_DR_CONFIG": str(config)})


def test_test_message_arrives_everywhere(tmp_path: Path) -> None:
    """One POST each, and status 0."""
    with WebhookReceiver() as chat, WebhookReceiver() as program:
        (tmp_path / "url").write_text(chat.url)
        cli = configured(
            tmp_path,
            {"name": "chat", "url_file": str(tmp_path / "url")},
            {"name": "program", "format": "generic", "url": program.url},
        )

        done = cli("notify", "test")

        assert done.status == 0, done.err
        assert "nothing is wrong" in chat.posted[0].body["text"]
        assert program.posted[0].body["status"] == "test"
        assert "s3cr3t" not in done.out + done.err


@pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not part of this copy")
def test_refusal_is_the_answer_and_the_status(tmp_path: Path) -> None:
    """The others get theirs all the same; the address is nowhere."""
    with WebhookReceiver(404) as wrong, WebhookReceiver() as right:
        cli = configured(
            tmp_path,
            {"name": "wrong", "url": wrong.url, "format": "generic"},
            {"name": "right", "url": right.url, "format": "generic"},
        )

        done = cli("notify", "test", "-o", "json")

        assert done.status == NotificationRefused.exit_status
        assert [row["is_delivered"] for row in done.document["receivers"]] == [False, True]
        assert list(differences(examples()["notify test"], done.document)) == []
        assert "s3cr3t" not in done.out + done.err


def test_single_receiver_can_be_named(tmp_path: Path) -> None:
    """And a name that nobody has is told with those that there are."""
    with WebhookReceiver() as one, WebhookReceiver() as two:
        cli = configured(tmp_path, {"name": "one", "url": one.url}, {"name": "two", "url": two.url})

        done = cli("notify", "test", "two")
        unknown = cli("notify", "test", "three", "-o", "json")

        assert (done.status, len(one.posted), len(two.posted)) == (0, 0, 1)
        assert unknown.status == 64
        assert "one, two" in unknown.error["next_step"]


def test_nobody_to_tell_is_an_error(tmp_path: Path) -> None:
    """A setup that was forgotten must not look like one that works."""
    assert configured(tmp_path)("notify", "test").status == 78


@pytest.mark.parametrize(
    "receiver",
    [
        {"name": "x"},
        {"name": "x", "url": "https://example.com/s3cr3t", "url_file": "/run/url"},
        {"name": "x", "url": "s3cr3t"},
        {"name": "x", "url": "https://example.com/s3cr3t", "clusters": ["gone"]},
        {"name": "x", "url": "https://example.com/s3cr3t", "format": "pager"},
    ],
)
def test_wrong_receiver_is_told_without_its_address(tmp_path: Path, receiver: dict[str, object]) -> None:
    """The configuration's errors are read by more people than the Secret."""
    done = configured(tmp_path, receiver)("notify", "test")

    assert done.status == 78
    assert "s3cr3t" not in done.out + done.err
