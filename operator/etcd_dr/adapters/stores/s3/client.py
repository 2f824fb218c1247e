"""A boto3 client as the settings want it, fit for old and new servers alike.

Checksums are ours, per object and part, so botocore is told to add its own only where S3 requires one: its default
since 1.36 sends trailers that older stores refuse or, worse, store as part of the object.

There are two of them, which differ in how long they wait (`Patience`): one for the bytes of snapshots, one for
everything else.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.client import Config
from botocore.credentials import CredentialResolver
from botocore.exceptions import ClientError

from etcd_dr import __version__
from etcd_dr.adapters.stores.s3.credentials import FileCredentials
from etcd_dr.adapters.stores.settings import ChainCredentials, S3Settings
from etcd_dr.errors import ConfigError

_SERVER_ERRORS = 500
_LONGEST_PAUSE_SECONDS = 20.0
"""botocore, retries/standard.py: the pause before a try is random below 2 ** (tries - 1), and at most this."""
REGION_OF_OTHER_STORES = "us-east-1"
"""What a signature names where nothing is configured; stores other than AWS mostly do not look at it."""


_TRIES_WITHIN_A_CALL = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one try may stay silent, and how long all tries of one request may take together; seconds."""

    read_timeout: float
    budget: float

    @classmethod
    def for_calls(cls, settings: S3Settings) -> Patience:
        """For requests that a healthy store answers at once."""
        budget = settings.call_timeout_seconds
        return cls(min(settings.read_timeout_seconds, budget / _TRIES_WITHIN_A_CALL), budget)

    @classmethod
    def for_bytes(cls, settings: S3Settings) -> Patience:
        """For parts and whole objects, where a slow line is no fault: time for one more try after a long silence."""
        return cls(settings.read_timeout_seconds, 2.5 * settings.read_timeout_seconds)


def open_session(settings: S3Settings) -> Any:
    """Return what clients of one bucket share: the description of S3 alone takes a dozen megabytes."""
    return boto3.Session(botocore_session=_session(settings))


def build_client(session: Any, settings: S3Settings, patience: Patience, *, monotonic: Callable[[], float]) -> Any:
    """Return a client of this session; not for several threads at once.

    Raises ConfigError for files that cannot be used, and whatever boto3 raises for the rest.
    """
    client = session.client(
        "s3",
        region_name=settings.region or (REGION_OF_OTHER_STORES if settings.endpoint else None),
        endpoint_url=settings.endpoint,
        verify=str(_checked_bundle(settings.ca_bundle)) if settings.ca_bundle else None,
        config=_config(settings, patience),
    )
    _bound_tries(client, patience, monotonic=monotonic)
    return client


def _bound_tries(client: Any, patience: Patience, *, monotonic: Callable[[], float]) -> None:
    """Begin no further try that could end after the budget; botocore itself only counts them."""

    def begin(context: dict[str, Any], **_rest: object) -> None:
        context["etcd_dr_begun"] = monotonic()

    def judge(
        request_dict: dict[str, Any],
        attempts: int,
        response: Any,
        caught_exception: Exception | None,
        operation: Any,
        **_rest: object,
    ) -> None:
        spent = monotonic() - request_dict["context"].get("etcd_dr_begun", monotonic())
        longest_pause = min(2.0 ** (attempts - 1), _LONGEST_PAUSE_SECONDS)
        if spent + longest_pause + patience.read_timeout <= patience.budget:
            return
        if caught_exception is not None:
            raise caught_exception
        if response is not None and response[0].status_code >= _SERVER_ERRORS:
            raise ClientError(response[1], operation.name)

    client.meta.events.register_first("before-call.s3", begin)
    client.meta.events.register_first("needs-retry.s3", judge)


def _session(settings: S3Settings) -> Any:
    if isinstance(settings.credentials, ChainCredentials):
        return botocore.session.Session(profile=settings.credentials.profile)
    session = botocore.session.Session()
    resolver = CredentialResolver([_FromFiles(FileCredentials(settings.credentials))])
    session.register_component("credential_provider", resolver)
    return session


class _FromFiles:
    """The only provider in the chain: a file that was named must never lose against the environment."""

    METHOD = CANONICAL_NAME = "etcd-dr-files"

    def __init__(self, credentials: FileCredentials) -> None:
        self._credentials = credentials

    def load(self) -> FileCredentials:
        return self._credentials


def _config(settings: S3Settings, patience: Patience) -> Config:
    s3: dict[str, object] = {"addressing_style": "path" if settings.uses_path_style else "auto"}
    if settings.checksum != "none" and not (settings.endpoint or "").startswith("http://"):
        # TLS and a checksum protect the body: hashing it a second time for the signature only costs CPU.
        s3["payload_signing_enabled"] = False
    return Config(
        signature_version="s3v4",
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=patience.read_timeout,
        retries={"mode": "standard", "total_max_attempts": settings.attempts},
        s3=s3,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=settings.upload_threads + 4,
        tcp_keepalive=True,
        user_agent_extra=f"etcd-dr/{__version__}",
    )


def _checked_bundle(path: Path) -> Path:
    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"is no bundle of CA certificates ({error.strerror or error})",
            subject=str(path),
            next_step=f"It must be PEM; look with: openssl x509 -in {path} -noout -subject -dates",
        ) from error
    return path
