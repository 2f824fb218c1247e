"""A server on loopback that answers as a bent member would: wrong pages, wrong clock, wrong TLS, one byte a second.

It reads one request after the other from each connection and passes its path to `answer`, which returns the raw bytes
to send, or None to fall silent. With a context it speaks TLS.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import TracebackType
from typing import Self

Answer = Callable[[str], bytes | None]


class PageServer:
    """`with PageServer(answer) as server:` serves at `server.url` until the block ends."""

    def __init__(self, answer: Answer, *, tls: ssl.SSLContext | None = None) -> None:
        self._answer = answer
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self.requests: list[str] = []
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept, which close alone does not
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            stream = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            self._open.append(stream)
            with stream, stream.makefile("rb") as requests:
                while line := requests.readline():
                    _, path, _ = line.decode("latin-1").split(" ", 2) if line.count(b" ") >= 2 else ("", "", "")
                    while requests.readline().strip():
                        pass
                    self.requests.append(path)
                    answer = self._answer(path)
                    if answer is None:
                        return self._stand_still(stream)
                    stream.sendall(answer)
        return None

    @staticmethod
    def _stand_still(stream: socket.socket) -> None:
        """Keep the connection open without a word until the other side goes away."""
        while stream.recv(4096):
            pass


def response(
    body: bytes | str, *, status: int = 200, skew_seconds: float = 0.0, date: str | None = "", headers: str = ""
) -> bytes:
    """Return a response; `skew_seconds` moves its Date, `date` replaces it, None leaves it out."""
    payload = body.encode() if isinstance(body, str) else body
    now = format_datetime(datetime.now(UTC) + timedelta(seconds=skew_seconds), usegmt=True)
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {len(payload)}"]
    if date is not None:
        lines.append(f"Date: {date or now}")
    if headers:
        lines.append(headers)
    return "\r\n".join([*lines, "", ""]).encode() + payload
