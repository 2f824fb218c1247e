"""Where people leave requests, and where answers and records are put: an API that may be gone at any moment.

Contract:
- Nothing here is needed to protect a cluster, and nothing here is kept only here: a lost record is made anew from the
  store, and a lost request was a wish.
- `write_status` and `remove` speak of the object that was seen: they raise ResourceConflict when somebody wrote it
  since, which is what keeps two processes from carrying out one request, and ResourceMissing when it is gone.
- Every call ends within seconds, except the reading of `follow`, which ends after the time that was asked for.
- All raise ApiUnreachable, ApiDenied, ResourceInvalid and KubernetesError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from etcd_dr.domain.request import Request, RequestKind, RequestStatus, SnapshotAnswer, Wish


@dataclass(frozen=True, slots=True)
class Listing:
    """All requests and records of one kind, and the version from which to follow what happens next."""

    requests: tuple[Request, ...]
    version: str


@dataclass(frozen=True, slots=True)
class Happening:
    """One change. `request` None: only time passed, and `version` is where to go on."""

    version: str
    request: Request | None = None
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class Following:
    """What happens, in order; iterating ends when the time is over. `stop` may be called from any thread."""

    happenings: Iterator[Happening]
    stop: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Record:
    """A snapshot of the store as it is shown: one for each cluster and snapshot id, whoever shows it."""

    cluster: str
    status: RequestStatus
    answer: SnapshotAnswer


class RequestDesk(Protocol):
    """Safe from any thread."""

    def leave(self, wish: Wish) -> Request:
        """Leave a request, as a person does, and return it. Raises ResourceConflict when its name is taken."""
        ...

    def list(self, kind: RequestKind) -> Listing:
        """Return all that is there now."""
        ...

    def look(self, request: Request) -> Request:
        """Return the object that has its kind and name now, which may be another by its uid."""
        ...

    def follow(self, kind: RequestKind, *, since: str, seconds: int) -> AbstractContextManager[Following]:
        """Follow what happens after `since`. Raises HistoryExpired, then or later, when that was too long ago."""
        ...

    def write_status(self, request: Request, status: RequestStatus) -> Request:
        """Replace the status if nobody wrote the request since it was seen, and return it as it is now."""
        ...

    def remove(self, request: Request) -> None:
        """Remove this very object, and no other that has its name by now."""
        ...

    def tell(self, request: Request, *, severity: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """Leave a word for people beside the request."""
        ...

    def put_record(self, record: Record) -> None:
        """Create or correct a record. Saying the same twice changes nothing that is shown."""
        ...
