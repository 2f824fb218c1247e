"""A desk in memory that keeps the port's contract, and is gone where a test says so.

desk = FakeRequestDesk(clock)
desk.leave(Wish(RequestKind.SNAPSHOT, "prod", "now"))   # a person creates a request
desk.failure = ApiUnreachable("gone")                   # every call, until it is None again
desk.forget_history()                                   # the next `follow` was too long ago
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from threading import Condition
from typing import Literal

from etcd_dr.domain.request import Request, RequestKind, RequestStatus, Wish
from etcd_dr.errors import EtcdDrError, HistoryExpired, ResourceConflict, ResourceMissing
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.request_desk import Following, Happening, Listing, Record


@dataclass(frozen=True, slots=True)
class Word:
    """What was told beside a request."""

    about: str
    severity: str
    reason: str
    message: str


@dataclass
class FakeRequestDesk:
    """Implements ports.request_desk.RequestDesk. `statuses` are the last ones written, by name."""

    clock: Clock
    failure: EtcdDrError | None = None
    statuses: dict[str, RequestStatus] = field(default_factory=dict)
    words: list[Word] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._kept: dict[tuple[RequestKind, str], Request] = {}
        self._history: list[tuple[RequestKind, Happening]] = []
        self._versions = count(1)
        self._uids = count(1)
        self._version = 0
        self._failed = Condition()
        self.failures_met = 0
        self._floor = 0

    def leave(self, wish: Wish) -> Request:
        self._answer()
        name = wish.name or f"{wish.cluster}-{next(self._uids)}"
        if (wish.kind, name) in self._kept:
            raise ResourceConflict("already exists", subject=name)
        request = self._new(wish.kind, name, wish.cluster)
        return self._keep(
            replace(request, note=wish.note, wants_pin=wish.wants_pin, selector=wish.selector, ttl=wish.ttl)
        )

    def wait_for_failures(self, count: int, *, seconds: float) -> None:
        """Return when so many calls have failed."""
        with self._failed:
            assert self._failed.wait_for(lambda: self.failures_met >= count, timeout=seconds)

    def touch(self, request: Request) -> Request:
        """Change something of no meaning in it, as a person who adds a label."""
        return self._keep(self._kept[request.kind, request.name])

    def go(self, failure: EtcdDrError) -> None:
        """Fail every call from now on."""
        self.failure = failure

    def replace_as_it_is(self, request: Request) -> Request:
        """Let a request be what no schema would let in."""
        return self._keep(request)

    def now(self, request: Request) -> Request:
        """Return the request as it is, without a call that may fail."""
        return self._kept[request.kind, request.name]

    def forget_history(self) -> None:
        self._floor = self._version

    def list(self, kind: RequestKind) -> Listing:
        self._answer()
        return Listing(tuple(each for (of, _), each in tuple(self._kept.items()) if of is kind), str(self._version))

    def look(self, request: Request) -> Request:
        self._answer()
        return self._find(request)

    @contextmanager
    def follow(
        self,
        kind: RequestKind,
        *,
        since: str,
        seconds: int,
    ) -> Iterator[Following]:
        self._answer()
        yield Following(self._happenings(kind, int(since)), lambda: None)

    def write_status(self, request: Request, status: RequestStatus) -> Request:
        self._answer()
        self._same_version(request)
        self.statuses[request.name] = status
        return self._keep(
            replace(
                request,
                phase=status.phase,
                claimed_by=status.claimed_by,
                started_at=status.started_at,
                finished_at=status.finished_at,
                answer=status.answer,
                failure=status.failure,
            )
        )

    def remove(self, request: Request) -> None:
        self._answer()
        if self._find(request).uid != request.uid:
            raise ResourceConflict("another object has its name", subject=request.name)
        gone = self._kept.pop((request.kind, request.name))
        self._tell(gone, is_gone=True)

    def tell(self, request: Request, *, severity: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        self._answer()
        self.words.append(Word(request.name, severity, reason, message))

    def put_record(self, record: Record) -> None:
        self._answer()
        name = f"{record.cluster}-{record.answer.snapshot_id.lower()}"
        before = self._kept.get((RequestKind.SNAPSHOT, name))
        made = before or replace(self._new(RequestKind.SNAPSHOT, name, record.cluster), is_record=True)
        finished_at = record.status.finished_at
        after = replace(made, phase=record.status.phase, finished_at=finished_at, answer=record.answer)
        if before != after:
            self.statuses[name] = record.status
            self._keep(after)

    def _new(self, kind: RequestKind, name: str, cluster: str) -> Request:
        return Request(kind, name, f"uid-{next(self._uids)}", "", cluster, created_at=self.clock.now())

    def _keep(self, request: Request) -> Request:
        kept = self._tell(request)
        self._kept[request.kind, request.name] = kept
        return kept

    def _tell(self, request: Request, *, is_gone: bool = False) -> Request:
        self._version = next(self._versions)
        told = replace(request, version=str(self._version))
        self._history.append((request.kind, Happening(told.version, told, is_gone=is_gone)))
        return told

    def _find(self, request: Request) -> Request:
        found = self._kept.get((request.kind, request.name))
        if found is None:
            raise ResourceMissing("not found", subject=request.name)
        return found

    def _same_version(self, request: Request) -> None:
        if self._find(request).version != request.version:
            raise ResourceConflict("somebody wrote it since", subject=request.name)

    def _happenings(self, kind: RequestKind, since: int) -> Iterator[Happening]:
        if since < self._floor:
            raise HistoryExpired("too old", subject=kind.value)
        for of, happening in tuple(self._history):
            if of is kind and int(happening.version) > since:
                self._answer()
                yield happening

    def _answer(self) -> None:
        failure = self.failure
        if failure is not None:
            with self._failed:
                self.failures_met += 1
                self._failed.notify_all()
            raise failure
