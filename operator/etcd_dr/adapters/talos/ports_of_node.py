"""Looks at TCP ports of a node: whether they are open, and who signed what they show."""

from __future__ import annotations

import socket
import ssl

from cryptography import x509

from etcd_dr.adapters.talos.failures import HUNG_UP
from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.errors import MemberTimeout, MemberUnreachable, TlsRefused


class SocketPortProbe:
    """Implements ports.port_probe.PortProbe with the standard library."""

    def is_open(self, host: str, port: int, *, deadline: float) -> Answer[bool]:
        try:
            socket.create_connection((host, port), timeout=deadline).close()
        except ConnectionRefusedError:
            return Answer(False)
        except OSError as error:
            return Answer.failed(_failure(error, deadline))
        return Answer(True)

    def authority(self, host: str, port: int, *, deadline: float) -> Answer[str]:
        anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        anybody.check_hostname = False
        anybody.verify_mode = ssl.CERT_NONE
        try:
            with (
                socket.create_connection((host, port), timeout=deadline) as plain,
                anybody.wrap_socket(plain, server_hostname=host) as secured,
            ):
                shown = secured.getpeercert(binary_form=True)
        except OSError as error:
            return Answer.failed(_failure(error, deadline))
        try:
            return Answer(_signer(x509.load_der_x509_certificate(shown or b"")))
        except ValueError:
            return Answer.failed(Failure(TlsRefused.code, "shows no certificate that can be read"))


def _signer(certificate: x509.Certificate) -> str:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound:
        return certificate.issuer.rfc4514_string()
    key_id = extension.value.key_identifier
    return key_id.hex() if key_id else certificate.issuer.rfc4514_string()


def _failure(error: OSError, deadline: float) -> Failure:
    if isinstance(error, HUNG_UP):
        return Failure(MemberUnreachable.code, "the connection broke off")
    if isinstance(error, ssl.SSLError):
        return Failure(TlsRefused.code, f"no TLS: {error.reason or error}")
    if isinstance(error, TimeoutError):
        return Failure(MemberTimeout.code, f"no answer within {deadline:g} s")
    return Failure(MemberUnreachable.code, error.strerror or str(error))
