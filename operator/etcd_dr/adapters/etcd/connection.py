"""One member's connection: the channel with its login, and what every call over it has in common.

Nothing is retried, with one exception that no caller could make: a call that was refused because its token went stale
logs in again, within the same deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc

from etcd_dr.adapters.etcd.diagnosis import Diagnose
from etcd_dr.adapters.etcd.failures import is_connection_failure, is_stale_token, translate
from etcd_dr.adapters.etcd.login import Login, Metadata
from etcd_dr.errors import EtcdDrError, EtcdError

# A diagnosis is worth a moment even where the deadline is almost used up, and never more than this.
_SHORTEST_DIAGNOSIS_SECONDS, _LONGEST_DIAGNOSIS_SECONDS = 0.5, 3.0


class Deadline:
    """A number of seconds that began to run when this was made."""

    def __init__(self, seconds: float, *, monotonic: Callable[[], float]) -> None:
        self.seconds = seconds
        self._monotonic = monotonic
        self._ends_at = monotonic() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left, never below zero."""
        return max(0.0, self._ends_at - self._monotonic())


class MemberConnection:
    """A channel to exactly one member, which this owns; safe for several threads."""

    def __init__(
        self,
        channel: grpc.Channel,
        *,
        endpoint: str,
        login: Login | None,
        diagnose: Diagnose,
        monotonic: Callable[[], float],
    ) -> None:
        self.channel = channel
        self.endpoint = endpoint
        self.monotonic = monotonic
        self._login = login
        self._diagnose = diagnose
        self.is_closed = False

    def ask(self, call: str, rpc: Any, request: Any, *, seconds: float) -> Any:
        """Return the answer to one call; `call` names it in errors, all of which are ours."""
        deadline = Deadline(seconds, monotonic=self.monotonic)
        try:
            return self._ask(rpc, request, deadline)
        except grpc.RpcError as error:
            raise self.explain(error, call=call, deadline=deadline) from error
        except ValueError as error:
            # gRPC's word for a closed channel; requests are built and checked before they come here.
            raise self.closed(call) from error

    def _ask(self, rpc: Any, request: Any, deadline: Deadline) -> Any:
        metadata = self.metadata(deadline)
        try:
            return rpc(request, timeout=deadline.left, metadata=metadata)
        except grpc.RpcError as error:
            if not self.can_renew(error, metadata):
                raise
        return rpc(request, timeout=deadline.left, metadata=self.metadata(deadline))

    def metadata(self, deadline: Deadline) -> Metadata:
        """Return what a call must carry, logging in first if need be. Raises grpc.RpcError."""
        return () if self._login is None else self._login.metadata(seconds=deadline.left)

    def can_renew(self, error: grpc.RpcError, refused: Metadata) -> bool:
        """Tell whether the call failed over its token; if so, the next `metadata` is another one."""
        if self._login is None or not is_stale_token(error):
            return False
        self._login.discard(refused)
        return True

    def explain(self, error: grpc.RpcError, *, call: str, deadline: Deadline) -> EtcdDrError:
        """Return our error for a call that failed, looking into the connection where gRPC knows too little."""
        if self.is_closed:
            return self.closed(call)
        if is_connection_failure(error):
            seconds = min(_LONGEST_DIAGNOSIS_SECONDS, max(_SHORTEST_DIAGNOSIS_SECONDS, deadline.left))
            cause = self._diagnose(seconds)
            if cause is not None:
                return cause
        return translate(error, call=call, endpoint=self.endpoint, seconds=deadline.seconds)

    def closed(self, call: str) -> EtcdError:
        """Return the error for a call over a connection that this side has closed."""
        return EtcdError(
            f"{call}: the connection was closed", subject=self.endpoint, context={"call": call, "reason": "closed"}
        )

    def close(self) -> None:
        """End the connection and every call on it. Safe to call twice."""
        self.is_closed = True
        self.channel.close()
