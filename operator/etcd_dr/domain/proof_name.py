"""How the object of one proof is called: `<level>-<time>-<token>.json` below a snapshot's `proofs/`.

The name tells level and time, so that a catalogue can be read with the newest proof of each level alone. Names come
back from a bucket and are hostile: `parse` accepts exactly what `create` makes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from etcd_dr.domain.proof import ProofLevel
from etcd_dr.domain.snapshot import parse_time_text, time_text

_NAME = re.compile(
    rf"(?P<level>{'|'.join(ProofLevel)})-(?P<time>\d{{8}}T\d{{6}}Z)-(?P<token>[0-9a-f]{{12}})\.json", re.ASCII
)


@dataclass(frozen=True, slots=True)
class ProofName:
    level: ProofLevel
    at: datetime
    token: str

    def __str__(self) -> str:
        return f"{self.level}-{time_text(self.at)}-{self.token}.json"

    @classmethod
    def parse(cls, text: str) -> ProofName:
        """Return the name that `text` spells. Raises ValueError for anything that `str` would not make."""
        match = _NAME.fullmatch(text)
        if match is None:
            raise ValueError(f"not the name of a proof: {text[:80]!r}")
        return cls(level=ProofLevel(match["level"]), at=parse_time_text(match["time"]), token=match["token"])
