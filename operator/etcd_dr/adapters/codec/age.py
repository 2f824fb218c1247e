"""Streams through age (age-encryption.org/v1), and our own exceptions past the library.

pyrage calls back into Python to read and to write, and three things then go wrong with what a callback raises:
encryption turns it into an `EncryptError` with the text only, the header of a decryption does the same, and whatever
the very last write raises is dropped without a word (its `BufWriter` is flushed by a destructor). A full disk would
look like a finished upload. So every callback remembers its first exception, and it is raised again afterwards.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from etcd_dr.adapters.codec.keys import AgeIdentity, AgeRecipient
from etcd_dr.errors import DecryptionFailed, EtcdDrError, SnapshotDamaged, UnsupportedFormat
from etcd_dr.ports.codec import Write

_ARMOR = b"-----BEGIN AGE ENCRYPTED FILE-----"
_SCRYPT = re.compile(rb"age-encryption\.org/v1\r?\n-> scrypt ")
_NO_MATCH = "No matching keys found"  # pinned by tests/contract/test_codec.py
_HEAD_BYTES = 256


def encrypt(chunks: Iterator[bytes], write: Write, *, recipients: Sequence[AgeRecipient]) -> None:
    """Push the encrypted form of all chunks to `write`, in pieces of 64 KiB. What either raises passes through."""
    import pyrage  # noqa: PLC0415 - heavy, see the package

    calls = _Calls(chunks, write)
    try:
        pyrage.encrypt_io(calls.reader, calls.writer, [recipient.handle for recipient in recipients])
    except (pyrage.EncryptError, OSError) as error:
        failure: Exception | None = error
    else:
        failure = None
    calls.raise_what_they_raised()
    if failure is not None:
        raise EtcdDrError(f"age cannot encrypt: {failure}") from failure


def decrypt(
    chunks: Iterator[bytes],
    write: Write,
    *,
    identities: Sequence[AgeIdentity],
    encrypted_to: Sequence[str],
    subject: str,
) -> None:
    """Push the plain form of all chunks to `write`, in pieces of 8 KiB; armored input is recognised.

    `encrypted_to` are the recipients as far as they are known, for errors. Raises DecryptionFailed, SnapshotDamaged,
    UnsupportedFormat (encrypted with a passphrase). What `chunks` or `write` raise passes through.
    """
    import pyrage  # noqa: PLC0415 - heavy, see the package

    calls = _Calls(chunks, write)
    try:
        pyrage.decrypt_io(calls.reader, calls.writer, [identity.handle for identity in identities])
    except (pyrage.DecryptError, OSError) as error:
        failure: Exception | None = error
    else:
        failure = None
    calls.raise_what_they_raised()
    if failure is None:
        return
    if _NO_MATCH not in str(failure):
        raise _damaged(subject, failure) from failure
    if _is_for_a_passphrase(calls.head):
        raise _passphrase(subject) from failure
    raise _wrong_identity(subject, identities, encrypted_to) from failure


class _Calls:
    """The reader and the writer as pyrage wants them, with the first exception that one of them raised.

    The callbacks are generators for one reason: a signal handler runs at the first instruction of whatever Python
    code comes next. In a function that is before any `try`, and pyrage would swallow the handler's exception (seen
    each time of 400). A generator goes on in the middle of its `try`.
    """

    def __init__(self, chunks: Iterator[bytes], write: Write) -> None:
        self.head = b""
        self._chunks = chunks
        self._rest = memoryview(b"")
        self._failures: list[BaseException] = []
        self._write = write
        read_calls, write_calls = self._guard(self._read), self._guard(self._pass_on)
        self.reader = SimpleNamespace(read=read_calls.send)
        # `flush()` is a call without an argument, which the guard does not pass on.
        self.writer = SimpleNamespace(write=write_calls.send, flush=write_calls.__next__)

    def raise_what_they_raised(self) -> None:
        """Raise the first exception of a callback, the same object, if there was one."""
        if self._failures:
            raise self._failures[0]

    def _read(self, count: int) -> bytes:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        taken, self._rest = bytes(self._rest[:count]), self._rest[count:]
        if len(self.head) < _HEAD_BYTES:
            self.head += taken[:_HEAD_BYTES]
        return taken

    def _pass_on(self, data: bytes) -> int:
        self._write(data)
        return len(data)

    def _guard(self, function: Callable[[Any], object]) -> Generator[object, Any, None]:
        calls = self._run(function)
        next(calls)
        return calls

    def _run(self, function: Callable[[Any], object]) -> Generator[object, Any, None]:
        answer: object = None
        try:
            while True:
                argument = yield answer
                if argument is not None:
                    answer = function(argument)
        except GeneratorExit:
            raise
        except BaseException as error:
            self._failures.append(error)
            raise


def _is_for_a_passphrase(head: bytes) -> bool:
    if head.lstrip().startswith(_ARMOR):
        body = b"".join(head.split()[4:6])  # the two lines after "-----BEGIN AGE ENCRYPTED FILE-----"
        try:
            head = base64.b64decode(body[: len(body) // 4 * 4])
        except binascii.Error:
            return False
    return _SCRYPT.match(head) is not None


def _damaged(subject: str, cause: Exception) -> SnapshotDamaged:
    return SnapshotDamaged(
        f"the age envelope is broken: {cause}",
        subject=subject,
        next_step="This copy cannot be opened. Look for another one: etcd-dr snapshot list",
    )


def _passphrase(subject: str) -> UnsupportedFormat:
    return UnsupportedFormat(
        "is encrypted with a passphrase, which etcd-dr does not read",
        subject=subject,
        next_step="Decrypt it with age first: age --decrypt --output FILE ENCRYPTED-FILE",
    )


def _wrong_identity(subject: str, identities: Sequence[AgeIdentity], encrypted_to: Sequence[str]) -> DecryptionFailed:
    target = ", ".join(encrypted_to) or "recipients that are not recorded"
    at_hand = ", ".join(identity.recipient for identity in identities)
    return DecryptionFailed(
        f"is encrypted to {target}; the identities at hand are those of {at_hand}",
        subject=subject,
        next_step=(
            "Name the identity file of one of these recipients: --identity FILE, or encryption.identity_files. If you have it there "
            "already, the header may be damaged: compare the stored digest with: etcd-dr snapshot verify SNAPSHOT"
        ),
        context={"encrypted_to": target, "identities_of": at_hand},
    )
