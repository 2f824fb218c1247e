"""Translates what the Kubernetes API, urllib3 and the client library say into our errors.

The library raises ApiException for TLS failures (status 0), pydantic's ValidationError for arguments of the wrong
type, and lets urllib3's network errors through as they are.
"""

from __future__ import annotations

import json
from typing import Any

from etcd_dr.errors import (
    ApiDenied,
    ApiUnreachable,
    HistoryExpired,
    KubernetesError,
    ResourceConflict,
    ResourceInvalid,
    ResourceMissing,
)

_DETAIL_LIMIT = 400
_RIGHTS = (
    "See what this account may do with: kubectl auth can-i --list -n NAMESPACE (the chart's Role has what the operator "
    "needs: etcd-dr docs kubernetes)"
)
_AGAIN = "See whether it answers: kubectl get --raw /readyz. Snapshots do not need it: etcd-dr snapshot save"
_BY_STATUS: dict[int, tuple[type[KubernetesError], str]] = {
    400: (ResourceInvalid, "Correct what the API server names and send it again; see: kubectl explain etcdsnapshot.spec"),
    401: (ApiDenied, "The token or certificate is not (or no longer) valid; check with: kubectl auth whoami"),
    403: (ApiDenied, _RIGHTS),
    404: (ResourceMissing, "See whether the kind and the namespace exist: kubectl api-resources --api-group=etcd-dr.io"),
    409: (ResourceConflict, "Read it again and repeat the change; see who wrote last with: kubectl get -o yaml --show-managed-fields"),
    410: (HistoryExpired, "List again and watch from there."),
    422: (ResourceInvalid, "Correct what the API server names and send it again; see: kubectl explain etcdsnapshot.spec"),
}  # fmt: skip


def from_answer(status: int, body: bytes, *, call: str, subject: str) -> KubernetesError:
    """Return our error for an answer whose status is not a success."""
    said = _status_document(body)
    reason = str(said.get("reason") or "")
    message = str(said.get("message") or body[:_DETAIL_LIMIT].decode(errors="replace") or f"HTTP {status}")
    return from_status(status, reason=reason, message=message, call=call, subject=subject)


def from_status(status: int, *, reason: str, message: str, call: str, subject: str) -> KubernetesError:
    """Return our error for a Status that the API gave, in an answer or inside a watch."""
    context: dict[str, str | int | float | bool | None] = {"call": call, "status": status, "reason": reason}
    text = f"{call}: {message[:_DETAIL_LIMIT]}"
    if status in _BY_STATUS:
        kind, next_step = _BY_STATUS[status]
        return kind(text, subject=subject, next_step=next_step, context=context)
    if status == 429 or status >= 500:
        return ApiUnreachable(text, subject=subject, next_step=_AGAIN, context=context)
    return KubernetesError(text, subject=subject, next_step=_AGAIN, context=context)


def from_network(error: Exception, *, call: str, subject: str) -> ApiUnreachable:
    """Return our error for a connection that could not be made, broke, or stayed silent for too long."""
    said = str(error).partition("\n")[0][:_DETAIL_LIMIT] or type(error).__name__
    return ApiUnreachable(
        f"{call}: {said}",
        subject=subject,
        next_step=_AGAIN,
        context={"call": call, "kind": type(error).__name__},
    )


def from_nonsense(error: Exception, *, call: str, subject: str) -> KubernetesError:
    """Return our error for an answer that is not JSON: something other than the API answers there."""
    return KubernetesError(
        f"{call}: the answer is not the Kubernetes API's: {str(error)[:_DETAIL_LIMIT]}",
        subject=subject,
        next_step="Check the address in the kubeconfig, and what a proxy before it does: kubectl version",
    )


def _status_document(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
