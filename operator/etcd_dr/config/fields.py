"""What several sections share: their shape, and fields whose text is checked where it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from etcd_dr.domain.snapshot import is_cluster_name


def _cluster_name(text: str) -> str:
    if not is_cluster_name(text):
        raise ValueError("use 1 to 63 of a-z, 0-9, '.', '_', '-', beginning and ending with a letter or digit")
    return text


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{text!r} is not a time zone name such as UTC or Europe/Berlin") from error
    return text


def _file(value: object) -> object:
    if isinstance(value, str) and (not value or "\0" in value):
        raise ValueError("is not the name of a file")
    try:
        return Path(value).expanduser() if isinstance(value, str) else value
    except RuntimeError as error:
        raise ValueError("begins with ~ and names no home directory that is known") from error


def _prefix(text: str) -> str:
    parts = text.strip("/").split("/")
    if text.strip("/") and any(part in ("", ".", "..") for part in parts):
        raise ValueError("must not hold empty, '.' or '..' parts")
    return text.strip("/")


ClusterName = Annotated[str, AfterValidator(_cluster_name)]
TimeZoneName = Annotated[str, AfterValidator(_time_zone)]
Prefix = Annotated[str, AfterValidator(_prefix)]
FilePath = Annotated[Path, BeforeValidator(_file)]
Count = Annotated[int, Field(ge=0)]


class Section(BaseModel):
    """A mapping in the file: frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
