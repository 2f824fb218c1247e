"""The Kubernetes API as an optional partner: requests by `kubectl`, and the catalogue as records."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from etcd_dr.config.duration import PositiveDuration
from etcd_dr.config.fields import FilePath, Section
from etcd_dr.config.lease_model import LeaseSection
from etcd_dr.domain.request import NAMESPACE_PATTERN


class KubernetesSection(Section):
    """Lets the operator speak with the Kubernetes API (docs/kubernetes.md). Nothing that protects etcd waits for it."""

    kubeconfig: FilePath | None = None
    """A kubeconfig file; unset: the service account of the pod."""
    context: str | None = None
    """A context of that file; unset: its current one."""
    namespace: str | None = Field(default=None, pattern=NAMESPACE_PATTERN)
    """The namespace of requests, records and leases; unset: the pod's own, or the context's."""
    requests: bool = True
    """Carry out EtcdSnapshot and EtcdDrill resources of that namespace, for the clusters of this file."""
    records: int = Field(default=25, ge=0, le=500)
    """How many of the newest snapshots of a cluster are shown as EtcdSnapshot resources; 0: none."""
    ttl: PositiveDuration = timedelta(days=1)
    """How long a finished request is kept, unless it says so itself; the snapshot stays in the store."""
    resync: PositiveDuration = timedelta(minutes=10)
    """Time between two full readings of the resources, beside the watch."""
    leases: LeaseSection = LeaseSection()
