"""What the operator says over HTTP: /metrics, /healthz, /readyz. Read-only, no secrets, no Kubernetes.

- `/healthz` says whether this process works: its scheduler runs and its rounds come to an end. It does not depend on
  etcd or the store: restarting the operator mends neither.
- `/readyz` says whether it protects: configuration loaded, scheduler started, every cluster looked at once.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread
from typing import Any

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from etcd_dr.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Answer:
    """A health answer: whether it is good, and one line for each thing that was looked at."""

    ok: bool
    lines: tuple[str, ...]


def build_app(*, registry: CollectorRegistry, healthz: Callable[[], Answer], readyz: Callable[[], Answer]) -> Any:
    """Return the ASGI application."""

    def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=content_type)

    def answer(question: Callable[[], Answer]) -> Callable[[Request], Response]:
        def endpoint(_: Request) -> Response:
            said = question()
            return PlainTextResponse("\n".join(said.lines) + "\n", status_code=200 if said.ok else 503)

        return endpoint

    routes = [
        Route("/metrics", metrics),
        Route("/healthz", answer(healthz)),
        Route("/readyz", answer(readyz)),
    ]
    return Starlette(routes=routes)


def bind(listen: str, *, setting: str = "operator.listen") -> socket.socket:
    """Return a listening socket for `host:port` (port 0: any free one). Raises ConfigError; the caller closes it."""
    host, _, port = listen.rpartition(":")
    try:
        return socket.create_server(
            (host.strip("[]"), int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET
        )
    except (OSError, ValueError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        is_taken = getattr(error, "errno", None) == errno.EADDRINUSE
        see = f"See who has it: ss -ltnp 'sport = :{port}'; or write" if is_taken else "Write"
        raise ConfigError(
            f"cannot be listened on: {reason}",
            subject=f"{setting} {listen}",
            next_step=f"{see} another address of this machine under {setting}, such as 127.0.0.1:9479",
        ) from error


class HttpServer:
    """Serves an application on a bound socket in a thread of its own, so that a busy job never delays a probe."""

    def __init__(self, app: Any, listener: socket.socket) -> None:
        self._listener = listener
        settings = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
            proxy_headers=False,  # who the peer is must not be a matter of its own word
            server_header=False,
        )
        self._server = uvicorn.Server(settings)
        self._thread = Thread(target=self._server.run, kwargs={"sockets": [listener]}, name="http", daemon=True)

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and wait for the thread, at most five seconds. Safe to call twice."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._listener.close()
