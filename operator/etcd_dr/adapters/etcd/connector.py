"""Puts a member connection together: files are read, checked and used for this connection only."""

from __future__ import annotations

from collections.abc import Sequence

from etcd_dr.adapters.etcd.access import EtcdAccess, parse_endpoint
from etcd_dr.adapters.etcd.admin import GrpcEtcdAdmin
from etcd_dr.adapters.etcd.channel import open_channel
from etcd_dr.adapters.etcd.client import GrpcEtcdMember
from etcd_dr.adapters.etcd.connection import MemberConnection
from etcd_dr.adapters.etcd.diagnosis import Diagnosis
from etcd_dr.adapters.etcd.login import Credentials, Login
from etcd_dr.adapters.etcd.material import read_password, read_tls_material
from etcd_dr.errors import ConfigError
from etcd_dr.ports.clock import Clock


class GrpcEtcdConnector:
    """Implements ports.etcd.EtcdConnector and ports.etcd_admin.AdminConnector."""

    def __init__(self, access: EtcdAccess, *, clock: Clock) -> None:
        self._access = access
        self._clock = clock

    @property
    def endpoints(self) -> Sequence[str]:
        return self._access.endpoints

    def connect(self, endpoint: str) -> GrpcEtcdMember:
        """Return a connection that will be made by its first call. Raises ConfigError for the endpoint or a file."""
        return GrpcEtcdMember(self._open(endpoint))

    def administer(self, endpoint: str) -> GrpcEtcdAdmin:
        """Return a connection that may change the cluster, made by its first call. Raises as `connect`."""
        return GrpcEtcdAdmin(self._open(endpoint))

    def _open(self, endpoint: str) -> MemberConnection:
        parsed = parse_endpoint(endpoint)
        credentials = self._credentials()
        material = read_tls_material(self._access) if parsed.uses_tls else None
        channel = open_channel(parsed, self._access, material)
        return MemberConnection(
            channel,
            endpoint=endpoint,
            login=None if credentials is None else Login.over(channel, credentials),
            diagnose=lambda seconds: Diagnosis(parsed, material, seconds=seconds, now=self._clock.now()).run(),
            monotonic=self._clock.monotonic,
        )

    def _credentials(self) -> Credentials | None:
        username, password_file = self._access.username, self._access.password_file
        if username is None:
            return None
        if password_file is None:
            raise ConfigError(
                f"user {username} has no password_file",
                subject="etcd",
                next_step="Put the password into a file that only this user can read, and name it in password_file.",
            )
        return Credentials(username, read_password(password_file))
