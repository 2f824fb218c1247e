"""What a command line and etcdctl's environment say, laid over the configuration file.

Order, strongest first: flags; `ETCD_DR_STORE` and `ETCD_DR_CLUSTER`; the file with its `ETCD_DR_…` overrides;
etcdctl's environment. The last one only fills the place of a file that is not there: a shell with `ETCDCTL_ENDPOINTS`
of another cluster must never redirect a cluster that the file describes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from etcd_dr.errors import ConfigError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class EtcdOverrides:
    """How etcd is reached, as flags or environment have it; None: not said. `password` is secret."""

    endpoints: str | None = None
    cacert: str | None = None
    cert: str | None = None
    key: str | None = None
    server_name: str | None = None
    username: str | None = None
    password_file: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def is_said(self) -> bool:
        """Whether anything was said at all."""
        return any(getattr(self, each.name) is not None for each in fields(self))

    def section(self) -> dict[str, object]:
        """Return what was said as keys of the configuration's `etcd`; endpoints without a scheme get one."""
        said: dict[str, object] = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name not in ("password", "endpoints") and getattr(self, each.name) is not None
        }
        if self.endpoints is not None:
            scheme = "https" if self.cacert or self.cert else "http"
            said["endpoints"] = [
                text if "://" in text else f"{scheme}://{text}"
                for text in (part.strip() for part in self.endpoints.split(","))
                if text
            ]
        return said


@dataclass(frozen=True, slots=True, kw_only=True)
class TalosOverrides:
    """How Talos is reached, as flags have it; None: not said. Names are talosctl's."""

    talosconfig: str | None = None
    context: str | None = None
    nodes: str | None = None

    @property
    def is_said(self) -> bool:
        """Whether anything was said at all."""
        return any(getattr(self, each.name) is not None for each in fields(self))

    def section(self) -> dict[str, object]:
        """Return what was said as keys of the configuration's `talos`."""
        said = {"config_file": self.talosconfig, "context": self.context, "nodes": self.nodes}
        return {key: value for key, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """Everything that is said beside the file. `store` is a URL; `no_encryption` is the wish to store in clear."""

    cluster: str | None = None
    etcd: EtcdOverrides = EtcdOverrides()
    talos: TalosOverrides = TalosOverrides()
    store: str | None = None
    recipients: tuple[str, ...] = ()
    recipients_files: tuple[Path, ...] = ()
    identity_files: tuple[Path, ...] = ()
    no_encryption: bool = False


def parse_user(user: str) -> str:
    """Return the etcd user that `--user` names. Raises UsageError for `name:password`."""
    name, separator, _ = user.partition(":")
    if separator:
        raise UsageError(
            "a password on the command line can be read by every user of this machine",
            subject="--user",
            next_step="Write --user NAME with --password-file FILE, or set ETCDCTL_USER=name:password instead.",
        )
    return name


def etcdctl_environment(environment: Mapping[str, str]) -> EtcdOverrides:
    """Return what etcdctl's variables say. Raises ConfigError where they contradict one another."""
    user, separator, password = environment.get("ETCDCTL_USER", "").partition(":")
    separate = environment.get("ETCDCTL_PASSWORD")
    if separate is not None and separator:
        raise ConfigError(
            "is set together with a password in ETCDCTL_USER",
            subject="ETCDCTL_PASSWORD",
            next_step="Set one of them: ETCDCTL_USER=name:password, or ETCDCTL_USER=name and ETCDCTL_PASSWORD.",
        )
    return EtcdOverrides(
        endpoints=environment.get("ETCDCTL_ENDPOINTS") or None,
        cacert=environment.get("ETCDCTL_CACERT") or None,
        cert=environment.get("ETCDCTL_CERT") or None,
        key=environment.get("ETCDCTL_KEY") or None,
        username=user or None,
        password=password if separator else separate,
    )
