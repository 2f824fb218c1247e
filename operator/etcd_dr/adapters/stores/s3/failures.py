"""Every error of boto3, botocore and urllib3 as one of ours, with what to do next.

Three tables, read in this order: the S3 error code of an answer, else its HTTP status, else the class of what botocore
or urllib3 raised. A class is found through its ancestors; a test walks all classes of botocore and fails when one is
only known as the root, so that an upgrade which brings a new kind of error is noticed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from etcd_dr.adapters.stores.s3.meaning_tables import BY_CLASS, BY_CODE, BY_STATUS
from etcd_dr.adapters.stores.s3.meanings import (
    ACTIONS,
    BROKEN_OFF,
    NOT_KNOWN,
    NOT_TLS,
    SERVER_FAILED,
    TLS,
    Meaning,
)
from etcd_dr.errors import StoreError

_WORDS_OF_TLS = (("WRONG_VERSION_NUMBER", NOT_TLS), ("EOF occurred", BROKEN_OFF), ("timed out", BROKEN_OFF))
"""OpenSSL has one class for everything; only its words tell a server without TLS and a broken line apart."""

LIBRARY_ERRORS = (ClientError, BotoCoreError, ResponseParserError, HTTPError, HTTPException, OSError, ValueError)
"""What a call of the client may raise. ValueError: botocore's word for an endpoint that is no URL."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where it happened. `key` is empty for calls about the bucket; `now` is our clock, against the store's."""

    operation: str
    bucket: str
    key: str
    endpoint: str
    region: str
    now: datetime

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def action(self) -> str:
        return ACTIONS.get(self.operation, f"s3:{self.operation}")


def translated(error: BaseException, *, place: Place) -> StoreError:
    """Return our error for one of LIBRARY_ERRORS."""
    if isinstance(error, ClientError):
        return _answered(error, place=place)
    meaning, reason = meaning_of_class(type(error)) or NOT_KNOWN, _one_line(error)
    if meaning is TLS:
        meaning = next((closer for words, closer in _WORDS_OF_TLS if words in reason), TLS)
    return _made(meaning, place=place, reason=reason, facts={"error": type(error).__name__})


def meaning_of_class(kind: type[BaseException]) -> Meaning | None:
    """Return what the closest known ancestor of `kind` means, or None."""
    names = (f"{ancestor.__module__.partition('.')[0]}.{ancestor.__name__}" for ancestor in kind.__mro__)
    return next((BY_CLASS[name] for name in names if name in BY_CLASS), None)


def _answered(error: ClientError, *, place: Place) -> StoreError:
    details, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, status = str(details.get("Code", "")), int(meta.get("HTTPStatusCode") or 0)
    headers = {str(name).lower(): str(value) for name, value in (meta.get("HTTPHeaders") or {}).items()}
    meaning = BY_CODE.get(code) or _by_status(status, place=place)
    return _made(
        meaning,
        place=place,
        reason=_sentence(details, code=code, status=status),
        facts={"code": code, "status": status, "request_id": str(meta.get("RequestId", ""))},
        clock=_clock_words(headers.get("date"), now=place.now),
        region=headers.get("x-amz-bucket-region") or details.get("Region") or _region_in(str(details.get("Message"))),
    )


def _by_status(status: int, *, place: Place) -> Meaning:
    if status == 404 and not place.key:
        return BY_CODE["NoSuchBucket"]
    if status >= 500:
        return BY_STATUS.get(status, SERVER_FAILED)
    return BY_STATUS.get(status, NOT_KNOWN)


def _made(
    meaning: Meaning,
    *,
    place: Place,
    reason: str,
    facts: dict[str, str | int],
    clock: str = "far off the store's",
    region: str | None = None,
) -> StoreError:
    words = {
        "reason": reason,
        "action": place.action,
        "bucket": place.bucket,
        "key": shlex.quote(place.key) if place.key else "",
        "endpoint": place.endpoint or "https://s3.amazonaws.com",
        "for_endpoint": f" --endpoint-url {place.endpoint}" if place.endpoint else "",
        "region": place.region or "none",
        "right_region": region or "<its region>",
        "clock": clock,
    }
    return meaning.kind(
        meaning.message.format_map(words),
        subject=place.url,
        next_step=meaning.next_step.format_map(words),
        context={name: value for name, value in {"action": place.action, **facts}.items() if value},
    )


_REGION = re.compile(r"expecting '([a-z0-9-]+)'")
_SAID_AT_MOST = 300


def _region_in(message: str) -> str | None:
    """AuthorizationHeaderMalformed names the region only in its sentence."""
    found = _REGION.search(message)
    return found[1] if found else None


def _sentence(details: Mapping[str, Any], *, code: str, status: int) -> str:
    """Return what the store said, on one line: it is somebody else's text."""
    message = " ".join(str(details.get("Message") or "").split())[:_SAID_AT_MOST]
    name = code if code and not code.isdigit() else f"HTTP status {status}"
    return f"{name}, {message}" if message and message != code else name


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:_SAID_AT_MOST] or type(error).__name__


def _clock_words(date: str | None, *, now: datetime) -> str:
    """Say how far our clock is from the store's, by the Date header of its answer."""
    try:
        seconds = (now - parsedate_to_datetime(date or "")).total_seconds()
    except (TypeError, ValueError):
        return "far off the store's"
    return f"{abs(seconds):.0f} s {'ahead of' if seconds > 0 else 'behind'} the store's"
