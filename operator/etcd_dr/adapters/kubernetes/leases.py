"""coordination.k8s.io/v1 Leases of one group of replicas, found by a label; see the port for the contract.

A wish of another replica (`wanted_by`) is an annotation, so that no field of the Lease means something else here than
to other programs that read it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from etcd_dr.adapters.kubernetes.client import Document, KubernetesApi
from etcd_dr.domain.leadership import LeaseRecord

_GROUP_LABEL = "etcd-dr.io/leases"
_WANTED_BY = "etcd-dr.io/wanted-by"
_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"


class KubernetesLeases:
    """Implements ports.leases.Leases in the namespace of `api`; `seconds` is the longest silence of one call."""

    def __init__(self, api: KubernetesApi, *, group: str, seconds: float) -> None:
        self._api = api
        self._group = group
        self._seconds = seconds
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{api.namespace}/leases"

    def list(self) -> tuple[LeaseRecord, ...]:
        # Without a resourceVersion the API asks its etcd, so that the answer is as of now and not from a cache.
        answer = self._api.get(self._path, seconds=self._seconds, labelSelector=f"{_GROUP_LABEL}={self._group}")
        return tuple(_record(item) for item in answer.get("items") or ())

    def put(self, record: LeaseRecord) -> LeaseRecord:
        body = self._document(record)
        if not record.version:
            return _record(self._api.create(self._path, body, seconds=self._seconds))
        return _record(self._api.replace(f"{self._path}/{record.name}", body, seconds=self._seconds))

    def _document(self, record: LeaseRecord) -> Document:
        metadata: Document = {
            "name": record.name,
            "labels": {_GROUP_LABEL: self._group, "app.kubernetes.io/managed-by": "etcd-dr"},
        }
        if record.version:
            metadata["resourceVersion"] = record.version
        if record.wanted_by:
            metadata["annotations"] = {_WANTED_BY: record.wanted_by}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": metadata,
            "spec": {
                "holderIdentity": record.holder,
                "leaseDurationSeconds": max(1, round(record.lease_seconds)),
                "leaseTransitions": record.transitions,
                "acquireTime": _time_text(record.acquired_at),
                "renewTime": _time_text(record.renewed_at),
            },
        }


def _record(document: Document) -> LeaseRecord:
    """Return a lease as anybody may have left it: what is missing counts as empty."""
    metadata: Document = document.get("metadata") or {}
    spec: Document = document.get("spec") or {}
    return LeaseRecord(
        name=str(metadata.get("name") or ""),
        holder=str(spec.get("holderIdentity") or ""),
        transitions=int(spec.get("leaseTransitions") or 0),
        lease_seconds=float(spec.get("leaseDurationSeconds") or 0),
        acquired_at=_moment(spec.get("acquireTime")),
        renewed_at=_moment(spec.get("renewTime")),
        wanted_by=str((metadata.get("annotations") or {}).get(_WANTED_BY) or ""),
        version=str(metadata.get("resourceVersion") or ""),
    )


def _time_text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime(_TIME)


def _moment(text: Any) -> datetime | None:
    """Return the moment; None also for nonsense of another program, because it only tells beats apart."""
    try:
        return datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
