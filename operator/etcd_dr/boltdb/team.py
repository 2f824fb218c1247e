"""This process and its helpers at work on the bucket `key` of one file.

Rules this module keeps:
- Helpers are only asked when the walk to the leaves found nothing wrong, so that they find the same leaves.
- Every number of a phase gets exactly one result, whoever it came from; results are returned in order.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from etcd_dr.boltdb.buckets import Bucket, leaves_of
from etcd_dr.boltdb.crew import Crew
from etcd_dr.boltdb.keys import RevisionKeys
from etcd_dr.boltdb.keyspace import Keyspace
from etcd_dr.boltdb.tree import Pages
from etcd_dr.boltdb.userkeys import KeyHasher
from etcd_dr.boltdb.work import Phase, Result, Shared, Worker, phase_to_plain


class Team:
    """Performs phases; `keyspace` is what they are performed on."""

    def __init__(self, pages: Pages, bucket: Bucket, crew: Crew) -> None:
        self._crew = crew
        salt = secrets.token_bytes(16)
        if bucket.root == 0:
            crew.dismiss()  # an inline bucket is smaller than a page
        self._open(pages, bucket, salt)
        self.keyspace = Keyspace(pages.image, leaves_of(pages, bucket, order=RevisionKeys))
        if pages.findings.is_incomplete:
            crew.dismiss()
        records = self.keyspace.record_count
        shared = (
            Shared.in_files(records, crew.hashes_fd, crew.dropped_fd) if crew.has_helpers else Shared.alone(records)
        )
        self._worker = Worker(self.keyspace, shared, KeyHasher(salt))

    def perform(self, phase: Phase, *, meanwhile: Callable[[], None] = lambda: None) -> list[Result]:
        """Return one result per chunk or partition, in order. `meanwhile` is done here while helpers begin."""
        count = self._worker.queue_length(phase)
        if not self._crew.has_helpers:
            meanwhile()
            return self._worker.perform(phase, range(count))
        self._crew.queue.fill(count)
        self._crew.tell({"perform": phase_to_plain(phase)})
        meanwhile()
        results = {result.number: result for result in self._worker.perform(phase, self._crew.queue)}
        for answer in self._crew.answers():
            results.update({fields["number"]: Result(**fields) for fields in answer})
        unanswered = sorted(set(range(count)) - results.keys())
        results.update({result.number: result for result in self._worker.perform(phase, unanswered)})
        return [results[number] for number in range(count)]

    def _open(self, pages: Pages, bucket: Bucket, salt: bytes) -> None:
        self._crew.tell(
            {
                "open": {
                    "size": pages.image.size,
                    "data_size": pages.image.data_size,
                    "page_size": pages.page_size,
                    "high_water": pages.high_water,
                    "root": bucket.root,
                    "salt": salt.hex(),
                }
            }
        )
