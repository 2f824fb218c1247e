"""What one command works on: a cluster, its store and its settings, from whatever described them.

Everything is optional until it is asked for: `snapshot list` needs no etcd, `members` needs no store. Asking for a
part that nobody described raises ConfigError, which says all the ways to describe it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from pydantic import ValidationError

from etcd_dr.config.cluster_model import (
    ClusterSection,
    HealthSection,
    RetentionSection,
    ScheduleSection,
    SnapshotSection,
)
from etcd_dr.config.companions_model import CompanionsSection
from etcd_dr.config.complaints import complaints
from etcd_dr.config.control_plane_model import ControlPlaneSection
from etcd_dr.config.drill_model import DrillSection
from etcd_dr.config.etcd_model import EtcdSection
from etcd_dr.config.model import CompressionSection, Config, EncryptionSection
from etcd_dr.config.objective_model import ObjectivesSection
from etcd_dr.config.overrides import EtcdOverrides, Overrides, TalosOverrides, etcdctl_environment
from etcd_dr.config.store_model import StoreSection
from etcd_dr.config.store_url import parse_store_url
from etcd_dr.config.talos_model import TalosSection
from etcd_dr.config.tools_model import ToolsSection
from etcd_dr.config.tripwire_model import TripwireSection
from etcd_dr.domain.snapshot import is_cluster_name
from etcd_dr.errors import ConfigError, UsageError

STORE_VARIABLE = "ETCD_DR_STORE"
CLUSTER_VARIABLE = "ETCD_DR_CLUSTER"
TALOS_VARIABLE = "TALOSCONFIG"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One cluster to work on. `name` None: not said, and the store may know. `password` is secret and in memory only."""

    name: str | None = None
    etcd: EtcdSection | None = None
    talos: TalosSection | None = None
    password: str | None = field(default=None, repr=False)
    store: StoreSection | None = None
    schedule: ScheduleSection | None = None
    snapshot: SnapshotSection = field(default_factory=SnapshotSection)
    retention: RetentionSection = field(default_factory=RetentionSection)
    health: HealthSection = field(default_factory=HealthSection)
    objectives: ObjectivesSection = field(default_factory=ObjectivesSection)
    tripwire: TripwireSection = field(default_factory=TripwireSection)
    drill: DrillSection = field(default_factory=DrillSection)
    tools: ToolsSection = field(default_factory=ToolsSection)
    companions: CompanionsSection = field(default_factory=CompanionsSection)
    labels: Mapping[str, str] = field(default_factory=dict)
    control_plane: ControlPlaneSection | None = None
    encryption: EncryptionSection = field(default_factory=EncryptionSection)
    compression: CompressionSection = field(default_factory=CompressionSection)
    scratch_dir: Path | None = None
    state_dir: Path | None = None
    scratch: bool = True
    scratch_memory_bytes: int = 1 << 30
    upload_grace: timedelta = timedelta(hours=24)

    def need_etcd(self) -> EtcdSection:
        """Return how etcd is reached. Raises ConfigError where nothing says it."""
        if self.etcd is None:
            raise ConfigError(
                "no etcd endpoints are known",
                next_step="Name them with --endpoints https://HOST:2379 --cacert FILE --cert FILE --key FILE, with "
                "ETCDCTL_ENDPOINTS and its siblings, or in a file given by --config.",
            )
        return self.etcd

    @property
    def platform(self) -> str:
        """What snapshots are taken through, as manifests have it."""
        return "etcd" if self.talos is None else "talos"

    def need_talos(self) -> TalosSection:
        """Return how Talos is reached. Raises ConfigError where nothing says that this is Talos."""
        if self.talos is None:
            raise ConfigError(
                "nothing says how the Talos nodes are reached",
                next_step="Name a talosconfig with --talosconfig FILE, or in a file given by --config (talos).",
            )
        return self.talos

    def need_store(self) -> StoreSection:
        """Return where snapshots are kept. Raises ConfigError where nothing says it."""
        if self.store is None:
            raise ConfigError(
                "no store is known",
                next_step="Name it with --store /DIRECTORY or --store s3://BUCKET/PREFIX, with ETCD_DR_STORE, or in a "
                "file given by --config.",
            )
        return self.store

    def need_control_plane(self) -> ControlPlaneSection:
        """Return how the nodes are reached. Raises ConfigError where nothing says it."""
        if self.control_plane is None:
            raise ConfigError(
                "no way to the nodes that run etcd is known",
                next_step="Describe them under clusters[].control_plane in a file given by --config. "
                "An example for each platform: etcd-dr docs control-planes",
            )
        return self.control_plane

    def need_recipients(self) -> EncryptionSection:
        """Return the encryption settings for writing. Raises ConfigError where it is on and has nobody to encrypt to."""
        encryption = self.encryption
        if encryption.enabled and not (encryption.recipients or encryption.recipients_files):
            raise ConfigError(
                "encryption is on, but there is no recipient to encrypt to",
                subject="encryption.recipients",
                next_step="Make a key with: age-keygen -o etcd-dr.key\n"
                "Keep that file where you would recover, not beside the store, and give its public key: "
                "--recipient age1...\n"
                "To store snapshots in clear, with every Secret of the cluster readable by whoever reads the store: "
                "--no-encryption",
            )
        return encryption


def resolve_target(config: Config | None, overrides: Overrides, environment: Mapping[str, str]) -> Target:
    """Return what a command works on. `config` None: there is no file.

    Raises UsageError for flags that do not fit, ConfigError for the rest.
    """
    name = overrides.cluster or environment.get(CLUSTER_VARIABLE) or None
    _check_name(name, said_by="--cluster" if overrides.cluster else CLUSTER_VARIABLE)
    is_said_whole = overrides.store is not None or overrides.etcd.endpoints is not None or overrides.talos.is_said
    target = Target(name=name)
    if config is not None:
        target = _from_file(config, name, may_be_unknown=is_said_whole)
    if target.etcd is None and target.talos is None and not overrides.talos.is_said:
        target = _over(target, etcdctl_environment(environment), ConfigError("", subject="ETCDCTL_…"))
    target = _over(target, overrides.etcd, UsageError("", subject="the command line"))
    target = _over_talos(target, overrides.talos)
    if target.etcd is None and target.talos is None and environment.get(TALOS_VARIABLE):
        # talosctl's variable fills the place of a file that is not there, as etcdctl's do.
        target = _over_talos(target, TalosOverrides(talosconfig=environment[TALOS_VARIABLE]))
    store = _store_said(overrides, environment)
    return replace(target, store=store or target.store, encryption=_encryption(target.encryption, overrides))


def resolve_encryption(config: Config | None, overrides: Overrides) -> EncryptionSection:
    """Return the encryption settings alone, for what concerns no cluster, such as a file at hand."""
    return _encryption(config.encryption if config is not None else EncryptionSection(), overrides)


def resolve_all(config: Config) -> tuple[Target, ...]:
    """Return every cluster of the file, for the operator."""
    return tuple(_of_cluster(config, cluster) for cluster in config.clusters)


def _from_file(config: Config, name: str | None, *, may_be_unknown: bool) -> Target:
    """Return the file's cluster of this name, or its only one; where it has none, its general settings alone."""
    known = [cluster.name for cluster in config.clusters]
    if name is None and len(known) > 1:
        raise UsageError(
            f"the configuration has {len(known)} clusters: {', '.join(known)}",
            next_step=f"Say which one, such as: --cluster {known[0]}",
        )
    for cluster in config.clusters:
        if name in (None, cluster.name):
            return _of_cluster(config, cluster)
    if known and not may_be_unknown:
        raise UsageError(
            f"is not in the configuration, which has: {', '.join(known)}",
            subject=f"cluster {name}",
            next_step=f"Say one of them, such as --cluster {known[0]}, or name another file with --config.",
        )
    return _settings(config, name=name, store=config.stores[0] if len(config.stores) == 1 else None)


def _of_cluster(config: Config, cluster: ClusterSection) -> Target:
    return replace(
        _settings(config, name=cluster.name, store=config.store(cluster.store)),
        etcd=cluster.etcd,
        talos=cluster.talos,
        schedule=cluster.schedule,
        snapshot=cluster.snapshot,
        retention=cluster.retention,
        health=cluster.health,
        objectives=cluster.objectives,
        tripwire=cluster.tripwire,
        drill=cluster.drill,
        companions=cluster.companions,
        labels=cluster.labels,
        control_plane=cluster.control_plane,
    )


def _settings(config: Config, *, name: str | None, store: StoreSection | None) -> Target:
    return Target(
        name=name,
        store=store,
        encryption=config.encryption,
        compression=config.compression,
        scratch_dir=config.scratch_dir,
        state_dir=config.state_dir,
        scratch=config.scratch,
        scratch_memory_bytes=config.scratch_memory_bytes,
        upload_grace=config.operator.upload_grace,
        tools=config.tools,
    )


def _over(target: Target, said: EtcdOverrides, blame: ConfigError | UsageError) -> Target:
    """Return the target with what was said about etcd; endpoints must be known from somewhere for the rest to count."""
    if not said.is_said:
        return target
    before = target.etcd.model_dump(exclude_unset=True) if target.etcd is not None else {}
    after = before | said.section()
    if "endpoints" not in after:
        return target
    if said.password is not None and "username" not in after:
        raise type(blame)("a password is given without a user", subject=blame.subject)
    try:
        section = EtcdSection.model_validate(after)
    except ValidationError as error:
        raise type(blame)(f"does not fit: {'; '.join(complaints(error))}", subject=blame.subject) from error
    return replace(target, etcd=section, password=said.password if said.password is not None else target.password)


def _over_talos(target: Target, said: TalosOverrides) -> Target:
    if not said.is_said:
        return target
    before = target.talos.model_dump(exclude_unset=True) if target.talos is not None else {}
    try:
        return replace(target, talos=TalosSection.model_validate(before | said.section()))
    except ValidationError as error:
        raise UsageError(f"does not fit: {'; '.join(complaints(error))}", subject="the command line") from error


def _store_said(overrides: Overrides, environment: Mapping[str, str]) -> StoreSection | None:
    text = overrides.store if overrides.store is not None else environment.get(STORE_VARIABLE) or None
    if text is None:
        return None
    try:
        return parse_store_url(text)
    except ValueError as error:
        if overrides.store is not None:
            raise UsageError(str(error), subject="--store") from error
        raise ConfigError(str(error), subject=STORE_VARIABLE) from error


def _encryption(section: EncryptionSection, overrides: Overrides) -> EncryptionSection:
    """Return the settings with the command line's keys: recipients replace the file's, identities are added to them.

    Beside an identity that is said, those of the file that are not on this machine are left out: the key is elsewhere.
    """
    if overrides.no_encryption and (overrides.recipients or overrides.recipients_files):
        raise UsageError(
            "contradicts --recipient and --recipients-file", subject="--no-encryption", next_step="Leave one out."
        )
    configured = [path for path in section.identity_files if not overrides.identity_files or path.exists()]
    said: dict[str, object] = {"identity_files": (*configured, *overrides.identity_files)}
    if overrides.no_encryption:
        said["enabled"] = False
    if overrides.recipients or overrides.recipients_files:
        said |= {
            "enabled": True,
            "recipients": overrides.recipients,
            "recipients_files": overrides.recipients_files,
        }
    return section.model_copy(update=said)


def _check_name(name: str | None, *, said_by: str) -> None:
    if name is not None and not is_cluster_name(name):
        raise UsageError(
            "is not a cluster name: use 1 to 63 of a-z, 0-9, '.', '_', '-', beginning and ending with a letter or digit",
            subject=said_by,
        )
