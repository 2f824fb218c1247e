"""age recipients (public) and identities (secret), from the strings and files in which people keep them.

Rules this module keeps:
- Identities come from files only, never from an argument of a command: other users can read those.
- An error names the file and the line, never what stands there: it may be a secret in the wrong place.
- Kinds: X25519 (`age1…`, `AGE-SECRET-KEY-1…`) and SSH keys (ed25519, RSA) without a passphrase. Passphrases, plugins
  and hardware keys need a person or a program beside us, so they are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from etcd_dr.errors import FileUnreadable, RecipientInvalid

_MAX_KEY_FILE_BYTES = 1 << 20
_CONFIG_NEXT_STEP = (
    "Write the public key that age-keygen printed, such as age1…, or an ssh-ed25519 or ssh-rsa public key."
)


@dataclass(frozen=True, slots=True)
class AgeRecipient:
    """Somebody who can open what is encrypted to them. `text` is public; `handle` is the library's object."""

    text: str
    handle: object = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class AgeIdentity:
    """A private key. `recipient` is its public side, or for an SSH key the file it came from; never the key."""

    recipient: str
    handle: object = field(repr=False, compare=False)


def parse_recipients(texts: Iterable[str], *, origin: str = "encryption.recipients") -> tuple[AgeRecipient, ...]:
    """Return the recipients that `texts` spell, each once, in order. Raises RecipientInvalid; `origin` is named."""
    found = {
        recipient.text: recipient
        for number, text in enumerate(texts, start=1)
        for recipient in [_recipient(text.strip(), place=f"{origin}, entry {number}")]
    }
    return tuple(found.values())


def read_recipients_files(paths: Sequence[Path]) -> tuple[AgeRecipient, ...]:
    """Return the recipients of files with one a line, as `age --recipients-file` reads them.

    Raises FileUnreadable, RecipientInvalid (also for a file without any).
    """
    found: dict[str, AgeRecipient] = {}
    for path in paths:
        of_file = [_recipient(line, place=f"{path}, line {number}") for number, line in _lines(_text(path))]
        if not of_file:
            raise _invalid("holds no recipient", place=str(path))
        found |= {recipient.text: recipient for recipient in of_file}
    return tuple(found.values())


def read_identity_files(paths: Sequence[Path]) -> tuple[AgeIdentity, ...]:
    """Return all identities of all files: age's own (several a file, comments allowed) or one SSH private key each.

    Raises FileUnreadable, RecipientInvalid (also for a file without any).
    """
    return tuple(identity for path in paths for identity in _identities(path))


def _recipient(text: str, *, place: str) -> AgeRecipient:
    import pyrage  # noqa: PLC0415 - heavy, see the package

    if text.upper().startswith("AGE-SECRET-KEY-"):
        raise RecipientInvalid(
            "is an identity, the secret half of a key, where a recipient belongs",
            subject=place,
            next_step="Take the secret out of the configuration, and write its recipient: age-keygen -y IDENTITY-FILE",
        )
    try:
        if text.startswith("ssh-"):
            text = " ".join(text.split()[:2])  # the comment behind an SSH key is no part of it
            return AgeRecipient(text, pyrage.ssh.Recipient.from_str(text))
        recipient = pyrage.x25519.Recipient.from_str(text)
    except pyrage.RecipientError as error:
        raise _invalid("is not a recipient that etcd-dr knows", place=place) from _without_text(error)
    return AgeRecipient(str(recipient), recipient)


def _identities(path: Path) -> Iterator[AgeIdentity]:
    text = _text(path)
    if "-----BEGIN" in text and "PRIVATE KEY-----" in text:
        yield _ssh_identity(text, path)
        return
    if text.startswith(("age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE-----")):
        raise RecipientInvalid(
            "is an identity file that is itself encrypted",
            subject=str(path),
            next_step=f"Decrypt it to a place that only you can read: age --decrypt --output FILE {path}",
        )
    found = 0
    for number, line in _lines(text):
        found += 1
        yield _age_identity(line, place=f"{path}, line {number}")
    if not found:
        raise _invalid("holds no identity", place=str(path), next_step=_IDENTITY_NEXT_STEP)


_IDENTITY_NEXT_STEP = "An identity file is what age-keygen writes, or an SSH private key: age-keygen --output FILE"


def _age_identity(line: str, *, place: str) -> AgeIdentity:
    import pyrage  # noqa: PLC0415 - heavy, see the package

    if line.upper().startswith("AGE-PLUGIN-"):
        raise _invalid("is an identity of an age plugin, which etcd-dr does not run", place=place)
    try:
        identity = pyrage.x25519.Identity.from_str(line)
    except pyrage.IdentityError as error:
        raise _invalid(
            "is not an identity that etcd-dr knows", place=place, next_step=_IDENTITY_NEXT_STEP
        ) from _without_text(error)
    return AgeIdentity(str(identity.to_public()), identity)


def _ssh_identity(text: str, path: Path) -> AgeIdentity:
    import pyrage  # noqa: PLC0415 - heavy, see the package

    try:
        return AgeIdentity(f"the SSH key {path}", pyrage.ssh.Identity.from_buffer(text.encode()))
    except pyrage.IdentityError as error:
        raise _invalid(
            "is not an SSH private key that can be used: only ed25519 and RSA keys without a passphrase can",
            place=str(path),
            next_step="Make a copy without a passphrase where only you can read it: ssh-keygen -p -N '' -f COPY",
        ) from _without_text(error)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            body = file.read(_MAX_KEY_FILE_BYTES + 1)
    except OSError as error:
        raise FileUnreadable(
            f"cannot be read: {error.strerror}",
            subject=str(path),
            next_step="Check the path and who may read it: ls -l " + str(path),
        ) from error
    if len(body) > _MAX_KEY_FILE_BYTES:
        raise _invalid("is far too large for a key file", place=str(path))
    return body.decode("utf-8", errors="replace")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _invalid(what: str, *, place: str, next_step: str = _CONFIG_NEXT_STEP) -> RecipientInvalid:
    return RecipientInvalid(what, subject=place, next_step=next_step)


def _without_text(error: Exception) -> Exception:
    """Return the cause for the chain without its words: a library may quote what it could not parse."""
    return type(error)("the library's words are withheld, they may quote a secret")
