"""A webhook over real HTTP: tries, pauses, secrets, authorities."""

from __future__ import annotations

import socket
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster.pki import LocalAuthority
from etcd_dr.adapters.notifications import Webhook, WebhookSettings
from etcd_dr.errors import Cancelled, ConfigError, EtcdDrError, FileUnreadable, NotificationFailed, NotificationRefused
from fakes.conditions import message
from real.peers.webhook_receiver import Answering, WebhookReceiver

SETTINGS = WebhookSettings(name="oncall", format="generic", timeout_seconds=60, attempts=4)


class Pauses:
    """Remembers pauses instead of taking them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def told(error: EtcdDrError) -> str:
    """Everything that a person or a log may see of an error, its causes included."""
    chain, seen = error, []
    while chain is not None:
        seen.append(f"{chain} {getattr(chain, 'next_step', '')} {getattr(chain, 'context', '')}")
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)  # type: ignore[assignment]  # causes are of any kind
    return " ".join(seen)


def test_trouble_is_tried_again_with_growing_pauses() -> None:
    """An overloaded receiver gets time; the message arrives in the end."""
    pauses = Pauses()
    with WebhookReceiver(503, 502, 500) as receiver:
        Webhook(replace(SETTINGS, url=receiver.url), pause=pauses).deliver(message())

        assert len(receiver.posted) == 4
        assert pauses.seconds == sorted(pauses.seconds)
        assert pauses.seconds[-1] > 1


def test_pause_is_the_one_that_the_receiver_asks_for_within_reason() -> None:
    """Slack says with Retry-After how long it will not listen; nobody waits for an hour."""
    pauses = Pauses()
    answers = [
        Answering(429, {"Retry-After": "7"}),
        Answering(429, {"Retry-After": "3600"}),
        Answering(429, {"Retry-After": "x"}),
    ]
    with WebhookReceiver(*answers) as receiver:
        Webhook(replace(SETTINGS, url=receiver.url), pause=pauses).deliver(message())

        assert pauses.seconds[:2] == [7, 60]


def test_tries_come_to_an_end() -> None:
    """What is down stays down; the queue must go on."""
    with WebhookReceiver(*[503] * 9) as receiver:
        with pytest.raises(NotificationFailed) as failed:
            Webhook(replace(SETTINGS, url=receiver.url), pause=Pauses()).deliver(message())

        assert len(receiver.posted) == 4
        assert "503" in failed.value.message


def test_nobody_listens_is_trouble() -> None:
    """A port that refuses, four times."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and never listens: nobody else gets the port meanwhile
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/s3cr3t"

        with pytest.raises(NotificationFailed) as failed:
            Webhook(replace(SETTINGS, url=url), pause=Pauses()).deliver(message())

    assert failed.value.message == "it cannot be reached, 4 times"
    assert "s3cr3t" not in told(failed.value)


def test_stalled_receiver_costs_its_timeout() -> None:
    """It accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/s3cr3t"
        settings = replace(SETTINGS, url=url, timeout_seconds=0.2, attempts=1)

        with pytest.raises(NotificationFailed) as failed:
            Webhook(settings, pause=Pauses()).deliver(message())

    assert "in time" in failed.value.message


def test_refusal_quotes_the_answer_without_the_address() -> None:
    """`invalid_token` says what to do; an answer that repeats the address must not put it into a log."""
    with WebhookReceiver() as receiver:
        answer = Answering(403, body=f"invalid_token for {receiver.url}".encode())
        receiver._answers.append(answer)
        with pytest.raises(NotificationRefused) as refused:
            Webhook(replace(SETTINGS, url=receiver.url), pause=Pauses()).deliver(message())

        assert "invalid_token" in str(refused.value.context["answer"])
        assert "s3cr3t" not in told(refused.value)
        assert len(receiver.posted) == 1


def test_redirect_is_not_followed() -> None:
    """The secret in the address is for one host."""
    with WebhookReceiver() as elsewhere, WebhookReceiver(Answering(302, {"Location": elsewhere.url})) as receiver:
        with pytest.raises(NotificationRefused):
            Webhook(replace(SETTINGS, url=receiver.url), pause=Pauses()).deliver(message())

        assert elsewhere.posted == []


def test_address_and_headers_are_read_again_for_each_message(tmp_path: Path) -> None:
    """A rotated Secret needs no restart."""
    address, headers = tmp_path / "url", tmp_path / "headers"
    headers.write_text("Authorization: Bearer first\n\n")
    with WebhookReceiver() as one, WebhookReceiver() as two:
        webhook = Webhook(replace(SETTINGS, url_file=address, headers_file=headers), pause=Pauses())
        address.write_text(one.url + "\n")
        webhook.deliver(message())
        address.write_text(two.url)
        headers.write_text("Authorization: Bearer second")
        webhook.deliver(message())

        assert [posted.headers["Authorization"] for posted in (*one.posted, *two.posted)] == [
            "Bearer first",
            "Bearer second",
        ]


@pytest.mark.parametrize("content", ["", "s3cr3t-token", "ftp://s3cr3t", "http://a s3cr3t"])
def test_file_without_an_address_is_told_without_its_content(tmp_path: Path, content: str) -> None:
    """Whoever mounts the wrong key of a Secret must not read it in a log."""
    (tmp_path / "url").write_text(content)

    with pytest.raises(ConfigError) as error:
        Webhook(replace(SETTINGS, url_file=tmp_path / "url"), pause=Pauses()).deliver(message())

    assert "s3cr3t" not in told(error.value)


@pytest.mark.parametrize("content", ["s3cr3t", "Authorization: a\x07s3cr3t"])
def test_wrong_header_is_told_without_its_content(tmp_path: Path, content: str) -> None:
    """The same for tokens."""
    (tmp_path / "headers").write_text(content)
    settings = replace(SETTINGS, url="http://127.0.0.1:1", headers_file=tmp_path / "headers")

    with pytest.raises(ConfigError) as error:
        Webhook(settings, pause=Pauses()).deliver(message())

    assert "s3cr3t" not in told(error.value)


@pytest.mark.parametrize("field", ["url_file", "headers_file", "ca_file"])
def test_missing_file_is_named(tmp_path: Path, field: str) -> None:
    """The path is no secret, and is what has to be repaired."""
    settings = replace(SETTINGS, url="http://127.0.0.1:1", **{field: tmp_path / "gone"})

    with pytest.raises(FileUnreadable) as error:
        Webhook(settings, pause=Pauses()).deliver(message())
    with pytest.raises(FileUnreadable) as checked:
        Webhook(settings, pause=Pauses()).check()

    assert "gone" in error.value.subject
    assert "gone" in checked.value.subject


def test_certificate_is_judged_by_the_authority_that_is_named(tmp_path: Path) -> None:
    """A private CA works, and a foreign one does not."""
    now = datetime.now(UTC)
    valid = {"valid_from": now - timedelta(hours=1), "valid_until": now + timedelta(hours=1)}
    ours, foreign = LocalAuthority(tmp_path / "ours", **valid), LocalAuthority(tmp_path / "foreign", **valid)
    files = ours.issue("receiver")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with WebhookReceiver(tls=context) as receiver:
        settings = replace(SETTINGS, url=receiver.url, attempts=1)
        Webhook(replace(settings, ca_file=files.ca), pause=Pauses()).deliver(message())
        with pytest.raises(NotificationFailed) as failed:
            Webhook(replace(settings, ca_file=foreign.issue("x").ca), pause=Pauses()).deliver(message())

        assert "certificate" in failed.value.message
        assert len(receiver.posted) == 1


def test_stop_ends_the_pauses() -> None:
    """A process that stops does not wait for a receiver that is down."""

    def stopped(_seconds: float) -> None:
        raise Cancelled("stopped on request", next_step="Run it again.")

    with WebhookReceiver(503) as receiver, pytest.raises(Cancelled):
        Webhook(replace(SETTINGS, url=receiver.url), pause=stopped).deliver(message())
