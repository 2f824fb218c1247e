"""rclone's `serve s3` as the S3 server that lies: it takes If-None-Match without a word and ignores it.

Two writers of one key both win, no checksum is stored, there is no Object Lock and there are no versions. What asks
such a store for put-if-absent must find out by itself.
"""

from __future__ import annotations

from pathlib import Path

from etcd_dr.adapters.local_cluster.child import free_ports
from real.peers.s3_server import ADMIN, S3Server, program_beside_python


class RcloneS3(S3Server):
    def choose_ports(self) -> None:
        [self.port] = free_ports(1)

    def command_line(self) -> list[str | Path]:
        objects = self.directory / "objects"
        objects.mkdir(exist_ok=True)
        return [
            program_beside_python("rclone"),
            "serve",
            "s3",
            "--config=/dev/null",
            f"--auth-key={ADMIN.access_key},{ADMIN.secret_key}",
            f"--addr=127.0.0.1:{self.port}",
            objects,
        ]
