"""Every error that boto3 may bring becomes one of ours, with a next step that fits the place."""

from __future__ import annotations

import http.client
import inspect
import ssl
from datetime import UTC, datetime
from typing import Any

import botocore.exceptions
import pytest
import urllib3.exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from etcd_dr.adapters.stores.s3.failures import Place, _made, meaning_of_class, translated
from etcd_dr.adapters.stores.s3.meaning_tables import BY_CLASS, BY_CODE, BY_STATUS
from etcd_dr.adapters.stores.s3.meanings import Meaning
from etcd_dr.errors import (
    ObjectExists,
    ObjectLocked,
    ObjectMissing,
    StoreDenied,
    StoreError,
    StoreFull,
    StoreMisconfigured,
    StoreUnreachable,
)

NOW = datetime(2026, 8, 20, 3, 17, tzinfo=UTC)
PLACE = Place(
    operation="put_object",
    bucket="backups",
    key="v1/prod/it's data",
    endpoint="https://s3.example:9000",
    region="eu-west-1",
    now=NOW,
)


def answer(code: str, *, status: int = 400, message: str = "", headers: dict[str, str] | None = None) -> ClientError:
    """What botocore raises for an answer of a store."""
    response: dict[str, Any] = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}, "RequestId": "r-1"},
    }
    return ClientError(response, "PutObject")


def classes_of(module: object) -> list[type[Exception]]:
    found = [c for _, c in inspect.getmembers(module, inspect.isclass) if issubclass(c, Exception)]
    return [c for c in found if not issubclass(c, Warning)]


@pytest.mark.parametrize("kind", classes_of(botocore.exceptions), ids=lambda kind: kind.__name__)
def test_every_class_of_botocore_has_a_meaning(kind: type[Exception]) -> None:
    """A class that is only known as the root would fall into "failed: …": an upgrade brought it, give it a line."""
    if kind in {botocore.exceptions.BotoCoreError, ClientError}:
        return  # the root itself, and answers of the store, which are read by their code

    assert meaning_of_class(kind) is not None


@pytest.mark.parametrize("kind", classes_of(urllib3.exceptions), ids=lambda kind: kind.__name__)
def test_every_class_of_urllib3_has_a_meaning(kind: type[Exception]) -> None:
    """They come through while a body is read, where botocore does not wrap them."""
    if kind is urllib3.exceptions.MessageDefect:
        return  # the standard library's, about mail; only imported there

    assert meaning_of_class(kind) is not None


def test_tables_name_classes_that_exist() -> None:
    """A line for a class that botocore no longer has is dead."""
    known = {name for module in (botocore.exceptions,) for name in vars(module)}
    named = {name.removeprefix("botocore.") for name in BY_CLASS if name.startswith("botocore.")}

    assert named - known == {"ResponseParserError"}


@pytest.mark.parametrize(
    "meaning",
    dict.fromkeys([*BY_CODE.values(), *BY_STATUS.values(), *BY_CLASS.values()]),
    ids=lambda meaning: meaning.message[:30],
)
def test_every_meaning_makes_a_whole_sentence(meaning: Meaning) -> None:
    """No placeholder is left open, and there is always something to do next."""
    error = _made(meaning, place=PLACE, reason="because", facts={})

    for text in (error.message, error.next_step):
        assert text
        assert "{" not in text
    assert error.subject == "s3://backups/v1/prod/it's data"


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("AccessDenied", 403, StoreDenied),
        ("InvalidAccessKeyId", 403, StoreDenied),
        ("SignatureDoesNotMatch", 403, StoreDenied),
        ("ExpiredToken", 400, StoreDenied),
        ("403", 403, StoreDenied),
        ("KMS.DisabledException", 400, StoreDenied),
        ("NoSuchBucket", 404, StoreMisconfigured),
        ("PermanentRedirect", 301, StoreMisconfigured),
        ("AuthorizationHeaderMalformed", 400, StoreMisconfigured),
        ("RequestTimeTooSkewed", 403, StoreMisconfigured),
        ("NotImplemented", 501, StoreMisconfigured),
        ("InvalidStorageClass", 400, StoreMisconfigured),
        ("EntityTooLarge", 400, StoreMisconfigured),
        ("QuotaExceeded", 403, StoreFull),
        ("507", 507, StoreFull),
        ("NoSuchKey", 404, ObjectMissing),
        ("404", 404, ObjectMissing),
        ("PreconditionFailed", 412, ObjectExists),
        ("412", 412, ObjectExists),
        ("ObjectLocked", 403, ObjectLocked),
        ("SlowDown", 503, StoreUnreachable),
        ("InternalError", 500, StoreUnreachable),
        ("InternalError", 200, StoreUnreachable),
        ("599", 599, StoreUnreachable),
        ("InvalidObjectState", 403, StoreError),
        ("BadDigest", 400, StoreError),
        ("NeverHeardOfIt", 418, StoreError),
    ],
)
def test_answers_of_a_store_become_the_right_kind(code: str, status: int, kind: type[StoreError]) -> None:
    """The code decides, then the status; both stay in the context for whoever reports it."""
    error = translated(answer(code, status=status), place=PLACE)

    assert type(error) is kind
    assert error.context["status"] == status
    assert error.context["code"] == code
    assert error.context["action"] == "s3:PutObject"


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (botocore.exceptions.NoCredentialsError(), StoreDenied),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="https://x"), StoreUnreachable),
        (botocore.exceptions.ConnectTimeoutError(endpoint_url="https://x"), StoreUnreachable),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="https://x"), StoreUnreachable),
        (botocore.exceptions.SSLError(endpoint_url="https://x", error="CERTIFICATE_VERIFY_FAILED"), StoreMisconfigured),
        (botocore.exceptions.SSLError(endpoint_url="https://x", error="EOF occurred"), StoreUnreachable),
        (botocore.exceptions.ParamValidationError(report="Invalid bucket name"), StoreMisconfigured),
        (botocore.exceptions.ProfileNotFound(profile="prod"), StoreDenied),
        (ResponseParserError("Unable to parse response, <html>"), StoreMisconfigured),
        (urllib3.exceptions.ProtocolError("Connection broken"), StoreUnreachable),
        (http.client.RemoteDisconnected("closed"), StoreUnreachable),
        (ConnectionResetError(104, "reset"), StoreUnreachable),
        (ssl.SSLCertVerificationError("CERTIFICATE_VERIFY_FAILED"), StoreMisconfigured),
        (ValueError("Invalid endpoint: nowhere"), StoreMisconfigured),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_errors_without_an_answer_become_the_right_kind(raised: Exception, kind: type[StoreError]) -> None:
    """What is a matter of waiting is retryable, what is a matter of settings is not."""
    error = translated(raised, place=PLACE)

    assert type(error) is kind
    assert error.retryable is (kind is StoreUnreachable)


@pytest.mark.parametrize(
    ("date", "words"),
    [
        ("Thu, 20 Aug 2026 03:00:00 GMT", "1020 s ahead of the store's"),
        ("Thu, 20 Aug 2026 03:18:00 GMT", "60 s behind the store's"),
        ("yesterday", "far off the store's"),
    ],
)
def test_skewed_clock_says_by_how_much(date: str, words: str) -> None:
    """The Date of the answer is the store's clock."""
    error = translated(answer("RequestTimeTooSkewed", status=403, headers={"Date": date}), place=PLACE)

    assert words in error.message
    assert "timedatectl" in error.next_step


@pytest.mark.parametrize(
    "raised",
    [
        answer("PermanentRedirect", status=301, headers={"x-amz-bucket-region": "ap-south-1"}),
        answer("AuthorizationHeaderMalformed", message="the region 'x' is wrong; expecting 'ap-south-1'"),
    ],
)
def test_wrong_region_names_the_right_one(raised: ClientError) -> None:
    """Wherever the answer hides it."""
    assert "region: ap-south-1" in translated(raised, place=PLACE).next_step


def test_commands_to_paste_quote_what_came_from_the_bucket() -> None:
    """A key is somebody else's text, also in a shell."""
    hostile = Place(**{**{n: getattr(PLACE, n) for n in PLACE.__slots__}, "key": "v1/$(reboot); '"})

    error = translated(answer("PreconditionFailed", status=412), place=hostile)

    assert "'v1/$(reboot); '\"'\"''" in error.next_step


def test_long_and_many_lined_answers_are_one_short_line() -> None:
    """Whatever a proxy's HTML page says."""
    error = translated(answer("Whatever", message="<html>\n" + "x" * 10_000), place=PLACE)

    assert "\n" not in error.message
    assert len(error.message) < 400
