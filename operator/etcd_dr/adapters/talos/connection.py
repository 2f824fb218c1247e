"""One node's connection, and what every call over it has in common.

- The deadline of a call covers the connection that it may have to make, and is told to the node as well.
- A handshake that the *node* refuses (TLS 1.3) looks like a connection that ends for no reason: a second, short one
  finds the alert (`diagnose`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from grpclib.client import Channel
from grpclib.exceptions import GRPCError, ProtocolError, StreamTerminatedError

from etcd_dr.adapters.talos import failures
from etcd_dr.adapters.talos.address import NodeAddress
from etcd_dr.adapters.talos.codec import RawChunkCodec
from etcd_dr.adapters.talos.loop import LoopClosed, LoopThread
from etcd_dr.adapters.talos.material import OwnCertificate
from etcd_dr.errors import EtcdError, TlsRefused

T = TypeVar("T")

_DIAGNOSIS_SECONDS = 3.0
# How long a refusal of our certificate may take to arrive: a round trip, and a busy node's check of it.
_REFUSAL_SECONDS = 2.0
_HANG_UP_SECONDS = 1.0
CONNECTION_ERRORS = (OSError, StreamTerminatedError, ProtocolError, EOFError)


class NodeConnection:
    """A channel to one node with the thread that serves it, both of which this owns."""

    def __init__(
        self, address: NodeAddress, tls: ssl.SSLContext, *, own: OwnCertificate, now: Callable[[], datetime]
    ) -> None:
        self.address = address
        self.own = own
        self.loop = LoopThread(f"talos {address}")
        self._tls = tls
        self._now = now
        self._channel: Channel | None = None
        self._is_closing = False

    @property
    def metadata(self) -> dict[str, str]:
        """What every call carries: nothing, unless a node is to be reached through this one."""
        return {"node": self.address.forward_to} if self.address.forward_to else {}

    def channel(self) -> Channel:
        """Return the channel; in the loop's thread only."""
        if self._channel is None:
            self._channel = Channel(self.address.host, self.address.port, ssl=self._tls, codec=RawChunkCodec())
        return self._channel

    def ask(
        self, call: str, make: Callable[[Channel], Awaitable[T]], *, seconds: float, is_sensitive: bool = False
    ) -> T:
        """Return what the call that `make` begins answers; `call` names it in errors, all of which are ours."""

        async def asking() -> T:
            return await make(self.channel())

        try:
            return self.loop.run(asking(), seconds=seconds)
        except TimeoutError as error:
            raise failures.timed_out(call, address=str(self), seconds=seconds) from error
        except GRPCError as error:
            raise failures.from_answer(
                error, call=call, address=str(self), seconds=seconds, roles=self.own.roles, is_sensitive=is_sensitive
            ) from error
        except LoopClosed as error:
            raise failures.closed(call, address=str(self)) from error
        except CONNECTION_ERRORS as error:
            raise self.explain(error, call=call) from error

    def explain(self, error: BaseException, *, call: str) -> EtcdError:
        """Return our error for a connection that failed, looking again where the library knows too little."""
        # A call that waits hears of its channel's end before the loop has stopped.
        if self._is_closing or self.loop.is_stopped:
            return failures.closed(call, address=str(self))
        if not isinstance(error, ssl.SSLError):
            error = self.diagnose() or error
        if self._now() > self.own.not_after and (isinstance(error, ssl.SSLError | StreamTerminatedError)):
            return TlsRefused(
                f"{call}: our certificate has expired at {self.own.not_after:%Y-%m-%d %H:%M} UTC",
                subject=str(self),
                next_step="Make a new talosconfig from one that still works, or from the machine secrets: talosctl "
                "config new talosconfig. In a pod it is renewed while the cluster works.",
                context={"call": call, "reason": "client-expired"},
            )
        return failures.from_connection(error, call=call, address=str(self))

    def diagnose(self) -> ssl.SSLError | None:
        """Return the TLS failure behind a connection that broke, if that is what it was."""
        try:
            with (
                socket.create_connection((self.address.host, self.address.port), timeout=_DIAGNOSIS_SECONDS) as plain,
                self._tls.wrap_socket(plain, server_hostname=self.address.host) as secured,
            ):
                secured.settimeout(_REFUSAL_SECONDS)
                with contextlib.suppress(TimeoutError):
                    secured.recv(1)
        except failures.HUNG_UP:
            return None  # as a node that reboots does
        except ssl.SSLError as error:
            return error
        except OSError:
            return None
        return None

    def close(self) -> None:
        """End the connection and every call on it. Safe to call twice."""
        self._is_closing = True
        if self._channel is not None and not self.loop.is_stopped:
            with contextlib.suppress(LoopClosed, TimeoutError):
                self.loop.run(self._hang_up(), seconds=_HANG_UP_SECONDS)
        self.loop.stop()

    async def _hang_up(self) -> None:
        if self._channel is not None:
            self._channel.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    def __str__(self) -> str:
        return self.address.forward_to or str(self.address)
