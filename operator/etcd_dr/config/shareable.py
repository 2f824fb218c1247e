"""One cluster's settings as a file of its own, for a kit: everything that was set, and no secret.

Secrets never stand in the configuration, only the names of their files (config/__init__). `named_files` lists those,
because whoever takes the kit must bring them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import Enum
from pathlib import Path

import yaml
from pydantic import BaseModel

from etcd_dr.config.duration import duration_text
from etcd_dr.config.target import Target
from etcd_dr.errors import ConfigError

_CLUSTER_SECTIONS = (
    "etcd",
    "talos",
    "control_plane",
    "schedule",
    "snapshot",
    "retention",
    "health",
    "objectives",
    "tripwire",
    "drill",
    "companions",
)
_NOT_SECRET_NOR_INPUT = ("scratch_dir", "state_dir", "store.directory.path", "tools.directories")


def shareable_yaml(target: Target, *, cluster: str) -> str:
    """Return the text of an etcd-dr.yaml with this cluster alone. Raises ConfigError where no store is known."""
    store = target.need_store()
    sections = {name: getattr(target, name) for name in _CLUSTER_SECTIONS}
    described: dict[str, object] = {"name": cluster, "store": store.name}
    described |= {name: said for name, section in sections.items() if (said := _said(section))}
    if "etcd" not in described and "talos" not in described:
        raise ConfigError(
            "nothing says how the cluster is reached, so a kit could not recover it",
            next_step="Name its endpoints with --endpoints, or make the kit from its configuration: --config FILE",
        )
    document: dict[str, object] = {"clusters": [described], "stores": [{"name": store.name, **_said(store)}]}
    document |= {
        name: said for name in ("encryption", "compression", "tools") if (said := _said(getattr(target, name)))
    }
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def named_files(target: Target) -> tuple[tuple[str, Path], ...]:
    """Return the key and the path of each file that the settings name, in order."""
    sections = {name: getattr(target, name) for name in ("store", "etcd", "talos", "control_plane", "encryption")}
    found = [pair for name, section in sections.items() if section is not None for pair in _paths(section, name)]
    return tuple((key, path) for key, path in found if key not in _NOT_SECRET_NOR_INPUT)


def _said(section: BaseModel | None) -> dict[str, object]:
    if section is None:
        return {}
    plain = _plain(section.model_dump(exclude_defaults=True))
    return plain if isinstance(plain, dict) else {}


def _plain(value: object) -> object:
    """Return a value as YAML spells it."""
    match value:
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case tuple() | list():
            return [_plain(each) for each in value]
        case timedelta():
            return duration_text(value)
        case Path():
            return str(value)
        case Enum():
            return _plain(value.value)
        case _:
            return value


def _paths(section: BaseModel, key: str) -> Iterator[tuple[str, Path]]:
    for name in type(section).model_fields:
        yield from _paths_in(getattr(section, name), f"{key}.{name}")


def _paths_in(value: object, key: str) -> Iterator[tuple[str, Path]]:
    match value:
        case Path():
            yield key, value
        case BaseModel():
            yield from _paths(value, key)
        case tuple() | list():
            for each in value:
                yield from _paths_in(each, key)
