"""Write a break-glass kit into a new directory: configuration, page, facts, and the sums of all three."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from etcd_dr.domain.kit import CONFIG_NAME, FACTS_NAME, PAGE_NAME, SUMS_NAME, KitFacts
from etcd_dr.domain.kit_page import recovery_page
from etcd_dr.errors import UsageError
from etcd_dr.ports.local_files import FileSink


def make_kit(facts: KitFacts, configuration: str, directory: Path, *, sink: FileSink) -> tuple[Path, ...]:
    """Write the kit and return its files. Raises UsageError where the directory has anything in it, FileUnreadable,
    LocalStorageFull."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(
            "exists already and is not an empty directory",
            subject=str(directory),
            next_step="Name a new directory: nothing is written over.",
        )
    if not directory.parent.is_dir():
        raise UsageError("is not a directory", subject=str(directory.parent), next_step="Make it first.")
    directory.mkdir(mode=0o700, exist_ok=True)
    bodies = {
        CONFIG_NAME: configuration.encode(),
        PAGE_NAME: recovery_page(facts).encode(),
        FACTS_NAME: _facts_document(facts),
    }
    bodies[SUMS_NAME] = sums(bodies)
    return tuple(_write(directory / name, body, sink) for name, body in bodies.items())


def sums(bodies: Mapping[str, bytes]) -> bytes:
    """Return the file that `sha256sum --check` reads."""
    return "".join(f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in bodies.items()).encode()


def _facts_document(facts: KitFacts) -> bytes:
    document = {
        "version": 1,
        "cluster": facts.cluster,
        "store": facts.store_url,
        "made_at": facts.made_at.isoformat(),
        "tool_version": facts.tool_version,
        "server_version": facts.server_version,
        "snapshot_id": facts.snapshot_id,
        "recipients": list(facts.recipients),
        "peer_urls": [url for member in facts.topology for url in member.peer_urls],
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def _write(path: Path, body: bytes, sink: FileSink) -> Path:
    part = sink.begin_file(path, overwrite=False)
    try:
        part.write(body)
        return part.commit()
    except BaseException:
        part.abort()
        raise
