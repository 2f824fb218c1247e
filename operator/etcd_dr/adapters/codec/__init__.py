"""The envelope as zstd and age have it: everything here can be undone by the stock `zstd` and `age` programs.

- `encoder`, `decoder`: the two ports.
- `keys`: recipients and identities, from the strings and files that people keep.
- `age`: the one place that calls pyrage, and that carries our exceptions past it.
- `unpackers`: zstd and the formats of other tools, undone piece by piece with bounded memory.

The libraries are imported where they are used, so that a command that opens nothing does not wait for them.
Why this envelope: docs/adr/0005.
"""

from __future__ import annotations

from etcd_dr.adapters.codec.decoder import EnvelopeDecoder
from etcd_dr.adapters.codec.encoder import EnvelopeEncoder
from etcd_dr.adapters.codec.keys import (
    AgeIdentity,
    AgeRecipient,
    parse_recipients,
    read_identity_files,
    read_recipients_files,
)

__all__ = [
    "AgeIdentity",
    "AgeRecipient",
    "EnvelopeDecoder",
    "EnvelopeEncoder",
    "parse_recipients",
    "read_identity_files",
    "read_recipients_files",
]
