"""Access keys that follow their files: whoever rotates a Secret does not have to restart anything.

- The files are looked at (stat) for every request that is signed, and read again when they have changed. A Kubernetes
  Secret changes by one symbolic link for all its files, so values of two generations are never mixed: they are read,
  and read once more if anything moved meanwhile.
- A file that vanishes or is half written later on is not an outage: the last good values are used, and when they are
  no longer good the store says so. At the beginning it is a ConfigError.
"""

from __future__ import annotations

import configparser
import threading
from pathlib import Path
from typing import NamedTuple

from botocore.credentials import Credentials, ReadOnlyCredentials

from etcd_dr.adapters.stores.settings import CredentialsFile, KeyFiles
from etcd_dr.errors import ConfigError

_ACCESS_NAMES = ("aws_access_key_id", "access_key_id", "accesskey", "access_key")
_SECRET_NAMES = ("aws_secret_access_key", "secret_access_key", "secretkey", "secret_key")
_TOKEN_NAMES = ("aws_session_token", "session_token", "aws_security_token")
_READS_UNTIL_QUIET = 3


class Keys(NamedTuple):
    """One consistent set; never printed."""

    access: str
    secret: str
    token: str | None


class FileCredentials(Credentials):  # type: ignore[misc]  # botocore carries no types
    """Credentials for botocore's signer, which asks `get_frozen_credentials` once per request."""

    def __init__(self, source: CredentialsFile | KeyFiles) -> None:
        self._source = source
        self._mutex = threading.Lock()
        self._stamp, keys = _read_when_quiet(source)
        super().__init__(*keys, method="etcd-dr-files")

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        with self._mutex:
            self._follow_files()
            return super().get_frozen_credentials()

    def _follow_files(self) -> None:
        try:
            if _stamp(self._source) == self._stamp:
                return
            self._stamp, keys = _read_when_quiet(self._source)
        except (OSError, ConfigError):
            return
        self.access_key, self.secret_key, self.token = keys
        self._normalize()


def _paths(source: CredentialsFile | KeyFiles) -> tuple[Path, ...]:
    if isinstance(source, CredentialsFile):
        return (source.path,)
    return tuple(p for p in (source.access_key_file, source.secret_key_file, source.session_token_file) if p)


def _stamp(source: CredentialsFile | KeyFiles) -> tuple[tuple[int, ...], ...]:
    facts = [path.stat() for path in _paths(source)]
    return tuple((f.st_dev, f.st_ino, f.st_mtime_ns, f.st_size) for f in facts)


def _read_when_quiet(source: CredentialsFile | KeyFiles) -> tuple[tuple[tuple[int, ...], ...], Keys]:
    try:
        for _ in range(_READS_UNTIL_QUIET):
            before = _stamp(source)
            keys = _read(source)
            if _stamp(source) == before:
                break
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ConfigError(
            f"credentials cannot be read ({reason})",
            subject=", ".join(map(str, _paths(source))),
            next_step="Check that the Secret is mounted and readable: ls -lL " + " ".join(map(str, _paths(source))),
        ) from error
    return before, keys


def _read(source: CredentialsFile | KeyFiles) -> Keys:
    if isinstance(source, KeyFiles):
        return Keys(
            access=_one_value(source.access_key_file),
            secret=_one_value(source.secret_key_file),
            token=_one_value(source.session_token_file) if source.session_token_file else None,
        )
    values = _values(source.path.read_text(encoding="utf-8-sig"), source=source)
    access, secret, token = (_first(values, names) for names in (_ACCESS_NAMES, _SECRET_NAMES, _TOKEN_NAMES))
    if not access or not secret:
        raise ConfigError(
            f"holds no access key and secret key for the profile {source.profile!r}",
            subject=str(source.path),
            next_step="Write two lines: aws_access_key_id = … and aws_secret_access_key = …, "
            f"below [{source.profile}] or without any section.",
        )
    return Keys(access, secret, token)


def _one_value(path: Path) -> str:
    value = path.read_text(encoding="utf-8-sig").strip()
    if not value or any(character.isspace() for character in value):
        raise ConfigError(
            "holds no single value" if value else "is empty",
            subject=str(path),
            next_step=f"Write exactly one value into it; see how many bytes it has with: wc -c {path}",
        )
    return value


def _values(text: str, *, source: CredentialsFile) -> dict[str, str]:
    """Return the assignments of the profile, or of the part before any section when there is none of that name."""
    parser = configparser.RawConfigParser(default_section="\0", strict=False)
    try:
        parser.read_string("[\1]\n" + text.replace("export ", ""))
    except configparser.Error as error:
        raise ConfigError(
            "is neither in the format of ~/.aws/credentials nor KEY=value lines",
            subject=str(source.path),
            next_step="Write two lines: aws_access_key_id = … and aws_secret_access_key = …",
        ) from error
    section = source.profile if parser.has_section(source.profile) else "\1"
    return {name: value.strip().strip("\"'") for name, value in parser.items(section)}


def _first(values: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((values[name] for name in names if values.get(name)), None)
