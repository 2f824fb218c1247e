"""What a health round can learn of a Talos member outside its API: only what our own certificate says.

etcd's HTTP pages want etcd's own certificates; where those are configured, etcd is watched itself.
"""

from __future__ import annotations

from etcd_dr.adapters.talos.fleet import TalosNodes
from etcd_dr.adapters.talos.material import own_certificate
from etcd_dr.domain.answer import NOT_ASKED, Answer, Failure
from etcd_dr.domain.certificate import Certificate, CertificateRole
from etcd_dr.domain.observation import HttpProbe
from etcd_dr.errors import ConfigError


class TalosPages:
    """Implements ports.member_probe.MemberProbe."""

    def __init__(self, fleet: TalosNodes) -> None:
        self._fleet = fleet

    def visit(self, url: str, *, deadline: float) -> HttpProbe:  # noqa: ARG002 - the port's signature
        return HttpProbe()

    def certificate(
        self,
        url: str,  # noqa: ARG002 - the port's signature
        *,
        role: CertificateRole,  # noqa: ARG002 - as above
        deadline: float,  # noqa: ARG002 - as above
    ) -> Answer[Certificate]:
        return NOT_ASKED

    def own_certificates(self) -> Answer[tuple[Certificate, ...]]:
        try:
            context = self._fleet.context()
            own = own_certificate(context)
        except ConfigError as error:
            return Answer.failed(Failure.of(error))
        return Answer(
            (
                Certificate(
                    role=CertificateRole.CLIENT,
                    subject=", ".join(own.roles),
                    issuer=own.issuer,
                    serial=own.serial,
                    not_before=own.not_before,
                    not_after=own.not_after,
                    source=context.origin,
                ),
            )
        )
