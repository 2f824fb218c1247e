"""The envelope that the configuration describes: compression and encryption, and the keys to open it."""

from __future__ import annotations

from etcd_dr.adapters.codec import (
    EnvelopeDecoder,
    EnvelopeEncoder,
    parse_recipients,
    read_identity_files,
    read_recipients_files,
)
from etcd_dr.config.model import CompressionSection, EncryptionSection


def make_encoder(encryption: EncryptionSection, compression: CompressionSection) -> EnvelopeEncoder:
    """Return the encoder for new snapshots. Raises FileUnreadable, RecipientInvalid."""
    recipients = (
        (*parse_recipients(encryption.recipients), *read_recipients_files(encryption.recipients_files))
        if encryption.enabled
        else ()
    )
    level = compression.level if compression.algorithm == "zstd" else None
    return EnvelopeEncoder(zstd_level=level, threads=compression.threads, recipients=recipients)


def make_decoder(encryption: EncryptionSection) -> EnvelopeDecoder:
    """Return the decoder with the identities at hand. Raises FileUnreadable, RecipientInvalid."""
    return EnvelopeDecoder(read_identity_files(encryption.identity_files))
