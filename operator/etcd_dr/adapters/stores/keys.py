"""Which keys a store accepts, and which of the names it finds it will hand out.

One rule for every store, so that a copy from one to another never fails on a name, and so that a name that comes
back from a bucket can be joined to a path or printed on a terminal without a second thought:

- segments separated by `/`; none is empty (so no leading, trailing or double slash),
- none begins with a dot: `.` and `..` climb, and hidden names belong to the store itself (`.uploads`, probes) and to
  the file system (`.nfs…`, `.snapshot`),
- printable characters only (no control characters, no marks that reorder text),
- at most 200 bytes a segment and 1024 in all, as UTF-8: S3's limit for a key, and room for a suffix within the
  255 bytes of a file name.

What others put into a bucket under other names is not listed; it is theirs.
"""

from __future__ import annotations

from etcd_dr.errors import StoreError

MAX_KEY_BYTES = 1024
MAX_SEGMENT_BYTES = 200


def is_segment(text: str) -> bool:
    """Tell whether `text` may stand between two slashes of a key."""
    return (
        text != ""
        and not text.startswith(".")
        and "/" not in text
        and text.isprintable()
        and len(text.encode()) <= MAX_SEGMENT_BYTES
    )


def is_key(text: str) -> bool:
    """Tell whether `text` is a key by the rule above."""
    return all(is_segment(segment) for segment in text.split("/")) and len(text.encode()) <= MAX_KEY_BYTES


def checked_key(key: str, *, store: str) -> str:
    """Return `key`. Raises StoreError when it breaks the rule; `store` is the store's URL."""
    if not is_key(key):
        raise _refusal(key, store=store)
    return key


def checked_prefix(prefix: str, *, store: str) -> str:
    """Return `prefix`: empty, or the beginning of a key, which may end with a slash. Raises StoreError."""
    if prefix and not is_key(prefix.removesuffix("/")):
        raise _refusal(prefix, store=store)
    return prefix


def checked_folder(prefix: str, *, store: str) -> str:
    """Return `prefix`: empty, or whole segments with a slash at the end. Raises StoreError."""
    if prefix and not prefix.endswith("/"):
        raise _refusal(prefix, store=store)
    return checked_prefix(prefix, store=store)


def _refusal(key: str, *, store: str) -> StoreError:
    return StoreError(
        f"{key[:120]!r} cannot be the name of an object",
        subject=store,
        next_step=(
            "Names are segments of printable characters separated by '/', and none is empty or begins with a dot; "
            "if this came from the configured prefix, correct it there."
        ),
    )
