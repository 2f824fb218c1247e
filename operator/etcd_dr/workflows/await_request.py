"""Wait for the answer of a request that was left."""

from __future__ import annotations

from collections.abc import Callable

from etcd_dr.domain.request import Request
from etcd_dr.errors import HistoryExpired, ResourceMissing
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.request_desk import RequestDesk

_FOLLOW_SECONDS = 30


def await_request(
    request: Request, *, desk: RequestDesk, clock: Clock, seconds: float, on_news: Callable[[Request], object]
) -> Request:
    """Return the request once it is answered, or as it is when the time is over; `on_news` hears of each change.

    Raises ResourceMissing when somebody deletes it meanwhile, and KubernetesError.
    """
    until = clock.monotonic() + seconds
    while not _is_answered(request) and (left := until - clock.monotonic()) > 0:
        try:
            request = _follow(request, desk=desk, seconds=max(1, min(_FOLLOW_SECONDS, round(left))), on_news=on_news)
        except HistoryExpired:
            request = _same(desk.look(request), request)
    return request


def _follow(request: Request, *, desk: RequestDesk, seconds: int, on_news: Callable[[Request], object]) -> Request:
    with desk.follow(request.kind, since=request.version, seconds=seconds) as following:
        for happening in following.happenings:
            if happening.request is None or happening.request.uid != request.uid:
                continue
            if happening.is_gone:
                raise _gone(request)
            request = happening.request
            on_news(request)
            if _is_answered(request):
                break
    return request


def _is_answered(request: Request) -> bool:
    return request.phase is not None and request.phase.is_final


def _same(found: Request, request: Request) -> Request:
    if found.uid != request.uid:
        raise _gone(request)
    return found


def _gone(request: Request) -> ResourceMissing:
    return ResourceMissing(
        "was deleted before it was answered",
        subject=f"{request.kind} {request.name}",
        next_step="What was begun goes on, and is in the store when it is done: etcd-dr snapshot list",
    )
