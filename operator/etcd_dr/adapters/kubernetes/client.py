"""The one way to the Kubernetes API: where it is, who we are, and requests that always end.

- Where and who: a kubeconfig file if one is named, else the service account of the pod, whose token is read anew
  every minute because it is replaced while we run.
- Every request has a limit for connecting (never longer than that for silence) and one for silence, and is sent once. Whoever wants it again says so.
- Errors are KubernetesError and its kinds, inside a watch too.
- Safe from any thread.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from yaml import YAMLError

from etcd_dr.adapters.kubernetes import failures
from etcd_dr.errors import ConfigError, KubernetesError

Document = dict[str, Any]
"""One object of the API, as JSON has it."""

WatchKind = Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]

CONNECT_SECONDS = 3.0
SILENCE_SECONDS = 10.0
_WATCH_SLACK_SECONDS = 5.0
_NAMESPACE_OF_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_JSON = "application/json"
_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a watch. A BOOKMARK's document carries nothing but a newer resourceVersion."""

    kind: WatchKind
    document: Document


class KubernetesApi:
    """A client; `close` ends its connections. `namespace` is the one that this process belongs to."""

    def __init__(self, configuration: Configuration, *, namespace: str) -> None:
        configuration.retries = False  # a request that is repeated in secret takes three times as long as it may
        self._api = ApiClient(configuration)
        self._host = str(configuration.host)
        self.namespace = namespace

    def close(self) -> None:
        self._api.rest_client.close()

    def get(self, path: str, *, seconds: float = SILENCE_SECONDS, **query: str) -> Document:
        """Return the object or list at a path. Raises ResourceMissing when there is none, and KubernetesError."""
        return self._ask("GET", path, query=query, seconds=seconds)

    def create(self, path: str, body: Mapping[str, Any], *, seconds: float = SILENCE_SECONDS) -> Document:
        """Create an object in the collection at `path`. Raises ResourceConflict when it is there already."""
        return self._ask("POST", path, body=body, seconds=seconds)

    def replace(self, path: str, body: Mapping[str, Any], *, seconds: float = SILENCE_SECONDS) -> Document:
        """Replace an object; with a resourceVersion in its metadata, raises ResourceConflict if it is another by now."""
        return self._ask("PUT", path, body=body, seconds=seconds)

    def merge(self, path: str, body: Mapping[str, Any], *, seconds: float = SILENCE_SECONDS) -> Document:
        """Change the named fields only (merge patch); a resourceVersion in it is compared as `replace` does."""
        return self._ask("PATCH", path, body=body, content_type=_MERGE, seconds=seconds)

    def apply(self, path: str, body: Mapping[str, Any], *, owner: str, seconds: float = SILENCE_SECONDS) -> Document:
        """Make the object have these fields, and take back what `owner` no longer says (server-side apply)."""
        text = json.dumps(body)  # JSON is YAML
        query = {"fieldManager": owner, "force": "true"}
        return self._ask("PATCH", path, query=query, body=text, content_type=_APPLY, seconds=seconds)

    def delete(self, path: str, *, uid: str | None = None, seconds: float = SILENCE_SECONDS) -> None:
        """Delete an object. Raises ResourceMissing when there is none, and ResourceConflict when it has another uid."""
        body = None if uid is None else {"preconditions": {"uid": uid}}
        self._ask("DELETE", path, body=body, seconds=seconds)

    @contextmanager
    def watch(self, path: str, *, since: str, seconds: int) -> Iterator[Watch]:
        """Follow a collection from a resourceVersion on, for `seconds` at most; the server ends it in good order.

        Raises HistoryExpired, here or while it is read, when the server no longer has that version.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": since,
            "timeoutSeconds": str(seconds),
        }
        call = f"WATCH {path}"
        response = self._send("GET", path, query=query, seconds=seconds + _WATCH_SLACK_SECONDS, call=call)
        try:
            yield Watch(response, call=call, subject=self._host)
        finally:
            response.close()

    def _ask(self, method: str, path: str, *, seconds: float, **more: Any) -> Document:
        call = f"{method} {path}"
        response = self._send(method, path, seconds=seconds, call=call, **more)
        try:
            answer = json.loads(response.data)
        except urllib3.exceptions.HTTPError as error:
            raise failures.from_network(error, call=call, subject=self._host) from error
        except ValueError as error:
            raise failures.from_nonsense(error, call=call, subject=self._host) from error
        if not isinstance(answer, dict):
            raise failures.from_nonsense(TypeError("no object"), call=call, subject=self._host)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        *,
        seconds: float,
        call: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = _JSON,
    ) -> urllib3.BaseHTTPResponse:
        """Send one request and return its successful answer, unread."""
        try:
            prepared = self._api.param_serialize(
                method,
                path,
                query_params=list((query or {}).items()),
                header_params={"Accept": _JSON, "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = self._api.call_api(*prepared, _request_timeout=(min(CONNECT_SECONDS, seconds), seconds))
            response: urllib3.BaseHTTPResponse = answer.response
            if not 200 <= response.status <= 299:
                raise failures.from_answer(response.status, response.data, call=call, subject=self._host)
        except urllib3.exceptions.HTTPError as error:
            raise failures.from_network(error, call=call, subject=self._host) from error
        except ApiException as error:  # status 0: TLS
            raise failures.from_network(error, call=call, subject=self._host) from error
        except (OSError, ConfigException) as error:  # a certificate or a token file that is gone, or empty
            raise failures.from_network(error, call=call, subject=self._host) from error
        return response


class Watch:
    """The lines of one watch; `stop` may be called from another thread and ends the iteration."""

    def __init__(self, response: urllib3.BaseHTTPResponse, *, call: str, subject: str) -> None:
        self._response = response
        self._call = call
        self._subject = subject
        self._is_stopped = threading.Event()

    def stop(self) -> None:
        self._is_stopped.set()
        with suppress(ValueError, RuntimeError, OSError):
            self._response.shutdown()

    def __iter__(self) -> Iterator[Change]:
        """Yield changes until the server ends the watch. Raises HistoryExpired, ApiUnreachable, KubernetesError."""
        try:
            for line in _lines(self._response):
                yield self._change(line)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            if not self._is_stopped.is_set():
                raise failures.from_network(error, call=self._call, subject=self._subject) from error

    def _change(self, line: bytes) -> Change:
        try:
            told = json.loads(line)
            kind, document = told["type"], told["object"]
        except (ValueError, TypeError, KeyError) as error:
            raise failures.from_nonsense(error, call=self._call, subject=self._subject) from error
        if kind == "ERROR":
            raise failures.from_status(
                int(document.get("code") or 500),
                reason=str(document.get("reason") or ""),
                message=str(document.get("message") or ""),
                call=self._call,
                subject=self._subject,
            )
        return Change(kind, document)


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    # Without a size, each chunk comes as the server sent it, at once.
    for chunk in response.stream(None):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line for line in whole if line)


def open_api(*, kubeconfig: Path | None = None, context: str | None = None, namespace: str | None = None) -> KubernetesApi:  # fmt: skip
    """Return a client from a kubeconfig file, or from the pod's service account when none is named.

    Nothing is sent yet. Raises ConfigError when neither says where the API is.
    """
    configuration = Configuration()
    try:
        if kubeconfig is None:
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # has no types
        else:
            load_kube_config(  # type: ignore[no-untyped-call]  # has no types
                str(kubeconfig), context=context, client_configuration=configuration, persist_config=False
            )
    except (ConfigException, OSError, ValueError, TypeError, AttributeError, LookupError, YAMLError) as error:
        # The library takes a file for a kubeconfig until it trips over it; only its own texts are fit for people.
        why = str(error) if isinstance(error, ConfigException | OSError) else "it is no kubeconfig"
        raise ConfigError(
            f"says nothing of use about where the Kubernetes API is: {why}",
            subject=str(kubeconfig) if kubeconfig else "the pod's service account",
            next_step="Name a kubeconfig that kubectl can use too: --kubeconfig of a request, kubernetes.kubeconfig of the "
            "operator. In a pod, let it have its service account's token (automountServiceAccountToken: true). Without "
            "the API, leave the key `kubernetes` out.",
        ) from error
    return KubernetesApi(configuration, namespace=namespace or _own_namespace(kubeconfig, context))


def _own_namespace(kubeconfig: Path | None, context: str | None) -> str:
    if kubeconfig is None:
        return _NAMESPACE_OF_POD.read_text().strip() if _NAMESPACE_OF_POD.exists() else "default"
    from kubernetes.config import list_kube_config_contexts  # noqa: PLC0415 - only for a person's own file

    contexts, active = list_kube_config_contexts(str(kubeconfig))  # type: ignore[no-untyped-call]  # has no types
    chosen = next((each for each in contexts if each["name"] == context), active)
    return str(chosen["context"].get("namespace") or "default")


__all__ = ["Change", "Document", "KubernetesApi", "KubernetesError", "Watch", "open_api"]
