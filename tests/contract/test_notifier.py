"""Every receiver keeps the contract of the port: webhooks of both forms over real HTTP, and the fake."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from etcd_dr.adapters.notifications import Webhook, WebhookSettings
from etcd_dr.errors import NotificationFailed, NotificationRefused
from etcd_dr.ports.notifier import Notifier
from fakes.conditions import message
from fakes.notifier import FakeNotifier
from real.peers.webhook_receiver import WebhookReceiver


@dataclass(frozen=True, slots=True)
class Place:
    """A receiver and how many messages have come to it."""

    notifier: Notifier
    count: Callable[[], int]


Opener = Callable[..., AbstractContextManager[Place]]


@contextmanager
def faked(*statuses: int) -> Iterator[Place]:
    fake = FakeNotifier("oncall")
    kinds = {400: NotificationRefused, 503: NotificationFailed}
    fake.faults += [kinds[status]("no", subject="receiver oncall", next_step="Look.") for status in statuses]
    yield Place(fake, lambda: len(fake.delivered))


@contextmanager
def webhook(*statuses: int, form: str) -> Iterator[Place]:
    with WebhookReceiver(*statuses) as receiver:
        settings = WebhookSettings(name="oncall", format=form, url=receiver.url, attempts=1)  # type: ignore[arg-type]  # a parameter
        yield Place(Webhook(settings, pause=lambda _seconds: None), lambda: len(receiver.posted) - len(statuses))


@contextmanager
def slack(*statuses: int) -> Iterator[Place]:
    with webhook(*statuses, form="slack") as place:
        yield place


@contextmanager
def generic(*statuses: int) -> Iterator[Place]:
    with webhook(*statuses, form="generic") as place:
        yield place


@pytest.fixture(params=[faked, slack, generic], ids=lambda opener: opener.__name__)
def opened(request: pytest.FixtureRequest) -> Opener:
    opener: Opener = request.param
    return opener


def test_message_arrives_once(opened: Opener) -> None:
    """What was delivered is not sent again."""
    with opened() as place:
        place.notifier.deliver(message())

        assert place.count() == 1


def test_check_sends_nothing(opened: Opener) -> None:
    """A start is no reason for a message."""
    with opened() as place:
        place.notifier.check()

        assert place.count() == 0


def test_refusal_is_told_apart_from_trouble(opened: Opener) -> None:
    """One needs a person, the other may pass; both name the receiver and a next step."""
    with opened(400, 503) as place:
        with pytest.raises(NotificationRefused) as refused:
            place.notifier.deliver(message())
        with pytest.raises(NotificationFailed) as failed:
            place.notifier.deliver(message())
        place.notifier.deliver(message())

        assert not refused.value.retryable
        assert failed.value.retryable
        assert "oncall" in refused.value.subject
        assert refused.value.next_step
        assert place.count() == 1


def test_receiver_has_the_name_of_the_configuration(opened: Opener) -> None:
    """Logs and metrics know it by no other."""
    with opened() as place:
        assert place.notifier.name == "oncall"
