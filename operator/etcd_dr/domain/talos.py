"""What a Talos node says of itself: services, versions, files, and the resources it publishes.

- Roles are the organizations of the client certificate; which call needs which is `ROLES_FOR` (Talos:
  internal/pkg/rbac and the rules in machined's apid service).
- A resource is named as Talos' own API names it: namespace, full type, id. Aliases are talosctl's and not the API's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

_TAG = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?:\.(\d{1,4}))?", re.ASCII)


class TalosRole(StrEnum):
    """The least roles first."""

    ETCD_BACKUP = "os:etcd:backup"
    READER = "os:reader"
    OPERATOR = "os:operator"
    ADMIN = "os:admin"


_ADMIN = (TalosRole.ADMIN,)
_OPERATOR = (TalosRole.OPERATOR, TalosRole.ADMIN)
_READER = (TalosRole.READER, *_OPERATOR)

ROLES_FOR: dict[str, tuple[TalosRole, ...]] = {
    "EtcdSnapshot": (TalosRole.ETCD_BACKUP, *_OPERATOR),
    # Up to 1.9.5 and in 1.10.0 os:etcd:backup may not ask these three (siderolabs/talos#10821).
    "EtcdStatus": (TalosRole.ETCD_BACKUP, *_READER),
    "EtcdMemberList": (TalosRole.ETCD_BACKUP, *_READER),
    "EtcdAlarmList": (TalosRole.ETCD_BACKUP, *_READER),
    "EtcdAlarmDisarm": _OPERATOR,
    "EtcdDefragment": _OPERATOR,
    "Reboot": _OPERATOR,
    **dict.fromkeys(
        ("EtcdRecover", "Bootstrap", "Reset", "EtcdLeaveCluster", "EtcdRemoveMemberByID", "Copy", "Read"), _ADMIN
    ),
}


def missing_role(call: str, own: Sequence[str], *, is_sensitive: bool = False) -> TalosRole:
    """Return the least role that would let a refused call through; `is_sensitive` for an administrators' resource.

    One that we have is not it: an older release asks for more than today's.
    """
    roles = _ADMIN if is_sensitive else ROLES_FOR.get(call, _READER)
    return next((role for role in roles if role not in own), TalosRole.ADMIN)


@dataclass(frozen=True, slots=True)
class TalosVersion:
    """`tag` such as v1.13.2; `platform` such as metal or aws."""

    tag: str
    platform: str = ""
    arch: str = ""

    @property
    def numbers(self) -> tuple[int, int, int] | None:
        """Major, minor and patch; None for what is no release's tag."""
        found = _TAG.match(self.tag)
        return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


@dataclass(frozen=True, slots=True)
class ServiceEvent:
    """One line of a service's history, such as Waiting: `Waiting for service "cri" to be "up"`."""

    state: str
    message: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """A service of the node. `is_healthy` is None while nothing is known; events are oldest first, 64 at most."""

    id: str
    state: str
    is_healthy: bool | None = None
    last_message: str = ""
    events: tuple[ServiceEvent, ...] = ()

    @property
    def newest(self) -> ServiceEvent | None:
        return self.events[-1] if self.events else None


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One row of a directory; `error` is why it could not be looked at."""

    name: str
    size_bytes: int
    is_directory: bool
    modified_at: datetime | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class MountUse:
    """A file system's size and what is free, in bytes."""

    mounted_on: str
    size_bytes: int
    available_bytes: int


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """Namespace and full type. `is_sensitive`: only os:admin may read it."""

    namespace: str
    type: str
    is_sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Resource:
    """A published resource. `spec` is its YAML, read; `body` is the first field of its binary form, as it came."""

    kind: ResourceKind
    id: str
    spec: Any = None
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class TalosEvent:
    """One event of the node. `kind` is the message's name, such as SequenceEvent; `text` says it in short.

    `is_failure`: a sequence ended in an error, which is `text`.
    """

    id: str
    actor_id: str
    kind: str
    text: str
    is_failure: bool = False


MACHINE_TYPE = ResourceKind("config", "MachineTypes.config.talos.dev")
MACHINE_CONFIG = ResourceKind("config", "MachineConfigs.config.talos.dev", is_sensitive=True)
_DEFAULT_QUOTA_BYTES = 2 << 30  # server/embed/config.go; Talos sets none
ETCD_SPEC = ResourceKind("etcd", "EtcdSpecs.etcd.talos.dev")
MACHINE_STATUS = ResourceKind("runtime", "MachineStatuses.runtime.talos.dev")
TIME_STATUS = ResourceKind("runtime", "TimeStatuses.v1alpha1.talos.dev")
ENDPOINTS = ResourceKind("controlplane", "Endpoints.kubernetes.talos.dev")
CLUSTER_MEMBERS = ResourceKind("cluster", "Members.cluster.talos.dev")
STATIC_POD_STATUSES = ResourceKind("k8s", "StaticPodStatuses.kubernetes.talos.dev")
MANIFEST_STATUSES = ResourceKind("controlplane", "ManifestStatuses.kubernetes.talos.dev")
VOLUME_STATUSES = ResourceKind("runtime", "VolumeStatuses.block.talos.dev")

DATA_DIRECTORY = "/var/lib/etcd"
DATABASE_FILE = "/var/lib/etcd/member/snap/db"
BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"
API_PORT = 50000


def etcd_quota_bytes(spec: object) -> int:
    """Return the quota of the database from a node's EtcdSpec; etcd's default (2 GiB) where it says none.

    1.14 takes several values for one argument, and the last one counts.
    """
    arguments = spec.get("extraArgs") if isinstance(spec, dict) else None
    said = arguments.get("quota-backend-bytes") if isinstance(arguments, dict) else None
    if isinstance(said, list):
        said = said[-1] if said else None
    return int(said) if isinstance(said, str | int) and str(said).isdigit() and int(said) else _DEFAULT_QUOTA_BYTES
