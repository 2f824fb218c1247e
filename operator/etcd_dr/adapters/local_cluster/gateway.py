"""Speaks etcd's HTTP side with the standard library: `/health`, `/version` and the JSON gateway under `/v3`.

- One connection, opened when needed and opened anew after a failure; not for several threads at once.
- Keys and values are bytes here and base64 on the wire (etcd's gRPC gateway, api-grpc-gateway documentation).
- 64-bit numbers are text in the gateway's JSON; callers convert what they use.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from etcd_dr.adapters.local_cluster.pki import TlsFiles
from etcd_dr.errors import EtcdError, MemberTimeout, MemberUnreachable, TlsRefused

_PASSES = (503, 504)
"""What the gateway makes of gRPC's Unavailable and DeadlineExceeded: etcd's words for an election (rpctypes, error.go)."""
_DROPPED = "raft proposal dropped"
"""Raft's own words for a write in the instant without a leader, which etcd passes on as an unknown error (raft.go)."""
_BETWEEN_TRIES_SECONDS = 0.05


class EtcdGateway:
    """A connection to one member. `timeout_seconds` bounds each step of a call, not the whole of it."""

    def __init__(self, *, port: int, tls: TlsFiles, timeout_seconds: float = 5.0) -> None:
        self._port = port
        self._tls = tls
        self._timeout_seconds = timeout_seconds
        self._connection: http.client.HTTPSConnection | None = None

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens another. Safe to call twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def is_serving(self) -> bool:
        """Say whether the member answers at all; true of learners too, and of a member whose cluster lost quorum."""
        return self._answers_well("/version")

    def is_healthy(self) -> bool:
        """Say whether the member reads with quorum and has no alarm."""
        return self._answers_well("/health")

    def call(self, path: str, body: Mapping[str, object]) -> dict[str, Any]:
        """POST to the gateway, as in `call("/v3/kv/put", {...})`, and return the answer.

        Raises MemberUnreachable, MemberTimeout, TlsRefused, or EtcdError with etcd's own words when it refuses.
        """
        status, content = self._request("POST", path, json.dumps(body).encode())
        answer: dict[str, Any] = json.loads(content)
        if status != 200:
            message = str(answer.get("message") or answer.get("error") or answer)
            raise EtcdError(message, subject=self.endpoint, context={"path": path, "status": status})
        return answer

    def put(self, key: bytes, value: bytes, *, lease: int = 0) -> int:
        """Write one key and return the revision that it got."""
        answer = self.call("/v3/kv/put", {"key": encoded(key), "value": encoded(value), "lease": str(lease)})
        return revision_of(answer)

    def put_through(self, key: bytes, value: bytes, *, deadline_seconds: float = 60.0) -> int:
        """Write one key, again where an election lost it, and return the revision that it got last.

        A leader that a busy machine held up for half a second loses its office, and what was proposed to it is lost.
        """
        body = {"key": encoded(key), "value": encoded(value)}
        return revision_of(self.call_through("/v3/kv/put", body, deadline_seconds=deadline_seconds))

    def call_through(self, path: str, body: Mapping[str, object], *, deadline_seconds: float = 60.0) -> dict[str, Any]:
        """Call as `call` does, again where an election cut it off: for what may be done twice."""
        ends = time.monotonic() + deadline_seconds
        while True:
            try:
                return self.call(path, body)
            except EtcdError as failure:
                if not may_pass(failure) or time.monotonic() >= ends:
                    raise
                time.sleep(_BETWEEN_TRIES_SECONDS)

    def _answers_well(self, path: str) -> bool:
        try:
            status, _ = self._request("GET", path, None)
        except EtcdError:
            return False
        return status == 200

    def _request(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        try:
            connection = self._connection or self._connect()
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:  # a member that was killed says no more than that
            self.close()
            raise MemberUnreachable("the connection broke off", subject=self.endpoint) from error
        except ssl.SSLError as error:
            self.close()
            reason = getattr(error, "verify_message", None) or error.reason or error
            raise TlsRefused(f"the TLS handshake failed: {reason}", subject=self.endpoint) from error
        except TimeoutError as error:
            self.close()
            raise MemberTimeout(f"no answer within {self._timeout_seconds} s", subject=self.endpoint) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise MemberUnreachable(f"no connection: {error}", subject=self.endpoint) from error

    def _connect(self) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self._tls.ca))
        context.load_cert_chain(self._tls.certificate, self._tls.key)
        self._connection = http.client.HTTPSConnection(
            "127.0.0.1", self._port, timeout=self._timeout_seconds, context=context
        )
        return self._connection


def may_pass(failure: EtcdError) -> bool:
    """Tell whether another member, or the same one a moment later, will do what was asked."""
    is_election = failure.context.get("status") in _PASSES or failure.message == _DROPPED
    return is_election or isinstance(failure, MemberUnreachable | MemberTimeout)


def encoded(data: bytes) -> str:
    """Return bytes as the gateway wants them."""
    return base64.b64encode(data).decode()


def revision_of(answer: Mapping[str, Any]) -> int:
    """Return the revision in an answer's header."""
    return int(answer["header"]["revision"])
