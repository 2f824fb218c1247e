"""Style sheet, script and icon, read once from the package: three names and nothing else can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

_KINDS = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file with its media type. `mark` changes with its content and belongs into its address."""

    body: bytes
    media_type: str
    mark: str


def load_assets() -> dict[str, Asset]:
    """Return the assets by name."""
    place = files("etcd_dr.entrypoints.web") / "static"
    bodies = {name: (place / name).read_bytes() for name in _KINDS}
    return {name: Asset(body, _KINDS[name], sha256(body).hexdigest()[:12]) for name, body in bodies.items()}
