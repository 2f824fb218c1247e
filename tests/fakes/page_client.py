"""A page on loopback and a client that shows what a browser would be told, over real HTTP."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from etcd_dr.config.page_model import PageSection
from etcd_dr.entrypoints.operator.board import StatusBoard
from etcd_dr.entrypoints.web.status_page import StatusPage
from fakes.clock import FakeClock
from fakes.events import RecordingEvents
from fakes.standing_leadership import StandingLeadership
from fakes.status_board import made_up_board

TOKEN = "correct-horse-battery-staple"


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: str


class PageClient:
    """Asks one page. `headers` of a call replace nothing but add."""

    def __init__(self, page: StatusPage, clock: FakeClock, board: StatusBoard, events: RecordingEvents) -> None:
        self.clock, self.board, self.events = clock, board, events
        self.port = int(page.url.split(":")[2].partition("/")[0])

    def ask(self, path: str, *, method: str = "GET", body: str | None = None, **headers: str) -> Answered:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers=named)
            answer = connection.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Answered(answer.status, told, answer.read().decode())
        finally:
            connection.close()

    def sign_in(self, token: str, **headers: str) -> Answered:
        form = {"Content_Type": "application/x-www-form-urlencoded"}
        return self.ask("/login", method="POST", body=urlencode({"token": token}), **form, **headers)


@contextmanager
def served(
    board: StatusBoard | None = None, *, leadership: StandingLeadership | None = None, **page: Any
) -> Iterator[PageClient]:
    """Serve a made-up site, or this board, with these settings of `page`."""
    made_up, clock = made_up_board()
    shown, events = board or made_up, RecordingEvents()
    settings = PageSection(enabled=True, **{"listen": "127.0.0.1:0", **page})
    standing = leadership or StandingLeadership()
    site = StatusPage(settings, shown, leadership=standing, clock=clock, events=events)
    site.start()
    try:
        yield PageClient(site, clock, shown, events)
    finally:
        site.stop()
