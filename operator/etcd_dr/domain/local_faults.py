"""Faults of this machine that keep it from asking members: they say nothing about the members themselves.

Two kinds: files that cannot be used (a key that nobody may read, a CA that is missing), and a client certificate of
ours that is not valid at this time, which every member refuses.
"""

from __future__ import annotations

from collections.abc import Mapping

from etcd_dr.domain.answer import Failure
from etcd_dr.domain.certificate import CertificateRole
from etcd_dr.domain.observation import EndpointObservation, Observation
from etcd_dr.errors import ConfigError, TlsRefused


def local_faults(observation: Observation) -> Mapping[str, Failure]:
    """Return the silent endpoints whose silence is our own doing, with the failure."""
    is_refused_for_ours = _shows_an_invalid_certificate(observation)
    return {
        endpoint.endpoint: failure
        for endpoint in observation.endpoints
        if (failure := _failure(endpoint)) is not None
        and (failure.code == ConfigError.code or (failure.code == TlsRefused.code and is_refused_for_ours))
    }


def is_all_ours(observation: Observation) -> bool:
    """Tell whether nobody answers, and nobody else is to blame for it."""
    return bool(observation.endpoints) and len(local_faults(observation)) == len(observation.endpoints)


def _failure(endpoint: EndpointObservation) -> Failure | None:
    return endpoint.status.failure if endpoint.latest_status is None else None


def _shows_an_invalid_certificate(observation: Observation) -> bool:
    own = [c for c in observation.own_certificates.value or () if c.role is CertificateRole.CLIENT]
    return any(not c.not_before <= observation.taken_at <= c.not_after for c in own)
