"""The Kubernetes API as the desk where requests are left; implements ports.request_desk.RequestDesk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

from etcd_dr.adapters.kubernetes.client import KubernetesApi, Watch
from etcd_dr.adapters.kubernetes.resources import (
    GROUP_VERSION,
    PLURALS,
    compose_record,
    compose_status,
    compose_wish,
    parse,
    record_name,
    time_text,
    without_nothing,
)
from etcd_dr.domain.request import Request, RequestKind, RequestStatus, Wish
from etcd_dr.ports.request_desk import Following, Happening, Listing, Record

_OWNER = "etcd-dr"
_PAGE = "500"
_MESSAGE_LIMIT = 1000  # core/v1 Event: the server refuses more than 1024


class KubernetesRequestDesk:
    """One namespace. `now` is asked for times that people read; `close` closes the client."""

    def __init__(self, api: KubernetesApi, *, now: Callable[[], datetime], holder: str) -> None:
        self._api = api
        self._now = now
        self._holder = holder

    def close(self) -> None:
        """End the client's connections."""
        self._api.close()

    def leave(self, wish: Wish) -> Request:
        return parse(wish.kind, self._api.create(self._path(wish.kind), compose_wish(wish)))

    def list(self, kind: RequestKind) -> Listing:
        found: list[Request] = []
        query = {"limit": _PAGE}
        while True:
            page = self._api.get(self._path(kind), **query)  # type: ignore[arg-type]  # it holds no `seconds`
            found += [parse(kind, each) for each in page.get("items") or ()]
            rest = page["metadata"].get("continue")
            if not rest:
                return Listing(tuple(found), str(page["metadata"]["resourceVersion"]))
            query = {"limit": _PAGE, "continue": rest}

    def look(self, request: Request) -> Request:
        return parse(request.kind, self._api.get(self._path(request.kind, request.name)))

    @contextmanager
    def follow(self, kind: RequestKind, *, since: str, seconds: int) -> Iterator[Following]:
        with self._api.watch(self._path(kind), since=since, seconds=seconds) as watch:
            yield Following(_happenings(kind, watch), watch.stop)

    def write_status(self, request: Request, status: RequestStatus) -> Request:
        document = compose_status(request.kind, status, seen=request.seen, now=self._now())
        body = {"metadata": {"resourceVersion": request.version}, "status": document}
        path = f"{self._path(request.kind, request.name)}/status"
        return parse(request.kind, self._api.merge(path, body))

    def remove(self, request: Request) -> None:
        self._api.delete(self._path(request.kind, request.name), uid=request.uid)

    def tell(self, request: Request, *, severity: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        at = time_text(self._now())
        body = {
            "metadata": {"generateName": f"{request.name[:200]}."},
            "involvedObject": {
                "apiVersion": GROUP_VERSION,
                "kind": request.kind.value,
                "name": request.name,
                "namespace": self._api.namespace,
                "uid": request.uid,
            },
            "type": severity,
            "reason": reason,
            "message": message[:_MESSAGE_LIMIT],
            "source": {"component": "etcd-dr", "host": self._holder},
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
        self._api.create(f"/api/v1/namespaces/{self._api.namespace}/events", body)

    def put_record(self, record: Record) -> None:
        kind, snapshot_id = RequestKind.SNAPSHOT, record.answer.snapshot_id
        body = compose_record(record.cluster, snapshot_id)
        path = self._path(kind, record_name(record.cluster, snapshot_id))
        made = self._api.apply(path, body, owner=_OWNER)
        seen = parse(kind, made).seen
        status = without_nothing(compose_status(kind, record.status, seen=seen, now=self._now()))
        named = {"apiVersion": GROUP_VERSION, "kind": kind.value, "metadata": {"name": body["metadata"]["name"]}}
        self._api.apply(f"{path}/status", {**named, "status": status}, owner=_OWNER)

    def _path(self, kind: RequestKind, name: str = "") -> str:
        collection = f"/apis/{GROUP_VERSION}/namespaces/{self._api.namespace}/{PLURALS[kind]}"
        return f"{collection}/{name}" if name else collection


def _happenings(kind: RequestKind, watch: Watch) -> Iterator[Happening]:
    for change in watch:
        document: dict[str, Any] = change.document
        version = str(document["metadata"]["resourceVersion"])
        if change.kind == "BOOKMARK":
            yield Happening(version)
        else:
            yield Happening(version, parse(kind, document), is_gone=change.kind == "DELETED")
