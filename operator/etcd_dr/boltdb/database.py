"""One database file opened: its meta, its pages, its buckets; the beginning that every reading shares.

Rules this module keeps:
- What cannot be opened is None with a finding, never an exception.
- A file shorter than its high-water mark is truncated; longer than it with a trailer behind is odd and said so.
"""

from __future__ import annotations

from dataclasses import dataclass

from etcd_dr.boltdb.buckets import Bucket, root_buckets
from etcd_dr.boltdb.findings import Findings
from etcd_dr.boltdb.freelist import claim_freelist
from etcd_dr.boltdb.image import Image, Words
from etcd_dr.boltdb.meta import Meta, read_meta
from etcd_dr.boltdb.source import OpenedSource
from etcd_dr.boltdb.tree import Pages

KEY_BUCKET = b"key"


@dataclass(frozen=True, slots=True)
class Database:
    """A file whose meta is sound; everything found wrong goes to `pages.findings`."""

    meta: Meta
    pages: Pages
    free: Words | None
    """The synced freelist, None without one."""
    buckets: tuple[Bucket, ...]

    def bucket(self, name: bytes) -> Bucket | None:
        """Return a top-level bucket."""
        return next((bucket for bucket in self.buckets if bucket.name == name), None)


def open_database(source: OpenedSource, findings: Findings) -> Database | None:
    """Read the meta, the freelist and the root bucket."""
    meta = read_meta(source.view, data_size=source.data_size, findings=findings)
    if meta is None:
        return None
    image = Image(source.view, data_size=source.data_size)
    pages = Pages.of(image, page_size=meta.page_size, high_water=meta.high_water, findings=findings)
    _check_size(source, meta, findings)
    free = claim_freelist(pages, meta)
    return Database(meta, pages, free, tuple(root_buckets(pages, meta.root)))


def _check_size(source: OpenedSource, meta: Meta, findings: Findings) -> None:
    needed = meta.high_water * meta.page_size
    if source.data_size < needed:
        findings.lost(
            "file.truncated",
            f"byte {source.data_size}",
            f"{meta.high_water} pages of {meta.page_size} bytes need {needed} bytes, {needed - source.data_size} are missing",
        )
    elif source.has_trailer and source.data_size > needed:
        findings.warning("file.excess", f"byte {needed}", f"{source.data_size - needed} bytes before the trailer")
