"""Translates what Talos, gRPC and TLS say into our errors: the one place that knows their codes and sentences.

- Talos passes etcd's errors on as UNKNOWN with etcd's sentence (`etcdserver: ...`), because etcd's own error type
  carries no gRPC status: the text is what counts.
- `not authorized` is a role that is missing in our certificate. The error names the role that is needed and the
  roles that are there, and says what has to be changed, in the cluster and outside of it.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from etcd_dr.domain.talos import missing_role
from etcd_dr.errors import (
    AccessDenied,
    EtcdError,
    MemberTimeout,
    MemberUnreachable,
    StreamBroken,
    TlsRefused,
)

_DETAIL_LIMIT = 300

_NOT_OURS = (
    "The talosconfig belongs to another cluster, or to an earlier generation of this one; or the node is in "
    "maintenance mode and has no configuration yet. Compare with: talosctl --talosconfig FILE config info"
)


def detail_of(error: GRPCError) -> str:
    return (error.message or "")[:_DETAIL_LIMIT]


def from_answer(
    error: GRPCError, *, call: str, address: str, seconds: float, roles: Sequence[str], is_sensitive: bool = False
) -> EtcdError:
    """Return our error for a call that the node answered with a failure."""
    detail = detail_of(error)
    context = {"call": call, "grpc_status": error.status.name, "detail": detail}
    if error.status is Status.DEADLINE_EXCEEDED:
        return timed_out(call, address=address, seconds=seconds)
    if error.status is Status.PERMISSION_DENIED and "not authorized" in detail:
        return denied(call, address=address, roles=roles, is_sensitive=is_sensitive, context=context)
    if error.status in (Status.PERMISSION_DENIED, Status.UNAUTHENTICATED):
        return AccessDenied(f"{call}: {detail}", subject=address, next_step=_ROLES, context=context)
    if error.status is Status.UNAVAILABLE:
        return MemberUnreachable(
            f"{call}: {detail or 'the node is not available'}",
            subject=address,
            next_step="Try again when it is up: etcd-dr doctor",
            context=context,
        )
    return EtcdError(
        f"{call}: {_in_short(detail) or error.status.name.lower()}",
        subject=address,
        next_step="See how the nodes are: etcd-dr doctor",
        context={**context, "reason": _reason(error.status, detail)},
    )


def denied(
    call: str, *, address: str, roles: Sequence[str], is_sensitive: bool, context: dict[str, str]
) -> AccessDenied:
    """Return the error for a role that is missing."""
    needed = missing_role(call, roles, is_sensitive=is_sensitive)
    own = ", ".join(roles) or "none"
    return AccessDenied(
        f"{call} needs the role {needed}, and this certificate has: {own}",
        subject=address,
        next_step=f"In a pod: add {needed} to spec.roles of the talos.dev ServiceAccount, and to allowedRoles of the "
        "control planes' Kubernetes access to the Talos API (deploy/talos/). Outside, with an os:admin talosconfig: "
        f"talosctl config new --roles {needed} talosconfig",
        context={**context, "needed_role": str(needed), "own_roles": own, "reason": "role"},
    )


HUNG_UP = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""What a node that went away amid TLS leaves us with; one that refuses us sends an alert."""

_ROLES = "See which role the call needs (etcd-dr docs talos), and which your certificate has: talosctl config info"


def timed_out(call: str, *, address: str, seconds: float) -> MemberTimeout:
    """Return the error for a node that did not answer in time."""
    about_etcd = call.startswith("Etcd")
    return MemberTimeout(
        f"no answer to {call} within {seconds:g} s",
        subject=address,
        next_step="Talos waits for etcd when etcd is down. See its state: etcd-dr doctor"
        if about_etcd
        else "The node may be down, restarting, or behind a firewall: etcd-dr doctor",
        context={"call": call, "deadline_seconds": seconds, "reason": "deadline"},
    )


def stalled(call: str, *, address: str, seconds: float, received_bytes: int) -> MemberTimeout:
    """Return the error for a stream that stood still."""
    return MemberTimeout(
        f"{call} stood still for {seconds:g} s after {received_bytes} bytes",
        subject=address,
        next_step="Talos has no limit of its own for it (siderolabs/talos#14212). Begin again, or take it from another "
        "node: etcd-dr doctor",
        context={"call": call, "reason": "stalled", "received_bytes": received_bytes},
    )


def out_of_time(call: str, *, address: str, seconds: float, received_bytes: int) -> MemberTimeout:
    """Return the error for a stream that took too long as a whole."""
    return MemberTimeout(
        f"{call} was not finished within {seconds:g} s, after {received_bytes} bytes",
        subject=address,
        next_step="Allow more time for a database of this size (snapshot.total_timeout), or take it from another node.",
        context={"call": call, "reason": "deadline", "received_bytes": received_bytes},
    )


def broken_stream(error: GRPCError, *, call: str, address: str, received_bytes: int) -> EtcdError:
    """Return the error for a stream that failed after it had already carried data."""
    return StreamBroken(
        f"the node gave up {call} after {received_bytes} bytes: {detail_of(error) or error.status.name.lower()}",
        subject=address,
        next_step="Take it from another node: etcd-dr doctor",
        context={
            "call": call,
            "grpc_status": error.status.name,
            "detail": detail_of(error),
            "received_bytes": received_bytes,
        },
    )


def closed(call: str, *, address: str) -> EtcdError:
    """Return the error for a call over a connection that this side has closed."""
    return EtcdError(f"{call}: the connection was closed", subject=address, context={"call": call, "reason": "closed"})


def from_connection(error: BaseException, *, call: str, address: str) -> EtcdError:
    """Return our error for a connection that did not come about, or broke."""
    if isinstance(error, ssl.SSLError) and not isinstance(error, HUNG_UP):
        return _from_tls(error, call=call, address=address)
    said = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        said = error.strerror
    return MemberUnreachable(
        f"{call}: no connection: {said[:_DETAIL_LIMIT]}",
        subject=address,
        next_step="If the node is up, check that port 50000 is reachable from here and that this is its own address, "
        "not that of a load balancer or the VIP (the VIP goes with etcd's quorum).",
        context={"call": call, "detail": said[:_DETAIL_LIMIT]},
    )


def _from_tls(error: ssl.SSLError, *, call: str, address: str) -> TlsRefused:
    said = getattr(error, "verify_message", "") or error.reason or str(error)
    reason, what, next_step = _tls_reason(str(error), str(said))
    return TlsRefused(
        f"{call}: {what}",
        subject=address,
        next_step=next_step,
        context={"call": call, "reason": reason, "detail": str(said)[:_DETAIL_LIMIT]},
    )


# In this order: words in OpenSSL's text, a word for programs, what happened, what to do. An alert is the node's.
_TLS: tuple[tuple[tuple[str, ...], str, str, str], ...] = (
    (
        ("mismatch",),
        "name",
        "the node's certificate is not for this address",
        "Use an address that the certificate has, or add this one to machine.certSANs of the node.",
    ),
    (
        ("alert", "expired"),
        "client-expired",
        "our certificate has expired, says the node",
        "If it has not, the node's clock is wrong (talosctl time); else make a new one: talosctl config new talosconfig",
    ),
    (
        ("expired",),
        "expired",
        "the node's certificate has expired",
        "Check the clock of this machine and of the node: talosctl time",
    ),
    (("alert", "unknown ca"), "client-authority", "the node does not know the authority of our certificate", _NOT_OURS),
    (("alert",), "client-certificate", "the node refuses our certificate", _NOT_OURS),
    (
        ("wrong version number",),
        "not-tls",
        "this port does not speak TLS",
        "Talos' API listens on port 50000. Check the address, and whether a proxy stands in between.",
    ),
    (
        ("verify failed",),
        "authority",
        "the node's certificate is not signed by the talosconfig's authority",
        _NOT_OURS,
    ),
    ((), "handshake", "the TLS handshake failed", _NOT_OURS),
)


def _tls_reason(text: str, said: str) -> tuple[str, str, str]:
    lowered = f"{text} {said}".lower().replace("_", " ")
    found = next(row for row in _TLS if all(word in lowered for word in row[0]))
    return found[1], f"{found[2]} ({said})", found[3]


def _in_short(detail: str) -> str:
    return " ".join(detail.split())


def _reason(status: Status, detail: str) -> str:
    """Return a word for what programs must tell apart."""
    if "not supported for learner" in detail:
        return "learner"
    if "only available on control plane nodes" in detail:
        return "worker"
    if "no controlplane endpoints discovered yet" in detail:
        return "no-endpoints"
    return {
        Status.NOT_FOUND: "not-found",
        Status.ALREADY_EXISTS: "already-exists",
        Status.FAILED_PRECONDITION: "not-ready",
        Status.UNIMPLEMENTED: "unimplemented",
    }.get(status, "refused")
