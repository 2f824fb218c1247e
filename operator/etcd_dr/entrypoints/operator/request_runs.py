"""The work on requests: claimed, carried out by the cluster's keeper in a few threads, and answered.

- A request is held from when it is handed over until its answer is written, and nobody else here begins it meanwhile.
- An answer that cannot be written waits; it is taken out while it is tried, so that no two threads write it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock

from etcd_dr.domain.request import UID_LABEL, Request, RequestKind, RequestStatus
from etcd_dr.domain.request_status import drill_completed, snapshot_completed
from etcd_dr.entrypoints.operator.clerk_parts import ClerkParts, RequestTeller
from etcd_dr.entrypoints.operator.job_door import as_ours
from etcd_dr.ports.leadership import Term
from etcd_dr.workflows.answer_request import carry_out, claim, report


@dataclass(frozen=True, slots=True)
class _Answer:
    claimed: Request
    status: RequestStatus


class RequestRuns:
    """Safe from any thread. `on_end` is called when a request that was claimed here is done with; it is quick."""

    def __init__(self, parts: ClerkParts, *, teller: RequestTeller, on_end: Callable[[], None]) -> None:
        self._parts = parts
        self._ports = parts.ports
        self._teller = teller
        self._on_end = on_end
        self._lock = Lock()
        self._held: set[str] = set()
        self._unreported: list[_Answer] = []
        self._works: list[Future[None]] = []
        self._pool = ThreadPoolExecutor(parts.workers, thread_name_prefix="requests")

    def held(self) -> frozenset[str]:
        """Return the uids that are worked on, or whose answers wait."""
        with self._lock:
            return frozenset(self._held)

    def begin(self, request: Request) -> None:
        """Hand a request over to a thread; nothing is begun any more once this was stopped."""
        with self._lock:
            self._held.add(request.uid)
        try:
            work = self._pool.submit(self._work, request)
        except RuntimeError:  # the process is stopping
            self._let_go(request)
            return
        with self._lock:
            self._works = [each for each in self._works if not each.done()] + [work]

    def wait(self) -> None:
        """Return when what was begun so far has ended."""
        with self._lock:
            works = tuple(self._works)
        wait(works)

    def stop(self) -> None:
        """Wait for the work that was begun, which has heard the wish to stop by itself, and give the rest back."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.report()

    def report(self, *, only: str | None = None) -> None:
        """Write the answers that wait; what cannot be written waits for the next call."""
        with self._lock:
            waiting = [each for each in self._unreported if only in (None, each.claimed.uid)]
            self._unreported = [each for each in self._unreported if each not in waiting]
        for each in waiting:
            try:
                report(each.claimed, each.status, ports=self._ports)
            except Exception as error:  # noqa: BLE001 - whatever it is, the answer is still there
                with self._lock:
                    self._unreported.append(each)
                self._teller.waits(each.claimed, as_ours(error))
                continue
            self._let_go(each.claimed)
            self._parts.metrics.unreported.dec()
            self._teller.answered(each.claimed, each.status)

    def _work(self, request: Request) -> None:
        was_claimed = False
        try:
            with self._parts.leadership.work(request.cluster) as term:
                claimed = claim(request, ports=self._ports) if term is not None else None
                if claimed is not None and term is not None:
                    was_claimed = True
                    self._answer(claimed, term)
        except Exception as error:  # noqa: BLE001 - the last door of this thread: the request is let go, whatever it is
            self._teller.waits(request, as_ours(error))
        if was_claimed:
            self._on_end()
        else:
            self._let_go(request)

    def _answer(self, claimed: Request, term: Term) -> None:
        def run(mine: Request) -> RequestStatus:
            try:
                return self._carry_out(mine, term)
            except Exception as error:
                raise as_ours(error) from error

        answer = _Answer(claimed, carry_out(claimed, run, ports=self._ports))
        with self._lock:
            self._unreported.append(answer)
        self._parts.metrics.unreported.inc()
        self.report(only=claimed.uid)

    def _carry_out(self, claimed: Request, term: Term) -> RequestStatus:
        keeper = self._parts.keepers[claimed.cluster]
        asked_by = f"{claimed.kind} {claimed.name}"
        labels = {"request": claimed.name, UID_LABEL: claimed.uid, **({"note": claimed.note} if claimed.note else {})}
        if claimed.kind is RequestKind.DRILL:
            outcome = keeper.drill_now(term, selector=claimed.selector, taken_by=asked_by, labels=labels)
            return drill_completed(
                claimed,
                outcome.snapshot,
                proof=outcome.proof,
                record=outcome.record,
                checks=outcome.checks,
                at=self._ports.clock.now(),
            )
        pin_reason = (claimed.note or f"asked for by {asked_by}") if claimed.wants_pin else None
        snapshot = keeper.save_now(term, taken_by=asked_by, labels=labels, pin_reason=pin_reason)
        store = self._parts.board.of(claimed.cluster).store
        return snapshot_completed(claimed, snapshot, store=store, at=self._ports.clock.now())

    def _let_go(self, request: Request) -> None:
        with self._lock:
            self._held.discard(request.uid)
