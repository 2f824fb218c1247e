"""Translates what gRPC and etcd say into our errors: the one place that knows their codes and sentences.

- etcd's own sentences begin with `etcdserver:` and are constants of its API (etcd: api/v3rpc/rpctypes/error.go).
  They say more than the status code, which differs between versions for the same sentence.
- Some of its inner errors come out as they are, with the code UNKNOWN: `auth: ...` from the store of users and roles,
  `mvcc: ...` from that of keys, `raft proposal dropped` for a write in the instant in which there is no leader.
- `UNAVAILABLE` without such a sentence is gRPC speaking of the connection: `is_connection_failure`. Its text is poor,
  so the client asks `diagnosis` first and falls back to `translate`.
- Texts from the other side are evidence in `context`, shortened.
"""

from __future__ import annotations

import grpc

from etcd_dr.errors import (
    AccessDenied,
    EtcdError,
    MemberTimeout,
    MemberUnreachable,
    RevisionUnavailable,
    StreamBroken,
    TlsRefused,
)

_Code = grpc.StatusCode
_DETAIL_LIMIT = 300

_REFUSAL_CODES = (_Code.UNAUTHENTICATED, _Code.PERMISSION_DENIED)

# Parts of etcd's sentences. `user name is empty` is the answer to a call without a token where one is needed.
_NOT_ALLOWED = (
    "permission denied",
    "authentication failed",
    "invalid auth token",
    "user name is empty",
    "user name not",
)
_STALE_TOKEN = ("invalid auth token", "revision of auth store is old")
_LEADER_CHANGED = "leader changed"
_NO_QUORUM = ("request timed out", "no leader", "raft proposal dropped", _LEADER_CHANGED)
# Refusals of a change, with the reason that ports/etcd_admin.py promises. etcd answers some of them with UNAVAILABLE.
_REFUSED_CHANGES = {
    "can only promote a learner member which is in sync": "not-ready",
    "can only promote a learner": "not-learner",
    "member not found": "not-found",
    "unhealthy cluster": "unhealthy",
    "not enough started members": "unhealthy",
    "too many learner": "too-many-learners",
    "Peer URLs already exists": "exists",
    "member ID already exist": "exists",
    "database space exceeded": "no-space",
}
_TLS_WORDS = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification", "handshake failed", "TSI_", "security handshaker")


def detail_of(error: grpc.RpcError) -> str:
    """Return what the other side or gRPC said, shortened; it may be empty."""
    return (error.details() or "")[:_DETAIL_LIMIT]


def is_from_etcd(error: grpc.RpcError) -> bool:
    """Tell whether the member itself answered, as opposed to gRPC giving up."""
    return detail_of(error).startswith(("etcdserver:", "auth:", "mvcc:", "raft "))


def is_connection_failure(error: grpc.RpcError) -> bool:
    """Tell whether no connection came about, or it broke."""
    return error.code() is _Code.UNAVAILABLE and not is_from_etcd(error)


def is_stale_token(error: grpc.RpcError) -> bool:
    """Tell whether a new token may cure this: expired, lost in a restart, or older than a change of users and roles."""
    return any(part in detail_of(error) for part in _STALE_TOKEN)


def is_auth_off(error: grpc.RpcError) -> bool:
    """Tell whether the member says that no authentication is needed."""
    return "authentication is not enabled" in detail_of(error)


def is_out_of_time(error: grpc.RpcError) -> bool:
    """Tell whether the deadline passed: on our side, or on the member's, which is told of it and may be the first."""
    return error.code() is _Code.DEADLINE_EXCEEDED or detail_of(error) == "context deadline exceeded"


def translate(error: grpc.RpcError, *, call: str, endpoint: str, seconds: float) -> EtcdError:
    """Return our error for a failed call; the caller raises it from `error`."""
    context = {"call": call, "grpc_status": error.code().name, "detail": detail_of(error)}
    if is_out_of_time(error):
        return timed_out(call, endpoint=endpoint, seconds=seconds)
    if is_from_etcd(error) or error.code() in _REFUSAL_CODES:
        return _from_etcd(error, call=call, endpoint=endpoint, context=context)
    if error.code() is _Code.UNAVAILABLE:
        return _from_connection(error, call=call, endpoint=endpoint, context=context)
    return EtcdError(
        f"{call} failed: {error.code().name.lower()}: {detail_of(error)}",
        subject=endpoint,
        next_step="Check that this address is an etcd member's client URL and not a proxy or its metrics port: "
        f"etcdctl --endpoints {endpoint} endpoint status",
        context={**context, "reason": "unexpected"},
    )


def timed_out(call: str, *, endpoint: str, seconds: float) -> MemberTimeout:
    """Return the error for a member that did not answer within `seconds`."""
    return MemberTimeout(
        f"no answer to {call} within {seconds:g} s",
        subject=endpoint,
        next_step="The member may be stopped, overloaded, or behind a firewall. See whether it answers at all: "
        f"etcdctl --endpoints {endpoint} endpoint status",
        context={"call": call, "deadline_seconds": seconds, "reason": "deadline"},
    )


def broken_stream(error: grpc.RpcError, *, endpoint: str, received_bytes: int, seconds: float) -> EtcdError:
    """Return the error for a snapshot that failed after it had already carried data."""
    context = {"grpc_status": error.code().name, "detail": detail_of(error), "received_bytes": received_bytes}
    if is_out_of_time(error):
        return MemberTimeout(
            f"the snapshot was not finished within {seconds:g} s, after {received_bytes} bytes",
            subject=endpoint,
            next_step="Allow more time for a database of this size, or take it from a member with a better connection.",
            context={**context, "reason": "deadline"},
        )
    if is_connection_failure(error):
        return MemberUnreachable(
            f"the connection broke off after {received_bytes} bytes of the snapshot",
            subject=endpoint,
            next_step="Look for a restart in the member's log; then begin again.",
            context=context,
        )
    return StreamBroken(
        f"the member gave up the snapshot after {received_bytes} bytes: {detail_of(error) or error.code().name.lower()}",
        subject=endpoint,
        next_step="Look for the reason in the member's log, and take the snapshot from another one: etcd-dr members",
        context=context,
    )


def _from_etcd(error: grpc.RpcError, *, call: str, endpoint: str, context: dict[str, str]) -> EtcdError:
    said = detail_of(error).removeprefix("etcdserver: ")
    if "compacted" in said or "future revision" in said:
        reason = "compacted" if "compacted" in said else "future"
        return RevisionUnavailable(
            f"{call}: {said}",
            subject=endpoint,
            next_step="Ask for a revision between the compact revision and the current one.",
            context={**context, "reason": reason},
        )
    if said.startswith("auth:") or error.code() in _REFUSAL_CODES or any(part in said for part in _NOT_ALLOWED):
        return _denied(said.removeprefix("auth: "), call=call, endpoint=endpoint, context=context)
    if any(part in said for part in _NO_QUORUM):
        return MemberTimeout(
            f"{call}: {said}: the member does not reach a quorum, or is electing a leader",
            subject=endpoint,
            next_step="See which members are up: etcd-dr health",
            context={**context, "reason": "leader-changed" if _LEADER_CHANGED in said else "no-quorum"},
        )
    if "not supported for learner" in said:
        return EtcdError(
            f"{call} is not served by a learner",
            subject=endpoint,
            next_step="Ask a voting member instead: etcd-dr members",
            context={**context, "reason": "learner"},
        )
    refusal = next((reason for words, reason in _REFUSED_CHANGES.items() if words in said), None)
    if refusal is None and error.code() is _Code.UNAVAILABLE:
        return MemberUnreachable(
            f"{call}: {said}", subject=endpoint, next_step="Try again when it is up: etcd-dr health", context=context
        )
    reason = refusal or ("corrupt" if "corrupt cluster" in said else "refused")
    return EtcdError(
        f"{call}: {said}",
        subject=endpoint,
        next_step=f"Look at the member's log, and at its alarms: etcdctl --endpoints {endpoint} alarm list",
        context={**context, "reason": reason},
    )


def _denied(said: str, *, call: str, endpoint: str, context: dict[str, str]) -> AccessDenied:
    if "user name is empty" in said:
        said = "authentication is on and no user was given"
    return AccessDenied(
        f"{call}: {said}",
        subject=endpoint,
        next_step="A snapshot and HashKV need a user with the role root: set username and password_file, or use a "
        f"client certificate whose common name is such a user. See its roles with: etcdctl --endpoints {endpoint} "
        "--user root user get USER",
        context=context,
    )


def _from_connection(error: grpc.RpcError, *, call: str, endpoint: str, context: dict[str, str]) -> EtcdError:
    detail = detail_of(error)
    if "ALERT_HANDSHAKE_FAILURE" in detail:
        # BoringSSL offers neither Ed25519 nor P-521 for a server's signature; the standard library's OpenSSL does, so
        # the diagnosis finds nothing wrong.
        return TlsRefused(
            "the TLS handshake finds no common algorithm: the member's key may be Ed25519 or P-521, which gRPC cannot "
            "verify, or its --cipher-suites may leave none",
            subject=endpoint,
            next_step="Issue the member a certificate with an RSA or P-256 key. See which it has: "
            f"openssl s_client -connect {endpoint.partition('://')[2]} </dev/null | openssl x509 -noout -text",
            context={**context, "reason": "algorithms"},
        )
    if any(word in detail for word in _TLS_WORDS):
        return TlsRefused(
            f"the TLS handshake failed: {detail}",
            subject=endpoint,
            next_step="See what the member presents with: "
            f"openssl s_client -connect {endpoint.partition('://')[2]} -showcerts </dev/null",
            context={**context, "reason": "handshake"},
        )
    if "ping timeout" in detail or "keepalive" in detail.lower():
        return MemberTimeout(
            f"{call}: the connection went silent",
            subject=endpoint,
            next_step="The member or the network stands still: etcd-dr health",
            context={**context, "reason": "silent"},
        )
    return MemberUnreachable(
        f"{call}: no connection: {detail}",
        subject=endpoint,
        next_step="If the host is up, check that etcd runs and listens there; all members at a glance: etcd-dr health",
        context=context,
    )
