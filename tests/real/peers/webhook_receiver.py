"""A receiver of webhooks on loopback: a real HTTP server that keeps what is posted and answers as it is told.

`answers` are used up one by one, then every message is taken with 200. An answer is a status, or a status with headers.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Posted:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Answering:
    """What the server says."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"ok"


class WebhookReceiver:
    """`with WebhookReceiver() as receiver:` serves at `receiver.url` until the block ends."""

    def __init__(self, *answers: Answering | int, tls: ssl.SSLContext | None = None) -> None:
        self.posted: list[Posted] = []
        self._answers = [Answering(answer) if isinstance(answer, int) else answer for answer in answers]
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                receiver.posted.append(Posted(self.path, dict(self.headers), json.loads(self.rfile.read(length))))
                answer = receiver._answers.pop(0) if receiver._answers else Answering(200)
                self.send_response(answer.status)
                for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}/services/s3cr3t"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
