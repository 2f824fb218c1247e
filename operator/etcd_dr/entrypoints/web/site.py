"""The routes of the status page. All of them read; `login` and `logout` change a cookie and nothing else.

GET  /                        all clusters
GET  /clusters/NAME           one cluster; ?range=24h|7d|30d|all, ?page=N
GET  /api/v1/clusters[/NAME]  the same as JSON
POST /login, /logout          a token for a session, and back
GET  /static/NAME             three files of the package
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from etcd_dr import __version__
from etcd_dr.entrypoints.operator.board import ClusterState
from etcd_dr.entrypoints.web.access import COOKIE, SESSION_SECONDS, Access, Visitor
from etcd_dr.entrypoints.web.assets import load_assets
from etcd_dr.entrypoints.web.documents import cluster_document, clusters_document
from etcd_dr.entrypoints.web.guard import Guard
from etcd_dr.entrypoints.web.operation import operation_document, operation_words
from etcd_dr.entrypoints.web.rendering import Renderer
from etcd_dr.entrypoints.web.views import cluster_view, overview
from etcd_dr.ports.clock import Clock
from etcd_dr.ports.events import EventSink
from etcd_dr.ports.leadership import Leadership

_LONGEST_FORM_BYTES = 8192
_FOREVER = "public, max-age=31536000, immutable"


class States(Protocol):
    """What is read: the board of the operator."""

    def all(self) -> Sequence[ClusterState]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteParts:
    """What the site is made of."""

    states: States
    access: Access
    leadership: Leadership
    clock: Clock
    events: EventSink
    base_path: str = ""


def build_site(parts: SiteParts) -> ASGIApp:
    """Return the application, guarded."""
    site = _Site(parts)
    routes = [
        Route("/", site.overview),
        Route("/clusters/{name}", site.cluster),
        Route("/api/v1/clusters", site.clusters_json),
        Route("/api/v1/clusters/{name}", site.cluster_json),
        Route("/login", site.login, methods=["GET", "POST"]),
        Route("/logout", site.logout, methods=["POST"]),
        Route("/static/{name}", site.asset),
    ]
    handlers: Any = {HTTPException: site.refused, Exception: site.failed}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Guard(app, access=parts.access, base_path=parts.base_path, strangers=site.stranger, misled=site.misled)


class _Site:
    def __init__(self, parts: SiteParts) -> None:
        self._states = parts.states
        self._access = parts.access
        self._leadership = parts.leadership
        self._base = parts.base_path
        self._clock = parts.clock
        self._events = parts.events
        self._assets = load_assets()
        marks = {name: f"{self._base}/static/{name}?v={asset.mark}" for name, asset in self._assets.items()}
        self._pages = Renderer({"base": self._base, "assets": marks, "version": __version__})

    def overview(self, request: Request) -> Response:
        now = self._clock.now()
        return self._page(request, "overview.html", view=overview(self._states.all(), now=now), now=now)

    def cluster(self, request: Request) -> Response:
        state, now = self._named(request), self._clock.now()
        number = request.query_params.get("page", "1")
        view = cluster_view(
            state,
            now=now,
            range_name=request.query_params.get("range", ""),
            page=int(number) if number.isascii() and number.isdecimal() and len(number) < 7 else 1,
        )
        words = operation_words(self._leadership, state.cluster)
        return self._page(request, "cluster.html", view=view, operation=words, now=now)

    def clusters_json(self, _: Request) -> Response:
        return JSONResponse(clusters_document(self._states.all(), now=self._clock.now()))

    def cluster_json(self, request: Request) -> Response:
        state = self._named(request)
        document = cluster_document(state, now=self._clock.now())
        return JSONResponse({**document, "replicas": operation_document(self._leadership, state.cluster)})

    async def login(self, request: Request) -> Response:
        """Give a session to whoever says the token."""
        if request.method != "POST":
            return RedirectResponse(f"{self._base}/", status_code=303)
        session = self._access.session_for(await _said_token(request))
        if session is None:
            peer = request.client.host if request.client else ""
            self._events.emit("page.login_refused", level="warning", address=peer)
            return self._login_form(request, is_refused=True)
        response = RedirectResponse(f"{self._base}/", status_code=303)
        response.set_cookie(COOKIE, session, max_age=SESSION_SECONDS, **self._cookie(request))
        return response

    def logout(self, request: Request) -> Response:
        response = RedirectResponse(f"{self._base}/", status_code=303)
        response.delete_cookie(COOKIE, **self._cookie(request))
        return response

    def asset(self, request: Request) -> Response:
        asset = self._assets.get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404)
        is_this_one = request.query_params.get("v") == asset.mark
        headers = {"cache-control": _FOREVER if is_this_one else "no-cache"}
        return Response(asset.body, media_type=asset.media_type, headers=headers)

    def stranger(self, request: Request) -> Response:
        """Answer somebody who may not see the page."""
        if _wants_json(request):
            answer = _error("page.not_signed_in", "the status page asks for a token", 'Send "Authorization: Bearer …".')
            return JSONResponse(answer, status_code=401, headers={"www-authenticate": "Bearer"})
        return self._login_form(request)

    def misled(self, request: Request) -> Response:
        """Answer a request under a foreign name; see `access` on DNS rebinding."""
        told = "Without a token the page answers only to names of this machine, such as localhost."
        return self._message(request, 421, "Not under this name", told)

    async def refused(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        title, told = {
            404: ("Not found", "There is no such page or cluster."),
            405: ("Not possible", "This page can only be read."),
        }.get(status, ("Not possible", "The request was not understood."))
        headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
        return self._message(request, status, title, told, headers)

    async def failed(self, request: Request, error: Exception) -> Response:
        """Answer after an error of ours; the process goes on."""
        self._events.emit("page.failed", level="error", error=f"{type(error).__name__}: {error}", path=request.url.path)
        told = "This is a bug in etcd-dr; its log has a line with event page.failed. Ask the command: etcd-dr readiness"
        return self._message(request, 500, "The page failed", told)

    def _named(self, request: Request) -> ClusterState:
        name = request.path_params["name"]
        state = next((state for state in self._states.all() if state.cluster == name), None)
        if state is None:
            raise HTTPException(404)
        return state

    def _page(self, request: Request, template: str, *, status_code: int = 200, **values: Any) -> Response:
        visitor: Visitor = request.scope.get("etcd_dr_visitor") or Visitor()
        return HTMLResponse(self._pages.render(template, visitor=visitor, **values), status_code=status_code)

    def _login_form(self, request: Request, *, is_refused: bool = False) -> Response:
        response = self._page(
            request,
            "login.html",
            status_code=401,
            asks=self._access.asks_for_token,
            is_refused=is_refused,
            now=self._clock.now(),
        )
        response.headers["www-authenticate"] = "Bearer"
        return response

    def _message(
        self, request: Request, status: int, title: str, told: str, headers: dict[str, str] | None = None
    ) -> Response:
        if _wants_json(request):
            return JSONResponse(_error(f"page.{status}", told, ""), status_code=status, headers=headers)
        values = {"title": title, "told": told, "now": self._clock.now()}
        response = self._page(request, "message.html", status_code=status, **values)
        response.headers.update(headers or {})
        return response

    def _cookie(self, request: Request) -> dict[str, Any]:
        return {
            "path": self._base or "/",
            "httponly": True,
            "samesite": "strict",
            "secure": self._access.is_behind_tls(request),
        }


async def _said_token(request: Request) -> str:
    """Return the token of a form; empty for anything else."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST_FORM_BYTES:
            raise HTTPException(413)
    try:
        return parse_qs(body.decode("utf-8"), max_num_fields=5).get("token", [""])[0]
    except ValueError:
        return ""


def _wants_json(request: Request) -> bool:
    return str(request.scope["path"]).startswith("/api/")


def _error(code: str, message: str, next_step: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "next_step": next_step}}
