"""Which roles may call what (siderolabs/talos: internal/app/machined/pkg/system/services/machined.go, rules).

Roles are the Organization fields of the client's certificate. A method that has no rule is for admins only.
"""

from __future__ import annotations

from real.peers.talos.settings import TalosRelease

ADMIN = "os:admin"
OPERATOR = "os:operator"
READER = "os:reader"
ETCD_BACKUP = "os:etcd:backup"

_READERS = frozenset({ADMIN, OPERATOR, READER})
_OPERATORS = frozenset({ADMIN, OPERATOR})
_ADMINS = frozenset({ADMIN})

_RULES: dict[str, frozenset[str]] = {
    "EtcdSnapshot": frozenset({ADMIN, OPERATOR, ETCD_BACKUP}),
    **dict.fromkeys(("EtcdStatus", "EtcdMemberList", "EtcdAlarmList"), _READERS | {ETCD_BACKUP}),
    **dict.fromkeys(
        ("Containers", "Events", "Hostname", "List", "Logs", "Mounts", "ServiceList", "Time", "Version"), _READERS
    ),
    **dict.fromkeys(("State/Get", "State/List", "State/Watch"), _READERS),
    **dict.fromkeys(
        ("EtcdAlarmDisarm", "EtcdDefragment", "Reboot", "ServiceRestart", "ServiceStart", "ServiceStop"), _OPERATORS
    ),
}
_READ_BY_BACKUP_LATER = frozenset({"EtcdStatus", "EtcdMemberList", "EtcdAlarmList"})


def may_call(method: str, roles: frozenset[str], *, release: TalosRelease) -> bool:
    """Say whether any of these roles may call the method on a node of this release."""
    allowed = _RULES.get(method, _ADMINS)
    if method in _READ_BY_BACKUP_LATER and not release.backup_role_reads_status:
        allowed -= {ETCD_BACKUP}
    return bool(allowed & roles)
