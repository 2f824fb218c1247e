"""What the steps on Talos share: the way to a node, a look at it, and waiting for what a node will show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TypeVar

from etcd_dr.domain.recovery.sight import NodeSight
from etcd_dr.domain.recovery.talos_sight import TalosSight
from etcd_dr.domain.talos import BOOT_ID_FILE
from etcd_dr.errors import AccessDenied, EtcdError, MemberTimeout, NodeFault, RecoveryError, TlsRefused, UsageError
from etcd_dr.ports.talos import TalosActor
from etcd_dr.workflows.recovery.talos_driver import TalosDriver
from etcd_dr.workflows.recovery.talos_look import look_at
from etcd_dr.workflows.recovery.work import Work

Answer = TypeVar("Answer")


def driver_of(work: Work) -> TalosDriver:
    """Return how Talos is driven. Raises UsageError where this recovery runs without Talos' configuration."""
    if work.ports.talos is None:
        raise UsageError(
            "is a plan for Talos, and nothing says how Talos is reached",
            subject=f"recovery {work.recovery_id}",
            next_step="Go on with the configuration that it was made with: --talosconfig FILE --nodes IP,IP,IP",
        )
    return work.ports.talos


@contextmanager
def talos_node(work: Work, name: str) -> Iterator[TalosActor]:
    """Lend a connection to a node; nothing is asked yet."""
    with closing(driver_of(work).fleet.open(name)) as node:
        yield node


def look_at_node(work: Work, name: str) -> NodeSight:
    """Return what a node shows now. Raises EtcdError where it cannot be asked."""
    with talos_node(work, name) as node:
        return look_at(node, name=name, deadline=driver_of(work).limits.call_deadline)


def boot_id(work: Work, name: str) -> str:
    """Return what is another one after each boot (proc(5), random/boot_id). Needs os:admin."""
    with talos_node(work, name) as node:
        body = node.read_file(BOOT_ID_FILE, limit_bytes=128, deadline=driver_of(work).limits.call_deadline)
    return body.decode("ascii", "replace").strip()


def talos_of(sight: NodeSight) -> TalosSight:
    """Return what only Talos says. Raises NodeFault where the sight is none of a Talos node."""
    if sight.talos is None:
        raise NodeFault("is no Talos node", subject=sight.node)
    return sight.talos


def has_no_data(sight: NodeSight) -> bool:
    """Whether the data directory was seen, and is empty."""
    return sight.data is not None and sight.data.is_empty


def service_words(sight: NodeSight) -> str:
    """Return where etcd stands on a node, in Talos' own words."""
    told = talos_of(sight)
    return f"etcd is {told.service_state or 'unknown'}: {told.service_text}"


def through_any(work: Work, names: Sequence[str], ask: Callable[[TalosActor], Answer]) -> Answer:
    """Return the first answer of these nodes. Raises AccessDenied at once, with the role; else what the last one said."""
    last: EtcdError | None = None
    for name in names:
        try:
            with talos_node(work, name) as node:
                return ask(node)
        except AccessDenied:
            raise
        except EtcdError as error:
            last = error
    raise last or RecoveryError("no node is named to go through", subject=work.recovery_id)


def wait_for_nodes(
    work: Work, look: Callable[[], Answer | None], *, seconds: float, problem: Callable[[], str]
) -> Answer:
    """Look until there is an answer; a node that is silent meanwhile is waited for, one that refuses us is not.

    Raises MemberTimeout with the last problem, AccessDenied, TlsRefused, Cancelled, and what `look` raises beside
    EtcdError.
    """
    clock, limits = work.ports.clock, driver_of(work).limits
    ends_at = clock.monotonic() + seconds
    silent = ""
    while True:
        try:
            found = look()
            silent = ""
        except (AccessDenied, TlsRefused):
            raise
        except EtcdError as error:
            found, silent = None, f"{error.subject}: {error.message}"
        if found is not None:
            return found
        if clock.monotonic() >= ends_at:
            raise MemberTimeout(
                f"{silent or problem()} (waited {seconds:.0f} s)",
                subject=work.plan.cluster,
                next_step="See how the nodes are: etcd-dr doctor",
                context={"reason": "deadline"},
            )
        work.ports.pause(limits.look_again)
