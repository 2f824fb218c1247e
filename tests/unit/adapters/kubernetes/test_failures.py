"""What the API says, as errors of ours."""

from __future__ import annotations

import json

import pytest

from etcd_dr.adapters.kubernetes.failures import from_answer
from etcd_dr.errors import (
    ApiDenied,
    ApiUnreachable,
    HistoryExpired,
    KubernetesError,
    ResourceConflict,
    ResourceInvalid,
    ResourceMissing,
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ResourceInvalid),
        (401, ApiDenied),
        (403, ApiDenied),
        (404, ResourceMissing),
        (409, ResourceConflict),
        (410, HistoryExpired),
        (422, ResourceInvalid),
        (429, ApiUnreachable),
        (500, ApiUnreachable),
        (503, ApiUnreachable),
        (302, KubernetesError),
    ],
)
def test_each_status_has_its_kind(status: int, kind: type[KubernetesError]) -> None:
    """The API's own sentence and reason are kept, and there is something to do."""
    body = json.dumps({"kind": "Status", "reason": "Because", "message": "it is so"}).encode()

    error = from_answer(status, body, call="GET /x", subject="https://api")

    assert type(error) is kind
    assert error.message == "GET /x: it is so"
    assert error.context["reason"] == "Because"
    assert error.next_step


@pytest.mark.parametrize("body", [b"", b"<html>Bad Gateway</html>", b"[1]", b"\xff\xfe"])
def test_a_proxy_that_answers_for_the_api_is_no_surprise(body: bytes) -> None:
    """Whatever stands before the API may say anything."""
    error = from_answer(502, body, call="GET /x", subject="https://api")

    assert isinstance(error, ApiUnreachable)
    assert "GET /x" in error.message
