"""Leases that several processes see: small records, each replaced only by whoever has seen its last state.

Contract:
- A call ends within its time limit, whatever the server does, and is never repeated by the adapter: the caller counts
  from when it began the call.
- A write whose answer was lost may have been carried out. It is carried out once or never, and only over the state
  that it named.
- Raises ResourceConflict when somebody was faster, ApiUnreachable and ApiDenied, or KubernetesError.
"""

from __future__ import annotations

from typing import Protocol

from etcd_dr.domain.leadership import LeaseRecord


class Leases(Protocol):
    def list(self) -> tuple[LeaseRecord, ...]:
        """Return the leases of this group of replicas, in no order; as of now, never from a cache."""
        ...

    def put(self, record: LeaseRecord) -> LeaseRecord:
        """Create it (`version` empty) or replace the state of that version; return it with its new version."""
        ...
