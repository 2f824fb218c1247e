"""A TCP proxy on loopback whose connections can be slowed, stalled, cut and refused, without a packet filter.

It passes bytes and does not look into them, so TLS works through it (certificates name 127.0.0.1). Faults act on
connections that are open and on those to come; `heal` ends them all. Byte limits count what the server sends.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

_CHUNK = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class TcpProxy:
    """Listens at `port` on 127.0.0.1 and passes each connection on to `target_port` there."""

    def __init__(self, target_port: int) -> None:
        self._target = ("127.0.0.1", target_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.latency_seconds = 0.0
        self.bytes_to_client = 0
        self.connections_made = 0
        self._flows = threading.Event()
        self._flows.set()
        self._ends = threading.Event()
        self._refuses = False
        self._limit: tuple[int, str] | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, name="proxy-accept", daemon=True)]
        self._threads[0].start()

    @property
    def endpoint(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Cut everything and stop listening; waits for its threads."""
        self._ends.set()
        self._flows.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept, which close alone does not
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def stall(self) -> None:
        """Keep every connection open and pass nothing on, in either direction."""
        self._flows.clear()

    def stall_after(self, byte_count: int) -> None:
        """Stall once this many more bytes have gone to clients."""
        self._limit = (self.bytes_to_client + byte_count, "stall")

    def cut(self) -> None:
        """Reset every open connection; new ones are served."""
        with self._lock:
            opened = set(self._open)
        self._cut(opened)

    def _cut(self, connections: set[socket.socket]) -> None:
        with self._lock:
            opened = connections & self._open
            self._open -= opened
        for connection in opened:
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                connection.shutdown(socket.SHUT_RD)  # wakes the pump; the kernel resets once nobody uses the socket
            connection.close()

    def cut_after(self, byte_count: int) -> None:
        """Cut once this many more bytes have gone to clients."""
        self._limit = (self.bytes_to_client + byte_count, "cut")

    def refuse(self) -> None:
        """Cut, and reset every new connection at once."""
        self._refuses = True
        self.cut()

    def heal(self) -> None:
        """Serve as if nothing had been."""
        self._refuses, self._limit, self.latency_seconds = False, None, 0.0
        self._flows.set()

    def _accept(self) -> None:
        while not self._ends.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections_made += 1
            try:
                server = socket.create_connection(self._target, timeout=5)
            except OSError:
                self._reset(client)
                continue
            server.settimeout(None)
            with self._lock:  # a refusal that comes now finds both, or is seen here
                refused = self._refuses or self._ends.is_set()
                self._open |= set() if refused else {client, server}
            if refused:
                self._reset(client)
                server.close()
                continue
            for source, sink in ((client, server), (server, client)):
                pump = threading.Thread(
                    target=self._pump, args=(source, sink), kwargs={"to_client": sink is client}, daemon=True
                )
                self._threads.append(pump)
                pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket, *, to_client: bool) -> None:
        try:
            while data := source.recv(_CHUNK):
                self._ends.wait(self.latency_seconds) if self.latency_seconds else None
                self._flows.wait()
                if self._ends.is_set():
                    return
                sink.sendall(data)
                if to_client:
                    self._count(len(data))
            sink.shutdown(socket.SHUT_WR)  # the other direction may still have something to say
        except OSError:
            self._cut({source, sink})  # a member that was killed resets: that is to be heard on the other side, too

    def _count(self, byte_count: int) -> None:
        with self._lock:
            self.bytes_to_client += byte_count
            is_reached = self._limit is not None and self.bytes_to_client >= self._limit[0]
            fault = self._limit[1] if self._limit is not None and is_reached else ""
            self._limit = None if is_reached else self._limit
        if fault:
            self.stall() if fault == "stall" else self.cut()

    def _reset(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        connection.close()
