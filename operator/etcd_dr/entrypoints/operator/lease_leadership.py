"""Leadership by leases, and survival mode while there are none to be had.

- One thread makes a round each retry period (workflows/hold_leases.py). Everybody else asks what is known, and is
  answered at once: whether a term runs is a matter of the clock, also for a process that was just woken from a pause.
- When no round has succeeded for the duration of a lease, survival mode begins: urgent work is let through for every
  cluster, and the store keeps replicas apart. The first round that succeeds ends it.
- Leases are let go at the end, once work has ended, and while no work is under way where another replica asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from threading import Event, Lock, Thread

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.domain.leadership import LeaseTimings
from etcd_dr.errors import KubernetesError
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.leadership import LeadershipMode, Standing, Term
from etcd_dr.ports.leases import Leases
from etcd_dr.workflows.hold_leases import LeaseHolder, LeaseHooks

_BUG = "This is a bug in etcd-dr. Report it with this line; the store keeps replicas apart meanwhile."


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseParts:
    """`lease_names` by cluster. `now` is a steady clock in seconds. `look` is asked for a look at a cluster's schedule
    whenever this process has come to lead it, and for all of them when survival mode begins."""

    lease_names: Mapping[str, str]
    me: str
    leases: Leases
    timings: LeaseTimings
    clock: Clock
    now: Callable[[], float]
    cancellation: Cancellation
    events: EventSink
    look: Callable[[str], object]


class _TermSwitch(CancellationSwitch):
    """A switch of one term, that also stands as soon as the process is asked to stop."""

    def __init__(self, process: Cancellation) -> None:
        super().__init__()
        self._process = process

    @property
    def is_cancelled(self) -> bool:
        return super().is_cancelled or self._process.is_cancelled

    @property
    def reason(self) -> str:
        return super().reason or self._process.reason


@dataclass(slots=True)
class _OpenTerm:
    """Work under way in a term. `over` and `overtaken` are what it hears."""

    cluster: str
    fencing: int | None
    over: _TermSwitch
    overtaken: _TermSwitch

    def stop(self, reason: str) -> None:
        self.over.cancel(reason)
        self.overtaken.cancel(reason)


class LeaseLeadership:
    """Implements ports.leadership.Leadership; `start` and `stop` belong to one thread."""

    def __init__(self, parts: LeaseParts) -> None:
        self._parts = parts
        self._cluster_of = {lease: cluster for cluster, lease in parts.lease_names.items()}
        self._holder = LeaseHolder(
            self._cluster_of,
            me=parts.me,
            leases=parts.leases,
            timings=parts.timings,
            clock=parts.clock,
            now=parts.now,
            hooks=LeaseHooks(begun=self._begun, ended=self._ended, may_give=self._may_give, kept=self._kept),
        )
        self._lock = Lock()
        self._open: list[_OpenTerm] = []
        self._giving: set[str] = set()
        self._mode = LeadershipMode.LEASES
        self._answered_at = parts.now()
        self._survival_begun_at = 0.0
        self._silence = self._silence_code = ""
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="leases", daemon=True)

    @property
    def mode(self) -> LeadershipMode:
        return self._mode

    @property
    def silence(self) -> str:
        """Why no lease can be had, for a person; empty while the API answers."""
        return self._silence

    def standing(self, cluster: str) -> Standing:
        lease = self._parts.lease_names[cluster]
        leads = self._holder.leads(lease)
        return Standing(cluster, leads=leads, fencing=self._holder.fencing(lease), holder=self._holder.holder(lease))

    def standings(self) -> tuple[Standing, ...]:
        return tuple(self.standing(cluster) for cluster in self._parts.lease_names)

    @contextmanager
    def work(self, cluster: str, *, is_urgent: bool = False) -> Iterator[Term | None]:
        with ExitStack() as stack:
            term = self._enter(cluster, stack, is_urgent=is_urgent)
            yield term

    def give_way(self, cluster: str) -> None:
        self._holder.give_way(self._parts.lease_names[cluster])

    def start(self) -> None:
        """Begin to make rounds."""
        self._thread.start()

    def stop(self, *, is_clean: bool) -> None:
        """Make no more rounds, and let go of what is led, unless work goes on in spite of the stop."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2 * self._parts.timings.request_seconds + self._parts.timings.retry_seconds)
        if not is_clean or self._thread.is_alive():
            return
        with suppress(KubernetesError):  # then they run out
            self._holder.release_all("this process stops")

    def round(self) -> None:
        """Make one round; tests call it in place of the thread."""
        try:
            self._holder.round()
        except KubernetesError as error:
            self._not_answered(error)
        except Exception as error:  # noqa: BLE001 - the last door of the thread, without which no snapshot is ever taken
            self._not_answered(KubernetesError(f"unexpected {type(error).__name__}: {error}", next_step=_BUG))
        else:
            self._answered()
        self._tell_overtaken()

    def _run(self) -> None:
        while not self._stopping.is_set():
            begun_at = self._parts.now()
            self.round()
            self._stopping.wait(max(0.1, begun_at + self._parts.timings.retry_seconds - self._parts.now()))

    def _enter(self, cluster: str, stack: ExitStack, *, is_urgent: bool) -> Term | None:
        """Return a term with its switches linked to the wish to stop the process, for as long as the stack is open."""
        lease = self._parts.lease_names[cluster]
        with self._lock:
            leads = self._holder.leads(lease) and cluster not in self._giving
            if not leads and not (is_urgent and self._mode is LeadershipMode.SURVIVAL):
                return None
            fencing = self._holder.fencing(lease) if leads else None
            process = self._parts.cancellation
            opened = _OpenTerm(cluster, fencing, _TermSwitch(process), _TermSwitch(process))
            self._open.append(opened)
        stack.callback(self._close, opened)
        stack.enter_context(process.on_cancel(lambda: opened.stop(process.reason)))
        return Term(
            cluster=cluster,
            cancellation=opened.over,
            overtaken=opened.overtaken,
            mode=LeadershipMode.LEASES if leads else LeadershipMode.SURVIVAL,
            fencing=fencing,
            holder=self._parts.me,
            led_last=leads or self._holder.was_ours(lease),
            survived_seconds=0.0 if leads else self._parts.now() - self._survival_begun_at,
        )

    def _close(self, opened: _OpenTerm) -> None:
        with self._lock:
            self._open.remove(opened)

    def _begun(self, lease: str, fencing: int) -> None:
        cluster = self._cluster_of[lease]
        self._parts.events.emit("leadership.begun", cluster=cluster, fencing=fencing, holder=self._parts.me)
        self._parts.look(cluster)

    def _ended(self, lease: str, reason: str) -> None:
        cluster = self._cluster_of[lease]
        self._parts.events.emit("leadership.ended", cluster=cluster, reason=reason, holder=self._parts.me)
        with self._lock:
            over = [each.over for each in self._open if each.cluster == cluster and each.fencing is not None]
        for switch in over:
            switch.cancel(reason)

    def _may_give(self, lease: str) -> bool:
        cluster = self._cluster_of[lease]
        with self._lock:
            if any(each.cluster == cluster for each in self._open):
                return False
            self._giving.add(cluster)
            return True

    def _kept(self, lease: str) -> None:
        with self._lock:
            self._giving.discard(self._cluster_of[lease])

    def _tell_overtaken(self) -> None:
        """Stop work of a term that is not the last one any more: somebody else leads, and may do the same work."""
        with self._lock:
            opened = [each for each in self._open if each.fencing is not None]
        for each in opened:
            standing = self.standing(each.cluster)
            if standing.holder not in ("", self._parts.me) and standing.fencing != each.fencing:
                each.stop(f"{standing.holder} leads now")

    def _answered(self) -> None:
        self._answered_at = self._parts.now()
        self._silence = self._silence_code = ""
        if self._mode is LeadershipMode.SURVIVAL:
            self._mode = LeadershipMode.LEASES
            self._parts.events.emit("survival.ended")

    def _not_answered(self, error: KubernetesError) -> None:
        if error.code != self._silence_code:  # once, and not with each round of an outage
            self._parts.events.emit("leases.unanswered", level="warning", error_code=error.code, error=str(error))
        self._silence, self._silence_code = str(error), error.code
        silent_seconds = self._parts.now() - self._answered_at
        if self._mode is LeadershipMode.LEASES and silent_seconds >= self._parts.timings.lease_seconds:
            self._survival_begun_at = self._parts.now()
            self._mode = LeadershipMode.SURVIVAL
            self._parts.events.emit(
                "survival.begun",
                level="warning",
                error_code=error.code,
                error=str(error),
                next_step="Health, metrics and scheduled snapshots go on. See why the API does not answer: "
                "etcd-dr docs replicas",
            )
            for cluster in self._parts.lease_names:
                self._parts.look(cluster)
