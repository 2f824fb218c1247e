"""Hears of the requests of one kind: lists them, follows what happens, and lists again when that ends.

- What is known is a cache for the one who decides; nothing is decided here.
- A listing shows all that was written before it, so whoever waits to see an own write has seen it then.
- An API that is gone is told once, and asked again ever more slowly, for as long as the process lives.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Lock, Thread

from etcd_dr.domain.request import Request, RequestKind
from etcd_dr.entrypoints.operator.job_door import as_ours
from etcd_dr.entrypoints.operator.request_metrics import RequestMetrics
from etcd_dr.errors import EtcdDrError, HistoryExpired
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.request_desk import Following, Happening, RequestDesk

_FOLLOW_SECONDS = 60
_SHORTEST_FOLLOW_SECONDS = 1.0
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0
_JOIN_SECONDS = 2.0


class RequestWatch:
    """One thread between `start` and `stop`. `on_news` is called after each change of what is known; it is quick."""

    def __init__(
        self,
        kind: RequestKind,
        *,
        desk: RequestDesk,
        clock: Clock,
        events: EventSink,
        metrics: RequestMetrics,
        resync_seconds: float,
        on_news: Callable[[], None],
    ) -> None:
        self.kind = kind
        self.listings = 0
        """How often all was listed; 0: nothing is known yet."""
        self._desk = desk
        self._clock = clock
        self._events = events
        self._metrics = metrics
        self._resync_seconds = resync_seconds
        self._on_news = on_news
        self._lock = Lock()
        self._known: dict[str, Request] = {}
        self._following: Following | None = None
        self._stopping = Event()
        self._is_told = False
        self._thread = Thread(target=self._run, name=f"watch-{kind.value}", daemon=True)
        metrics.followed.labels(kind=kind.value).set(0)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, also in the middle of following; `join` waits for it.

        An API that takes a request and does not even begin to answer is the one thing that goes on.
        """
        self._stopping.set()
        with self._lock:
            following = self._following
        if following is not None:
            following.stop()

    def join(self) -> None:
        """Wait for the thread, two seconds at most: it has nothing to lose, and work is waited for elsewhere."""
        if self._thread.is_alive():
            self._thread.join(_JOIN_SECONDS)

    def known(self) -> tuple[Request, ...]:
        """Return all requests and records of the kind, as they were last heard of."""
        with self._lock:
            return tuple(self._known.values())

    def look_once(self) -> None:
        """List, and follow until there is nothing more to tell or it is time to list again. Raises KubernetesError."""
        listing = self._desk.list(self.kind)
        with self._lock:
            self._known = {each.uid: each for each in listing.requests}
            self.listings += 1
        self._heard()
        until = self._clock.monotonic() + self._resync_seconds
        version = listing.version
        while not self._stopping.is_set() and self._clock.monotonic() < until:
            began = self._clock.monotonic()
            version = self._follow(version, max(1, min(_FOLLOW_SECONDS, round(until - began))))
            # A proxy that ends every watch at once must not make us ask without pause.
            self._stopping.wait(max(0.0, _SHORTEST_FOLLOW_SECONDS - (self._clock.monotonic() - began)))

    def _run(self) -> None:
        pause = _FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            try:
                self.look_once()
                pause = _FIRST_PAUSE_SECONDS
            except HistoryExpired:
                self._stopping.wait(_FIRST_PAUSE_SECONDS)
            except Exception as error:  # noqa: BLE001 - the last door of the thread: a watch that ends is deaf for ever
                self._lost(as_ours(error))
                self._stopping.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _follow(self, version: str, seconds: int) -> str:
        with self._desk.follow(self.kind, since=version, seconds=seconds) as following:
            with self._lock:
                self._following = following
            try:
                if self._stopping.is_set():  # it was set before there was anything to stop
                    return version
                for happening in following.happenings:
                    version = happening.version
                    self._take_in(happening)
            finally:
                with self._lock:
                    self._following = None
        return version

    def _take_in(self, happening: Happening) -> None:
        if happening.request is None:
            return
        with self._lock:
            if happening.is_gone:
                self._known.pop(happening.request.uid, None)
            else:
                self._known[happening.request.uid] = happening.request
        self._on_news()

    def _heard(self) -> None:
        self._metrics.followed.labels(kind=self.kind.value).set(1)
        if self._is_told:
            self._events.emit("requests.heard_again", kind=self.kind.value)
        self._is_told = False
        self._on_news()

    def _lost(self, error: EtcdDrError) -> None:
        self._metrics.followed.labels(kind=self.kind.value).set(0)
        self._metrics.failures.labels(code=error.code).inc()
        if not self._is_told:
            self._events.emit(
                "requests.unheard",
                level="warning",
                kind=self.kind.value,
                error_code=error.code,
                error=str(error),
                next_step=error.next_step,
            )
        self._is_told = True
