"""What every S3 server for tests has in common: a process, an endpoint, clients for it, and waiting for it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from etcd_dr.adapters.local_cluster.child import log_tail, start_child

_FORMING_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class S3Credentials:
    """One identity that a server knows."""

    access_key: str
    secret_key: str


ADMIN = S3Credentials("admin-access", "admin-secret-0123456789")
"""May do everything."""


class ServerEndedEarly(Exception):
    """The process ended or did not get ready; the text has the end of its log."""


class S3Server:
    """A server process with one endpoint. Subclasses say how it starts; `stop`, `kill` and `start` may be repeated.

    Ports are chosen anew while the first start fails, and kept afterwards.
    """

    program: str = ""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.log = directory / "server.log"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def choose_ports(self) -> None:
        """Set `port` and whatever else the server listens on to ports that are free now."""
        raise NotImplementedError

    def command_line(self) -> list[str | Path]:
        raise NotImplementedError

    def environ(self) -> Mapping[str, str] | None:
        return None

    def __enter__(self) -> Self:
        for attempt in range(1, _FORMING_ATTEMPTS + 1):
            self.choose_ports()
            try:
                self.start()
            except ServerEndedEarly:
                self.kill()
                if attempt == _FORMING_ATTEMPTS:
                    raise
            else:
                break
        return self

    def __exit__(self, *failure: object) -> None:
        self.kill()

    def start(self, *, deadline_seconds: float = 60.0) -> None:
        """Start on the ports chosen before, and return once an object can be written and read."""
        self._process = start_child(self.command_line(), log=self.log, environ=self.environ())
        wait_until(self._takes_objects, process=self._process, log=self.log, deadline_seconds=deadline_seconds)

    def kill(self) -> None:
        """End the process as a power cut would, and wait for it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def client(self, credentials: S3Credentials = ADMIN, **options: Any) -> Any:
        """Return a boto3 client with path-style addresses that does not retry; `options` go to it as they are."""
        configured = Config(
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=30,
        )
        return boto3.client(
            "s3",
            endpoint_url=options.pop("endpoint_url", self.endpoint),
            region_name="us-east-1",
            aws_access_key_id=credentials.access_key,
            aws_secret_access_key=credentials.secret_key,
            config=configured,
            **options,
        )

    def make_bucket(self, name: str, *, object_lock: bool = False) -> str:
        """Create a bucket and return its name; with `object_lock` it is versioned and takes retention.

        One that is there already is as good: tests that need a fixed name share their server.
        """
        options = {"ObjectLockEnabledForBucket": True} if object_lock else {}
        client = self.client()
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=name, **options)
        return name

    def _takes_objects(self) -> bool:
        client = self.client()
        try:
            if "ready" not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
                client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
        except (BotoCoreError, ClientError):
            return False
        return True


def wait_until(
    is_ready: Callable[[], bool], *, process: subprocess.Popen[bytes], log: Path, deadline_seconds: float
) -> None:
    """Return when the server is ready; raise ServerEndedEarly when it ends first or the deadline passes."""
    deadline = time.monotonic() + deadline_seconds
    while not is_ready():
        try:
            status = process.wait(0.1)
        except subprocess.TimeoutExpired:
            if time.monotonic() < deadline:
                continue
            status = None
        ending = f"ended with status {status}" if status is not None else f"not ready within {deadline_seconds:g} s"
        raise ServerEndedEarly(f"{ending}\n{log_tail(log)}")


def program_beside_python(name: str) -> Path:
    """Return a program that a wheel put beside this interpreter, as weed and rclone are."""
    return Path(sys.prefix) / "bin" / name
