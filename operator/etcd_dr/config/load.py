"""Reading the configuration: file, then environment on top, then one validation with all complaints at once.

The environment names a field by its path: `ETCD_DR_LOG__LEVEL=debug`, `ETCD_DR_CLUSTERS__PROD__ETCD__CACERT=/pki/ca.crt`
(an entry of a list by its name, with `-` and `.` written `_`, or by its index). Values are read as YAML.
Kubernetes adds `ETCD_DR_SERVICE_HOST`, `ETCD_DR_PORT…` for a Service called etcd-dr: those are not ours and are left
alone; any other unknown `ETCD_DR_…` name is an error, because it is a typo.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from etcd_dr.config.complaints import complaints
from etcd_dr.config.model import Config
from etcd_dr.config.yaml_text import read_yaml
from etcd_dr.errors import ConfigError

ENVIRONMENT_PREFIX = "ETCD_DR_"
_NOT_FIELDS = re.compile(
    r"CONFIG|CLUSTER|STORE|TOOLS_DIR|ETCD_DIRS|TEST_.*|SERVICE_.*|PORT|PORT_\d+_.*|.*_(SERVICE|PORT)(_.*)?"
)
_MAX_FILE_BYTES = 4 << 20


def load_config(path: Path, environment: Mapping[str, str]) -> Config:
    """Return the configuration in `path` with overrides from `environment`. Raises ConfigError with every complaint."""
    try:
        with path.open("rb") as file:
            body = file.read(_MAX_FILE_BYTES + 1)  # a device or a pipe tells no size beforehand
        if len(body) > _MAX_FILE_BYTES:
            raise ConfigError("is too large to be a configuration", subject=str(path))
        text = body.decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise ConfigError(
            f"cannot be read: {reason}",
            subject=str(path),
            next_step="Name another file with --config or ETCD_DR_CONFIG.",
        ) from error
    return parse_config(text, environment, subject=str(path))


def parse_config(text: str, environment: Mapping[str, str], *, subject: str) -> Config:
    """Return the configuration in YAML `text`; `subject` names its place for errors. Raises ConfigError."""
    try:
        document = read_yaml(text) or {}
    except ValueError as error:
        raise ConfigError(str(error), subject=subject) from error
    if not isinstance(document, dict):
        raise ConfigError("must be a mapping with keys such as clusters and stores", subject=subject)
    overrides = apply_environment(document, environment)
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        told = list(complaints(error))
        beside = f" What lies over the file: {', '.join(overrides)}." if overrides else ""
        raise ConfigError(
            f"has {_mistakes(len(told))}: {'; '.join(told)}",
            subject=subject,
            next_step=f"See every key: etcd-dr docs configuration.{beside}",
        ) from error


def _mistakes(count: int) -> str:
    return "a mistake" if count == 1 else f"{count} mistakes"


def apply_environment(document: dict[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Write the overrides of `environment` into `document`, and return their names.

    Raises ConfigError for a name that leads nowhere.
    """
    overrides = []
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        path = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        if path[0] in Config.model_fields:
            _assign(document, path, value=_parse_value(name, environment[name]), name=name)
            overrides.append(name)
        elif not _NOT_FIELDS.fullmatch(name.removeprefix(ENVIRONMENT_PREFIX)):
            raise ConfigError(
                "names no configuration field",
                subject=name,
                next_step="Write the path of the field with two underscores between parts: ETCD_DR_LOG__LEVEL=debug",
            )
    return overrides


def _parse_value(name: str, text: str) -> object:
    try:
        return read_yaml(text)
    except ValueError as error:
        raise ConfigError("is not a YAML value", subject=name) from error


def _assign(document: dict[str, Any], path: list[str], *, value: object, name: str) -> None:
    place: Any = document
    for part in path[:-1]:
        place = _descend(place, part, name=name)
    if not isinstance(place, dict):
        raise _nowhere(name)
    place[path[-1]] = value


def _descend(place: object, part: str, *, name: str) -> object:
    if isinstance(place, list):
        for index, item in enumerate(place):
            if part == str(index) or (isinstance(item, dict) and _spelled(item.get("name")) == part):
                return item
        raise _nowhere(name)
    if not isinstance(place, dict):
        raise _nowhere(name)
    if place.get(part) is None:
        place[part] = {}
    return place[part]


def _spelled(item_name: object) -> str:
    return re.sub(r"[-.]", "_", str(item_name))


def _nowhere(name: str) -> ConfigError:
    return ConfigError(
        "leads to no entry of the configuration",
        subject=name,
        next_step="Name an entry of a list by its name or index, as the file has it.",
    )
