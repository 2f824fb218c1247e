"""Writes talosconfig files, as `talosctl gen config` and `talosctl config new` do."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import yaml

from real.peers.talos.pki import Pair


def write_talosconfig(
    path: Path, *, context: str, ca: bytes, pair: Pair, endpoints: Sequence[str], nodes: Sequence[str]
) -> Path:
    """Write a file with one context, readable by its owner only, and return its path."""
    entry: dict[str, object] = {
        "endpoints": list(endpoints),
        **({"nodes": list(nodes)} if nodes else {}),
        "ca": _base64(ca),
        "crt": _base64(pair.certificate),
        "key": _base64(pair.key_as_talos_writes_it),
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump({"context": context, "contexts": {context: entry}}, sort_keys=False))
    return path


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
