"""How the control plane nodes of one Talos cluster are reached."""

from __future__ import annotations

from datetime import timedelta

from pydantic import field_validator

from etcd_dr.config.duration import PositiveDuration
from etcd_dr.config.fields import FilePath, Section


class TalosSection(Section):
    """How to reach the nodes of one cluster by Talos' machine API; names are talosctl's."""

    config_file: FilePath | None = None
    """talosconfig; unset: TALOSCONFIG, ~/.talos/config, then where a pod has it mounted. Read again for each run."""
    context: str | None = None
    """Context of that file; unset: the one that it names itself."""
    nodes: tuple[str, ...] = ()
    """Control plane nodes by their own addresses; unset: the context's nodes, else those of the member list."""
    forward: bool = False
    """Reach the nodes through the context's endpoint, where they cannot be dialled from here."""
    request_timeout: PositiveDuration = timedelta(seconds=5)
    """Deadline of a single small call; a recovery is never less patient than 10s for a question and 30s for a change."""
    reboot_timeout: PositiveDuration = timedelta(minutes=20)
    """Longest wait of a recovery for a node to come back from a reset or a reboot; a passed one can be resumed."""
    compare_copies: bool = False
    """Take a second snapshot from another node for the `consistent` proof, where `etcd` is not configured too."""
    machine_configs: bool | None = None
    """Keep each node's machine configuration as a companion; needs os:admin. Unset: `snapshot save` does so where it
    has that role and encrypts, the operator does not."""

    @field_validator("nodes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
