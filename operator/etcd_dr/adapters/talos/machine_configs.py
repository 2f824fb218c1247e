"""The machine configuration of every node, as it was submitted: what a new machine needs to become the old one.

It holds the cluster's secrets, so Talos gives it to os:admin only, and it is kept encrypted only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing

import yaml

from etcd_dr.domain.companions import CompanionFile, CompanionLimits, companion_name
from etcd_dr.domain.manifest import MissingCompanion
from etcd_dr.domain.talos import MACHINE_CONFIG, Resource
from etcd_dr.errors import Cancelled, ConfigError, EtcdError
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.companions import Gathered
from etcd_dr.ports.talos import TalosFleet

PATH = "/system/state/config.yaml"
"""Where Talos keeps it on the STATE partition."""
_MODE = 0o600
_CALL_SECONDS = 5.0
_IDS = ("v1alpha1", "persistent")  # what is in force, else what lies on the disk


class MachineConfigs:
    """Implements ports.companions.CompanionSource."""

    def __init__(self, fleet: Callable[[], TalosFleet]) -> None:
        self._fleet = fleet

    def gather(self, *, limits: CompanionLimits, cancellation: Cancellation) -> Gathered:
        files: list[CompanionFile] = []
        missing: list[MissingCompanion] = []
        left = limits.total_bytes
        fleet = self._fleet()
        try:
            addresses = fleet.nodes()
        except (EtcdError, ConfigError) as error:
            return Gathered(missing=(MissingCompanion(name=f"talos{PATH}", reason=error.message),))
        for address in addresses:
            if cancellation.is_cancelled:
                raise Cancelled(f"stopped on request ({cancellation.reason})")
            try:
                body = _config_of(fleet, address)
            except (EtcdError, ConfigError) as error:
                missing.append(_missing(address, error.message))
                continue
            if not body:
                missing.append(_missing(address, "the node has no configuration"))
            elif len(body) > left or len(files) >= limits.files:
                missing.append(_missing(address, "does not fit into the limits of companions"))
            else:
                files.append(CompanionFile(companion_name(origin_of(address), PATH), _MODE, body))
                left -= len(body)
        return Gathered(tuple(files), tuple(missing))


def origin_of(address: str) -> str:
    """Return the node's address as companions name where they are from: its host, `:` of IPv6 written `-`."""
    host = address.rpartition(":")[0] if address.count(":") == 1 or address.startswith("[") else address
    return re.sub(r"[^A-Za-z0-9._-]", "-", host.strip("[]"))


def _config_of(fleet: TalosFleet, address: str) -> bytes:
    with closing(fleet.open(address)) as node:
        for resource_id in _IDS:
            found = node.resource(MACHINE_CONFIG, resource_id, deadline=_CALL_SECONDS)
            if found is not None:
                return config_text(found)
    return b""


def config_text(resource: Resource) -> bytes:
    """Return the YAML as it was submitted, or as the node shows it where it does not give the original (1.1)."""
    if resource.body:
        return resource.body
    if isinstance(resource.spec, str):
        return resource.spec.encode()
    return yaml.safe_dump(resource.spec, sort_keys=False).encode() if isinstance(resource.spec, dict) else b""


def _missing(address: str, reason: str) -> MissingCompanion:
    return MissingCompanion(name=f"{origin_of(address)}{PATH}", reason=reason)
