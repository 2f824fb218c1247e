"""What stands before every route: who may pass, and the headers of every answer.

- Nothing runs, loads or is framed that is not ours, and nothing of a page is kept by a browser or a proxy.
- A visitor who may not pass gets 401 and a form at the same address, a program 401 and JSON.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from etcd_dr.entrypoints.web.access import Access

_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "x-robots-tag": "noindex, nofollow",
}
_FREE = ("/static/", "/login")

Refusal = Callable[[Request], Response]


class Guard:
    """Lets requests through to `app`. `strangers` answers those who may not pass, `misled` those sent here by a name
    that is not this machine's. Requests that still carry `base_path` are taken as if a proxy had removed it."""

    def __init__(self, app: ASGIApp, *, access: Access, base_path: str, strangers: Refusal, misled: Refusal) -> None:
        self._app = app
        self._access = access
        self._base_path = base_path
        self._strangers = strangers
        self._misled = misled

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if self._base_path and (path == self._base_path or path.startswith(f"{self._base_path}/")):
            path = path[len(self._base_path) :] or "/"
        scope = {**scope, "path": path, "raw_path": path.encode(), "root_path": ""}
        await self._choose(scope)(scope, receive, _with_headers(send))

    def _choose(self, scope: Scope) -> ASGIApp:
        request = Request(scope)
        if not self._access.is_addressed_to_us(request.headers.get("host", "")):
            return self._misled(request)
        visitor = self._access.visitor(request)
        if visitor is None and not scope["path"].startswith(_FREE):
            return self._strangers(request)
        scope["etcd_dr_visitor"] = visitor
        return self._app


def _with_headers(send: Send) -> Send:
    async def send_on(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return send_on
