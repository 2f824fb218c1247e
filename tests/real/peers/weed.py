"""SeaweedFS as the S3 server that keeps its word: conditional writes, Object Lock, versions, checksums, rights.

`weed mini` is one process that listens on loopback only, on a dozen ports of its own choosing unless each is named.
Its telemetry is on by default and off here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from etcd_dr.adapters.local_cluster.child import free_ports
from etcd_dr.adapters.local_cluster.pki import TlsFiles
from real.peers.s3_server import ADMIN, S3Credentials, S3Server, program_beside_python

WRITER_BUCKET = "writer-only"
WRITER = S3Credentials("writer-access", "writer-secret-0123456789")
"""May read, write and list in `WRITER_BUCKET` and nowhere else, and not create it."""

READER = S3Credentials("reader-access", "reader-secret-0123456789")
"""May read and list everywhere and write nowhere."""

_LISTENERS = ("master", "volume", "filer", "s3", "admin")


class WeedS3(S3Server):
    """With `tls`, the same objects are also served over HTTPS, at `https_endpoint`."""

    def __init__(self, directory: Path, *, tls: TlsFiles | None = None) -> None:
        super().__init__(directory)
        self.tls = tls
        self._ports: dict[str, int] = {}
        self._identities = directory / "s3.json"
        self._identities.write_text(json.dumps({"identities": _identities()}))

    @property
    def https_endpoint(self) -> str:
        if self.tls is None:
            raise ValueError("this server was started without TLS")
        return f"https://127.0.0.1:{self._ports['s3.https']}"

    def choose_ports(self) -> None:
        # An unnamed gRPC port would be the HTTP port plus 10000, taken or not.
        names = [*(f"{name}.port" for name in _LISTENERS), *(f"{name}.port.grpc" for name in _LISTENERS), "s3.https"]
        self._ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.port = self._ports["s3.port"]

    def command_line(self) -> list[str | Path]:
        ports = [f"-{name}={port}" for name, port in self._ports.items() if name != "s3.https"]
        if self.tls is not None:
            ports += [
                f"-s3.port.https={self._ports['s3.https']}",
                f"-s3.cert.file={self.tls.certificate}",
                f"-s3.key.file={self.tls.key}",
            ]
        return [
            program_beside_python("weed"),
            "-logtostderr=true",
            "mini",
            f"-dir={self.directory / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.telemetry=false",
            # Each bucket takes a volume of its own, and there are as many as fit on the free disk: with the default of
            # a gigabyte or so, a suite that makes a bucket for each test runs out of them on a common machine.
            "-master.volumeSizeLimitMB=64",
            "-webdav=false",
            "-admin.ui=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.autoCreateBucket=false",  # as AWS: a bucket that does not exist is an error, even for an admin
            f"-s3.config={self._identities}",
            *ports,
        ]

    def kill(self) -> None:
        """End it, and remove the sockets that it makes in /tmp beside every port, whatever it is told."""
        super().kill()
        for port in self._ports.values():
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)

    def environ(self) -> Mapping[str, str]:
        # Credentials of the developer's own must not become identities of this server.
        return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}


def _identities() -> list[dict[str, object]]:
    of_bucket = [f"{action}:{WRITER_BUCKET}" for action in ("Read", "Write", "List", "Tagging")]
    return [
        _identity("admin", ADMIN, ["Admin", "Read", "Write", "List", "Tagging"]),
        _identity("writer", WRITER, of_bucket),
        _identity("reader", READER, ["Read", "List"]),
    ]


def _identity(name: str, credentials: S3Credentials, actions: list[str]) -> dict[str, object]:
    keys = {"accessKey": credentials.access_key, "secretKey": credentials.secret_key}
    return {"name": name, "credentials": [keys], "actions": actions}
