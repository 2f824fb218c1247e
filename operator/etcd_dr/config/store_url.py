"""A store as one word on a command line: a directory, or an S3 bucket as a URL.

    /backups/etcd    ./backups    file:///backups/etcd
    s3://bucket/prefix?endpoint=https://s3.example:9000&region=eu-1&path_style=true&ca_file=/pki/ca.crt

The query takes those fields of the configuration's `s3` that are short and public; the others need a file.
Keys and secrets are refused, because a URL is seen by every process of the machine.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import ValidationError

from etcd_dr.config.complaints import complaints
from etcd_dr.config.store_model import StoreSection

STORE_NAME = "command-line"
_QUERY_FIELDS = (
    "endpoint",
    "region",
    "path_style",
    "ca_file",
    "profile",
    "credentials_file",
    "access_key_file",
    "secret_key_file",
    "storage_class",
    "checksums",
)


def parse_store_url(text: str) -> StoreSection:
    """Return the store that `text` names. Raises ValueError with what is wrong and, where it helps, what is right."""
    scheme, separator, _ = text.partition("://")
    if not text or "\0" in text:
        raise ValueError("names no store")
    if not separator:
        return _directory(text)
    if scheme == "file":
        return _file(text)
    if scheme == "s3":
        return _s3(text)
    raise ValueError(f"knows no stores of kind {scheme[:20]!r}; write a directory, file:///dir or s3://bucket/prefix")


def _directory(path: str) -> StoreSection:
    try:
        absolute = Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise ValueError("begins with ~ and names no home directory that is known") from error
    return StoreSection.model_validate({"name": STORE_NAME, "directory": {"path": str(absolute)}})


def _file(text: str) -> StoreSection:
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/") or parts.query or parts.fragment:
        raise ValueError("write a directory as file:///absolute/path, without anything else")
    return _directory(unquote(parts.path))


def _s3(text: str) -> StoreSection:
    try:
        parts = urlsplit(text)
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from error
    if "@" in parts.netloc:
        raise ValueError("must not hold credentials; use the environment (AWS_ACCESS_KEY_ID …) or credentials_file")
    unknown = sorted(set(query) - set(_QUERY_FIELDS))
    if unknown:
        raise ValueError(f"has unknown parameters: {', '.join(unknown)[:80]}; known are {', '.join(_QUERY_FIELDS)}")
    if not parts.netloc or parts.fragment:
        raise ValueError("write a bucket as s3://bucket or s3://bucket/prefix")
    try:
        return StoreSection.model_validate(
            {"name": STORE_NAME, "prefix": unquote(parts.path), "s3": {"bucket": parts.netloc, **query}}
        )
    except ValidationError as error:
        raise ValueError("; ".join(complaints(error))) from error
