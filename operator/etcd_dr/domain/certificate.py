"""The certificates that etcd's life depends on: who shows them, who signed them, until when they hold.

etcd reads its certificates anew for each connection, so an expired one breaks *new* connections first: a cluster
looks healthy until a peer reconnects or a member restarts, and then cannot come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class CertificateRole(StrEnum):
    """`server`: shown on a client URL. `peer`: shown on a peer URL. `client`: ours. `ca`: from our CA bundle."""

    SERVER = "server"
    PEER = "peer"
    CLIENT = "client"
    CA = "ca"


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate as it was seen. `source` is the URL that showed it or the file that holds it.

    `key_id` and `issuer_key_id` are the subject and authority key identifiers as hex, empty where it carries none.
    """

    role: CertificateRole
    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime
    source: str
    key_id: str = ""
    issuer_key_id: str = ""

    @property
    def lifetime(self) -> timedelta:
        return self.not_after - self.not_before

    def remaining(self, at: datetime) -> timedelta:
        """Return how long it still holds; negative once it has expired."""
        return self.not_after - at

    def is_signed_by(self, authority: Certificate) -> bool:
        """Tell whether `authority` names itself as this one's issuer: by key identifiers, else by name."""
        if self.issuer_key_id and authority.key_id:
            return self.issuer_key_id == authority.key_id
        return self.issuer == authority.subject
