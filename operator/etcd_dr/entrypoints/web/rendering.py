"""Templates, and how values become words on the page.

Everything that a template prints is escaped, and control and other invisible characters are shown as escapes: a key, a
member or an object of a bucket may be called anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from etcd_dr.entrypoints.cli.global_options import GlobalOptions
from etcd_dr.entrypoints.cli.human import age, duration, plain, size
from etcd_dr.entrypoints.cli.pasting import Paste, parts

DASH = "\N{EN DASH}"
_STOCK_CALL = re.compile(
    r"\b(?:age-keygen|crictl|etcdctl|etcdutl|journalctl|kubectl|openssl|systemctl|talosctl) "
    r"(?:-|[a-z])(?:(?![;|()\n]|\.(?:\s|$)|, ).)*"
)
_TEMPLATES = ("overview.html", "cluster.html", "login.html", "message.html")


class Renderer:
    """Renders templates by name; safe from any thread. `shared` is what every page knows."""

    def __init__(self, shared: Mapping[str, Any]) -> None:
        self._environment = Environment(
            loader=PackageLoader("etcd_dr.entrypoints.web", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_visible,
            auto_reload=False,
        )
        self._environment.filters |= _FILTERS
        self._environment.globals |= dict(shared)
        for name in _TEMPLATES:
            self._environment.get_template(name)  # a broken one is found at the start

    def render(self, name: str, **values: Any) -> str:
        return self._environment.get_template(name).render(values)


def commands(text: str, cluster: str = "") -> list[tuple[str, str]]:
    """Return a next step in pieces with their kinds: `command` is one of ours, completed with the cluster's name and
    ready to be pasted; `stock` is a call of another program; empty is the sentence around them."""
    completed = Paste(GlobalOptions(cluster=cluster or None)).completed(text)
    lines = [line.strip() for line in completed.splitlines() if line.strip()]
    pieces = [piece for line in lines for piece in parts(f"{line} ")]
    return [part for piece, is_ours in pieces for part in ([(piece, "command")] if is_ours else _stock_calls(piece))]


def _stock_calls(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    for found in _STOCK_CALL.finditer(text):
        yield text[place : found.start()], ""
        yield found[0].rstrip(), "stock"
        place = found.start() + len(found[0].rstrip())
    yield text[place:], ""


def clock(moment: datetime | None) -> str:
    """Return a moment to the minute: `2026-08-20 03:00 UTC`."""
    return "never" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def machine_time(moment: datetime) -> str:
    """Return what the script reads ages from."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def ago(moment: datetime, now: datetime) -> str:
    """Return an age as the script writes it, too: `5m ago`, `in 5m`."""
    text = age(moment, now=now)
    return text if text.startswith("in ") else f"{text} ago"


def length(value: timedelta | float | None) -> str:
    """Return a duration, from seconds as well; a dash where it is not known."""
    if value is None:
        return DASH
    return duration(value if isinstance(value, timedelta) else timedelta(seconds=value))


def number(value: int | None) -> str:
    """Return a count as it can be pasted; a dash where it is not known."""
    return DASH if value is None else str(value)


def _visible(value: Any) -> Any:
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_FILTERS: dict[str, Any] = {
    "ago": ago,
    "clock": clock,
    "commands": commands,
    "count_of": len,
    "length": length,
    "machine_time": machine_time,
    "number": number,
    "size": size,
}
