"""What a member says outside gRPC: its HTTP pages, its clock, and the certificates that it and we show.

Contract:
- Nothing here raises an EtcdDrError: a member that cannot be asked is the answer. Failures carry the codes of
  errors.py (`etcd.unreachable`, `etcd.timeout`, `etcd.tls`, `config`), `http.<status>` for a page that is refused or
  not there, and `http.malformed` for one that cannot be understood.
- `deadline` is seconds for the whole call. A name lookup is beyond anyone's control and may take longer: callers that
  must go on do not wait for it.
- Nothing is retried, nothing is remembered: files of certificates are read afresh each time, since they rotate.
- All methods may be called from several threads.
"""

from __future__ import annotations

from typing import Protocol

from etcd_dr.domain.answer import Answer
from etcd_dr.domain.certificate import Certificate, CertificateRole
from etcd_dr.domain.observation import HttpProbe


class MemberProbe(Protocol):
    """Asks one member at a time."""

    def visit(self, url: str, *, deadline: float) -> HttpProbe:
        """Ask a client or metrics URL for /livez, /metrics, /health and /readyz, over one connection.

        The pages that need quorum come last, so that without it the others still answer in time. The certificate is
        the server's, and is told even when it was not accepted.
        """
        ...

    def certificate(self, url: str, *, role: CertificateRole, deadline: float) -> Answer[Certificate]:
        """Return the certificate that a TLS port shows, accepted or not; `role` is what it will be labelled as.

        A port that speaks no TLS, or shows none without a client certificate it likes, is a failure `etcd.tls`; an
        `http://` URL is not asked.
        """
        ...

    def own_certificates(self) -> Answer[tuple[Certificate, ...]]:
        """Return our client certificate and every authority in our CA file; empty where none is configured."""
        ...
