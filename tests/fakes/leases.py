"""Leases in memory, shared by the processes of a test, each behind a connection of its own that can be cut.

api = FakeLeaseApi()
mine, theirs = api.connection(), api.connection()
mine.is_cut = True                    # every call of mine: ApiUnreachable, and nothing happens
mine.loses_answers = 1                # the next write is carried out and its answer lost
mine.refusal = ApiDenied("forbidden") # every call of mine
mine.on_call = lambda: clock.advance(4)   # what a hanging server costs
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Lock

from etcd_dr.domain.leadership import LeaseRecord
from etcd_dr.errors import ApiDenied, ApiUnreachable, KubernetesError, ResourceConflict


class FakeLeaseApi:
    """What is stored; `writes` counts what was carried out."""

    def __init__(self) -> None:
        self.records: dict[str, LeaseRecord] = {}
        self.writes = 0
        self._mutex = Lock()

    def connection(self) -> FakeLeases:
        return FakeLeases(self)

    def put(self, record: LeaseRecord) -> LeaseRecord:
        with self._mutex:
            stored = self.records.get(record.name)
            if record.version != (stored.version if stored else ""):
                raise ResourceConflict("was changed", subject=record.name, next_step="Read it again.")
            self.writes += 1
            self.records[record.name] = after = replace(record, version=str(self.writes))
            return after


class FakeLeases:
    """Implements ports.leases.Leases for one process."""

    def __init__(self, api: FakeLeaseApi) -> None:
        self.is_cut = False
        self.loses_answers = 0
        self.refusal: KubernetesError | None = None
        self.refused_names: set[str] = set()
        self.on_call: Callable[[], object] | None = None
        self._api = api

    def list(self) -> tuple[LeaseRecord, ...]:
        self._begin()
        return tuple(self._api.records.values())

    def put(self, record: LeaseRecord) -> LeaseRecord:
        self._begin()
        if record.name in self.refused_names:
            raise ApiDenied("an admission rule says no", subject=record.name)
        stored = self._api.put(record)
        if self.loses_answers:
            self.loses_answers -= 1
            raise self._silence()
        return stored

    def _begin(self) -> None:
        if self.on_call is not None:
            self.on_call()
        if self.refusal is not None:
            raise self.refusal
        if self.is_cut:
            raise self._silence()

    def _silence(self) -> ApiUnreachable:
        return ApiUnreachable("no answer", subject="fake api", next_step="Wait.")
