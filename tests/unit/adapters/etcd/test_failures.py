"""What etcd and gRPC say, and which of our errors it becomes."""

from __future__ import annotations

import grpc
import pytest

from etcd_dr.adapters.etcd.failures import (
    broken_stream,
    is_auth_off,
    is_connection_failure,
    is_stale_token,
    translate,
)
from etcd_dr.errors import (
    AccessDenied,
    EtcdError,
    MemberTimeout,
    MemberUnreachable,
    RevisionUnavailable,
    StreamBroken,
    TlsRefused,
)

ENDPOINT = "https://10.0.0.1:2379"
Code = grpc.StatusCode


class Failure(grpc.RpcError):
    """What gRPC raises: an error that is also the call."""

    def __init__(self, code: grpc.StatusCode, details: str | None) -> None:
        super().__init__()
        self._code, self._details = code, details

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str | None:
        return self._details


# Sentences from etcd's api/v3rpc/rpctypes/error.go; the learner's has another code before 3.6.
SAID = [
    (Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision has been compacted", RevisionUnavailable, "compacted"),
    (Code.OUT_OF_RANGE, "etcdserver: mvcc: required revision is a future revision", RevisionUnavailable, "future"),
    (Code.PERMISSION_DENIED, "etcdserver: permission denied", AccessDenied, None),
    (Code.UNAUTHENTICATED, "etcdserver: invalid auth token", AccessDenied, None),
    (Code.INVALID_ARGUMENT, "etcdserver: authentication failed, invalid user ID or password", AccessDenied, None),
    (Code.INVALID_ARGUMENT, "etcdserver: user name is empty", AccessDenied, None),
    (Code.FAILED_PRECONDITION, "etcdserver: user name not found", AccessDenied, None),
    (Code.UNKNOWN, "auth: user not found", AccessDenied, None),
    (Code.UNAVAILABLE, "etcdserver: request timed out", MemberTimeout, "no-quorum"),
    (Code.UNAVAILABLE, "etcdserver: request timed out, possibly due to connection lost", MemberTimeout, "no-quorum"),
    (Code.UNAVAILABLE, "etcdserver: no leader", MemberTimeout, "no-quorum"),
    (Code.UNAVAILABLE, "etcdserver: leader changed", MemberTimeout, "leader-changed"),
    (Code.UNKNOWN, "raft proposal dropped", MemberTimeout, "no-quorum"),
    (Code.UNAVAILABLE, "etcdserver: rpc not supported for learner", EtcdError, "learner"),
    (Code.FAILED_PRECONDITION, "etcdserver: rpc not supported for learner", EtcdError, "learner"),
    (Code.UNAVAILABLE, "etcdserver: server stopped", MemberUnreachable, None),
    (Code.DATA_LOSS, "etcdserver: corrupt cluster", EtcdError, "corrupt"),
    (
        Code.FAILED_PRECONDITION,
        "etcdserver: can only promote a learner member which is in sync with leader",
        EtcdError,
        "not-ready",
    ),
    (Code.FAILED_PRECONDITION, "etcdserver: can only promote a learner member", EtcdError, "not-learner"),
    (Code.NOT_FOUND, "etcdserver: member not found", EtcdError, "not-found"),
    (Code.UNAVAILABLE, "etcdserver: unhealthy cluster", EtcdError, "unhealthy"),
    (
        Code.FAILED_PRECONDITION,
        "etcdserver: re-configuration failed due to not enough started members",
        EtcdError,
        "unhealthy",
    ),
    (Code.FAILED_PRECONDITION, "etcdserver: Peer URLs already exists", EtcdError, "exists"),
    (Code.RESOURCE_EXHAUSTED, "etcdserver: mvcc: database space exceeded", EtcdError, "no-space"),
    (Code.RESOURCE_EXHAUSTED, "etcdserver: too many requests", EtcdError, "refused"),
    (Code.DEADLINE_EXCEEDED, "Deadline Exceeded", MemberTimeout, "deadline"),
    (Code.UNKNOWN, "context deadline exceeded", MemberTimeout, "deadline"),  # a member that was told of our deadline
    (Code.UNAVAILABLE, "failed to connect to all addresses; last error: Connection refused", MemberUnreachable, None),
    (Code.UNAVAILABLE, "errors resolving etcd-0:2379: Domain name not found", MemberUnreachable, None),
    (Code.UNAVAILABLE, "ping timeout", MemberTimeout, "silent"),
    (Code.UNAVAILABLE, "Tls handshake failed: CERTIFICATE_VERIFY_FAILED: expired", TlsRefused, "handshake"),
    (Code.UNAVAILABLE, "last error: Unwrap failed (TSI_DATA_CORRUPTED)", TlsRefused, "handshake"),
    (Code.UNAVAILABLE, "SSL routines:OPENSSL_internal:SSLV3_ALERT_HANDSHAKE_FAILURE", TlsRefused, "algorithms"),
    (Code.UNIMPLEMENTED, "Received http2 header with status: 404", EtcdError, "unexpected"),
    (Code.INTERNAL, "Trying to connect an http1.x server", EtcdError, "unexpected"),
    (Code.UNAVAILABLE, None, MemberUnreachable, None),
]


@pytest.mark.parametrize(("code", "said", "kind", "reason"), SAID, ids=lambda value: str(value)[:40])
def test_failures_become_our_errors(
    code: grpc.StatusCode, said: str | None, kind: type[EtcdError], reason: str | None
) -> None:
    """The class, where the sentence leaves a choice the reason, the endpoint, and always a next step."""
    error = translate(Failure(code, said), call="Status", endpoint=ENDPOINT, seconds=3)

    assert type(error) is kind
    assert error.context.get("reason") == reason
    assert error.subject == ENDPOINT
    assert error.next_step


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (Code.UNAVAILABLE, "Socket closed", MemberUnreachable),
        (Code.DEADLINE_EXCEEDED, "Deadline Exceeded", MemberTimeout),
        (Code.UNKNOWN, "context deadline exceeded", MemberTimeout),
        (Code.INTERNAL, "stream terminated by RST_STREAM", StreamBroken),
        (Code.UNKNOWN, "input/output error", StreamBroken),
        (Code.CANCELLED, "CANCELLED", StreamBroken),
    ],
)
def test_streams_that_break_say_how_far_they_came(code: grpc.StatusCode, said: str, kind: type[EtcdError]) -> None:
    """After data has come, what matters is whether the member, the clock or the server's reading failed."""
    error = broken_stream(Failure(code, said), endpoint=ENDPOINT, received_bytes=4096, seconds=60)

    assert type(error) is kind
    assert error.context["received_bytes"] == 4096


def test_words_of_the_other_side_are_shortened() -> None:
    """A hostile or broken server cannot flood a log line."""
    error = translate(Failure(Code.INTERNAL, "x" * 100_000), call="Status", endpoint=ENDPOINT, seconds=3)

    assert len(error.message) < 500


def test_etcd_speaking_is_told_from_a_connection_that_failed() -> None:
    """Only the latter is worth a second look at the connection."""
    assert is_connection_failure(Failure(Code.UNAVAILABLE, "Socket closed"))
    assert not is_connection_failure(Failure(Code.UNAVAILABLE, "etcdserver: no leader"))
    assert not is_connection_failure(Failure(Code.DEADLINE_EXCEEDED, "Deadline Exceeded"))


def test_tokens_are_renewed_for_the_two_sentences_that_it_cures() -> None:
    """Expired or forgotten tokens, and those from before a change of users; nothing else."""
    assert is_stale_token(Failure(Code.UNAUTHENTICATED, "etcdserver: invalid auth token"))
    assert is_stale_token(Failure(Code.INVALID_ARGUMENT, "etcdserver: revision of auth store is old"))
    assert not is_stale_token(Failure(Code.PERMISSION_DENIED, "etcdserver: permission denied"))
    assert is_auth_off(Failure(Code.FAILED_PRECONDITION, "etcdserver: authentication is not enabled"))
