"""talosconfig: found where talosctl finds it, read in all its forms, judged before anything is dialled.

- Keys are base64 of PEM, and the private key's PEM says `ED25519 PRIVATE KEY` around a PKCS#8 body, which OpenSSL does
  not know: it is rewritten to `PRIVATE KEY` (siderolabs/crypto, x509.go).
- A context of Omni signs each request with a key of its own (`auth.siderov1`) and has no certificate: it is refused.
- Reading never creates anything. Go clients make an empty ~/.talos/config instead and fail over that.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from etcd_dr.errors import ConfigError

IN_CLUSTER_FILE = Path("/var/run/secrets/talos.dev/config")
_MAX_BYTES = 4 << 20
_KEY_HEADER = re.compile(r"-----(BEGIN|END) ED25519 PRIVATE KEY-----")


@dataclass(frozen=True, slots=True)
class TalosContext:
    """One context. `origin` is the file, for errors; PEM texts are as OpenSSL reads them."""

    name: str
    endpoints: tuple[str, ...]
    nodes: tuple[str, ...]
    ca_pem: str
    cert_pem: str
    key_pem: str = field(repr=False)
    origin: str = "talosconfig"


def find_talosconfig(environment: Mapping[str, str], *, named: Path | None = None, home: Path | None = None) -> Path:
    """Return the file that was named, or the first that exists of talosctl's places. Raises ConfigError."""
    places = [named] if named is not None else _places(environment, home)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ConfigError(
            f"there is no talosconfig: looked for {', '.join(map(str, places))}",
            subject="talos",
            next_step="Name it with --talosconfig FILE, in the configuration (talos.config_file), or in TALOSCONFIG. "
            "In a pod it is mounted from the Secret that a talos.dev ServiceAccount makes: deploy/talos/.",
        )
    return found


def _places(environment: Mapping[str, str], home: Path | None) -> list[Path]:
    said = environment.get("TALOSCONFIG")
    if said:
        return [Path(said)]
    talos_home = environment.get("TALOS_HOME")
    if talos_home:
        return [Path(talos_home) / "config", IN_CLUSTER_FILE]
    try:
        return [(home or Path.home()) / ".talos" / "config", IN_CLUSTER_FILE]
    except RuntimeError:  # a user without a name, and no HOME
        return [IN_CLUSTER_FILE]


def read_talosconfig(path: Path, *, context: str | None = None) -> TalosContext:
    """Return one context of a file: the one named, else the one it names itself. Raises ConfigError."""
    try:
        with path.open("rb") as file:
            body = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror or error}",
            subject=str(path),
            next_step="Make it readable for the user that etcd-dr runs as.",
        ) from error
    return parse_talosconfig(body.decode("utf-8", "replace"), origin=str(path), context=context)


def parse_talosconfig(text: str, *, origin: str, context: str | None = None) -> TalosContext:
    """Return one context of a talosconfig. Raises ConfigError, which says why and never shows a key."""
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise _unusable(origin, "is not YAML") from error
    contexts = document.get("contexts") if isinstance(document, dict) else None
    if not isinstance(contexts, dict) or not contexts:
        raise _unusable(origin, "has no contexts")
    name = context or str(document.get("context") or "") or (str(next(iter(contexts))) if len(contexts) == 1 else "")
    chosen = contexts.get(name)
    if not isinstance(chosen, dict):
        known = ", ".join(sorted(map(str, contexts)))[:200]
        raise _unusable(origin, f"has no context {name!r}" if name else "names no current context", f"It has: {known}.")
    _refuse_other_logins(chosen, name, origin)
    return TalosContext(
        name=name,
        endpoints=_texts(chosen.get("endpoints")) or _texts(chosen.get("target")),
        nodes=_texts(chosen.get("nodes")),
        ca_pem=_pem(chosen, "ca", name, origin),
        cert_pem=_pem(chosen, "crt", name, origin),
        key_pem=_KEY_HEADER.sub(r"-----\1 PRIVATE KEY-----", _pem(chosen, "key", name, origin)),
        origin=origin,
    )


def _refuse_other_logins(chosen: Mapping[str, Any], name: str, origin: str) -> None:
    auth = chosen.get("auth")
    if isinstance(auth, dict) and "siderov1" in auth:
        raise _unusable(
            origin,
            f"context {name!r} belongs to Omni, which signs every request and gives out no certificate",
            "Use a talosconfig of the cluster itself: omnictl talosconfig --break-glass, or the Secret of a talos.dev "
            "ServiceAccount in the cluster.",
        )
    if isinstance(auth, dict) and auth.get("basic"):
        raise _unusable(origin, f"context {name!r} logs in with a password, which Talos nodes do not take")
    if chosen.get("proxy-url"):
        raise _unusable(
            origin,
            f"context {name!r} goes through proxy-url, which etcd-dr does not",
            "Remove proxy-url from a copy of the file where the nodes can be reached directly.",
        )


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(str(item) for item in value if item) if isinstance(value, list) else ()


def _pem(chosen: Mapping[str, Any], key: str, name: str, origin: str) -> str:
    encoded = chosen.get(key)
    if not isinstance(encoded, str) or not encoded:
        raise _unusable(origin, f"context {name!r} has no {key}")
    try:
        pem = base64.b64decode(encoded, validate=False).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _unusable(origin, f"{key} of context {name!r} is not base64 of PEM") from error
    if "-----BEGIN " not in pem:
        raise _unusable(origin, f"{key} of context {name!r} is not base64 of PEM")
    return pem


def _unusable(origin: str, what: str, next_step: str = "") -> ConfigError:
    return ConfigError(
        what,
        subject=origin,
        next_step=next_step
        or "Make a new one, with the role that is needed: talosctl config new --roles os:etcd:backup talosconfig",
    )
