"""The shape of `etcd-dr.yaml`. Field descriptions are the reference (docs/configuration.md is made from them)."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from etcd_dr.config.cluster_model import ClusterSection
from etcd_dr.config.duration import PositiveDuration
from etcd_dr.config.fields import FilePath, Section
from etcd_dr.config.kubernetes_model import KubernetesSection
from etcd_dr.config.notification_model import NotificationSection
from etcd_dr.config.page_model import PageSection
from etcd_dr.config.store_model import StoreSection
from etcd_dr.config.tools_model import ToolsSection


class EncryptionSection(Section):
    """age recipients (public) and, only where something is opened, identities (secret, by file)."""

    enabled: bool = True
    """Encryption is on; to store snapshots readable by anyone with the bucket, this must be said: false."""
    recipients: tuple[str, ...] = ()
    """Public keys, such as age1…, ssh-ed25519 … or ssh-rsa …; each of them alone can open a snapshot."""
    recipients_files: tuple[FilePath, ...] = ()
    """Files with one recipient a line."""
    identity_files: tuple[FilePath, ...] = ()
    """Private keys. Needed by verify, fetch, recover and drill; the operator normally has none."""


class CompressionSection(Section):
    """zstd, before encryption."""

    algorithm: Literal["zstd", "none"] = "zstd"
    """`none` stores snapshots as large as the database."""
    level: int = Field(default=1, ge=1, le=19)
    """Higher is smaller and slower; 3 with 2 threads is a fair trade where the network is slow."""
    threads: int = Field(default=0, ge=0, le=16)
    """Extra threads for compression; 0 compresses in the calling thread."""


class OperatorSection(Section):
    """The long-running process."""

    listen: str = Field(default="127.0.0.1:9379", pattern=r"^.+:\d{1,5}$")
    """Address for /metrics, /healthz and /readyz; in a pod: 0.0.0.0:9379."""
    shutdown_grace: PositiveDuration = timedelta(seconds=25)
    """How long a stop waits for work to end cleanly; below the pod's grace period."""
    upload_grace: PositiveDuration = timedelta(hours=24)
    """Interrupted uploads older than this are swept."""
    snapshot_workers: int = Field(default=2, ge=1, le=32)
    """How many clusters are saved at the same time; each takes some 100 MB of memory and a scratch copy."""
    catalogue_interval: PositiveDuration = timedelta(minutes=5)
    """Time between two readings of a cluster's catalogue in the store."""


class LogSection(Section):
    """Log lines on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Commands other than `operator` begin at warning unless this is set."""
    format: Literal["json", "text"] = "json"
    """One JSON object a line, or text for people; commands other than `operator` write text unless this is set."""


class Config(Section):
    """The whole file."""

    clusters: tuple[ClusterSection, ...] = ()
    """The clusters that are protected."""
    stores: tuple[StoreSection, ...] = ()
    """Where their snapshots are kept."""
    encryption: EncryptionSection = EncryptionSection()
    compression: CompressionSection = CompressionSection()
    scratch_dir: FilePath | None = None
    """Directory for scratch copies of the database; unset: the system's temporary directory."""
    state_dir: FilePath | None = None
    """Directory for the journals and copies of recoveries; unset: ~/.local/state/etcd-dr ($XDG_STATE_HOME)."""
    scratch: bool = True
    """Keep the scratch copy, from which a snapshot is proven, in a directory; false keeps it in memory."""
    scratch_memory_bytes: int = Field(default=1 << 30, gt=0)
    """The largest database that is taken with `scratch: false`."""
    tools: ToolsSection = ToolsSection()
    operator: OperatorSection = OperatorSection()
    page: PageSection = PageSection()
    notifications: tuple[NotificationSection, ...] = ()
    """Who gets messages, for those without Alertmanager."""
    log: LogSection = LogSection()
    kubernetes: KubernetesSection | None = None
    """Unset: the operator asks nothing of the Kubernetes API. In the chart, `{}` is enough."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        _no_twins("cluster", [c.name for c in self.clusters])
        _no_twins("store", [s.name for s in self.stores])
        _no_twins("receiver", [n.name for n in self.notifications])
        known = {s.name for s in self.stores}
        for cluster in self.clusters:
            if cluster.store not in known:
                listed = ", ".join(sorted(known)) or "none"
                raise ValueError(f"cluster {cluster.name!r}: store {cluster.store!r} is not under stores ({listed})")
            kept = cluster.companions
            if kept.is_asked_for and not (self.encryption.enabled or kept.allow_unencrypted):
                raise ValueError(
                    f"cluster {cluster.name!r}: companions hold private keys, and encryption is off; to keep them in "
                    "clear, say companions.allow_unencrypted: true"
                )
        return self

    @model_validator(mode="after")
    def _receivers_know_their_clusters(self) -> Self:
        known = {c.name for c in self.clusters}
        for receiver in self.notifications:
            if unknown := sorted(set(receiver.clusters) - known):
                raise ValueError(f"receiver {receiver.name!r}: no such cluster: {', '.join(unknown)}")
        return self

    def store(self, name: str) -> StoreSection:
        """Return the store of that name; validation has seen to it that every cluster's exists."""
        return next(s for s in self.stores if s.name == name)


def _no_twins(kind: str, names: list[str]) -> None:
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise ValueError(f"{kind} name used twice: {', '.join(twins)}")
