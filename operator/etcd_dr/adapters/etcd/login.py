"""Turns a user name and a password into the token that calls carry, where etcd's authentication is on.

- A token is asked for with the first call and kept for the connection. etcd's simple tokens expire after 5 minutes
  without use and when a member restarts, so a call that was refused for its token renews it once.
- Asking goes through raft: without quorum there is no token. A client certificate whose common name is the user needs
  none (etcd: `--client-cert-auth`), and is the better choice for a backup that must work in a disaster.
- Where authentication is off, the calls simply carry none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc

from etcd_dr.adapters.etcd.failures import is_auth_off
from etcd_dr.adapters.etcd.proto import rpc_pb2, rpc_pb2_grpc

Metadata = tuple[tuple[str, str], ...]

# etcd: api/v3rpc/rpctypes/metadatafields.go
_TOKEN_KEY = "token"  # noqa: S105 - the name of a header, not a secret


@dataclass(frozen=True, slots=True)
class Credentials:
    username: str
    password: str = field(repr=False)


class Login:
    """The token of one connection; safe for several threads."""

    def __init__(self, authenticate: Callable[..., rpc_pb2.AuthenticateResponse], credentials: Credentials) -> None:
        self._authenticate = authenticate
        self._credentials = credentials
        self._metadata: Metadata | None = None
        self._lock = threading.Lock()

    @classmethod
    def over(cls, channel: grpc.Channel, credentials: Credentials) -> Login:
        """Return the login of a channel; nothing is asked yet."""
        stub = rpc_pb2_grpc.AuthStub(channel)  # type: ignore[no-untyped-call] # generated without types
        return cls(stub.Authenticate, credentials)

    def metadata(self, *, seconds: float) -> Metadata:
        """Return what calls must carry, logging in first if need be. Raises grpc.RpcError."""
        with self._lock:
            if self._metadata is None:
                self._metadata = self._ask(seconds)
            return self._metadata

    def discard(self, stale: Metadata) -> None:
        """Forget a token that was refused, unless another thread has already replaced it."""
        with self._lock:
            if self._metadata == stale:
                self._metadata = None

    def _ask(self, seconds: float) -> Metadata:
        request = rpc_pb2.AuthenticateRequest(name=self._credentials.username, password=self._credentials.password)
        try:
            response = self._authenticate(request, timeout=seconds)
        except grpc.RpcError as error:
            if is_auth_off(error):
                return ()
            raise
        return ((_TOKEN_KEY, response.token),)
