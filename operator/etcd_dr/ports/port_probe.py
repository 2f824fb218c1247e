"""Whether a TCP port answers, and whose certificate it shows.

Contract: nothing raises; a failure carries a code of errors.py (`etcd.unreachable`, `etcd.timeout`, `etcd.tls`).
`deadline` is seconds for the whole look. No certificate is verified and nothing is sent but a TLS greeting.
"""

from __future__ import annotations

from typing import Protocol

from etcd_dr.domain.answer import Answer


class PortProbe(Protocol):
    def is_open(self, host: str, port: int, *, deadline: float) -> Answer[bool]:
        """Return whether somebody accepts a connection; False for a refusal."""
        ...

    def authority(self, host: str, port: int, *, deadline: float) -> Answer[str]:
        """Return who signed the certificate that the port shows: a key identifier as hex, else the issuer's name."""
        ...
