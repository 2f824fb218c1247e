"""The status page as the operator runs it: a listener of its own, started and stopped with the process."""

from __future__ import annotations

from etcd_dr.config.page_model import PageSection
from etcd_dr.entrypoints.operator.http import HttpServer, bind
from etcd_dr.entrypoints.web.access import Access
from etcd_dr.entrypoints.web.site import SiteParts, States, build_site
from etcd_dr.errors import ConfigError
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.leadership import Leadership


class StatusPage:
    """Serves the page. Raises ConfigError where it cannot be listened on, or its token cannot be used."""

    def __init__(
        self, page: PageSection, states: States, *, leadership: Leadership, clock: Clock, events: EventSink
    ) -> None:
        access = Access(page, now=lambda: clock.now().timestamp(), token_lost=self._tell_lost_token)
        self._events = events
        access.check()
        site = build_site(
            SiteParts(
                states=states,
                access=access,
                leadership=leadership,
                clock=clock,
                events=events,
                base_path=page.base_path,
            )
        )
        self._address = page.listen.rpartition(":")[0]
        self._path = f"{page.base_path}/"
        self._server = HttpServer(site, bind(page.listen, setting="page.listen"))

    @property
    def url(self) -> str:
        return f"http://{self._address}:{self._server.port}{self._path}"

    def start(self) -> None:
        self._server.start()
        self._events.emit("page.started", url=self.url)

    def _tell_lost_token(self, error: ConfigError) -> None:
        self._events.emit("page.token_lost", level="error", error=str(error), next_step=error.next_step)

    def stop(self) -> None:
        """Stop serving. Safe to call twice."""
        self._server.stop()
