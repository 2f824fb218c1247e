"""A digest that carries its algorithm, so that a bare hex string is never compared with the wrong thing."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

_HEX_SHA256 = re.compile(r"[0-9a-f]{64}")


class Digest(BaseModel):
    """A SHA-256 digest, written as `sha256:<64 lowercase hex digits>`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: str = "sha256"
    hex: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    @property
    def short(self) -> str:
        """The first 12 hex digits, for people."""
        return self.hex[:12]

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Return the digest that `text` names. Raises ValueError for another algorithm or a malformed value."""
        algorithm, separator, digits = text.partition(":")
        if not separator or algorithm != "sha256" or not _HEX_SHA256.fullmatch(digits):
            raise ValueError(f"not a sha256 digest: {text[:80]!r}")
        return cls(hex=digits)

    @classmethod
    def of_sha256(cls, raw: bytes) -> Digest:
        """Return the digest for the 32 raw bytes of a SHA-256."""
        if len(raw) != 32:
            raise ValueError(f"a sha256 has 32 bytes, not {len(raw)}")
        return cls(hex=raw.hex())


def _coerce(value: object) -> object:
    return Digest.parse(value) if isinstance(value, str) else value


DigestText = Annotated[Digest, BeforeValidator(_coerce), PlainSerializer(str, return_type=str)]
"""A `Digest` that is one string in JSON."""
