"""Judges each distinct content once, however many steps ask for it at the same time.

The databases that etcdutl makes for the members of one cluster are the same to the last bit; reading all their pages
once for each member would be most of the work of a recovery.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from etcd_dr.domain.digest import Digest
from etcd_dr.domain.recovery.journal import Facts


class ProvenOnce:
    """Answers by digest, for one run. A proof that failed is tried again by the next one who asks."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._answers: dict[str, Facts] = {}

    def facts(self, digest: Digest, prove: Callable[[], Facts]) -> Facts:
        """Return what was found out about these bytes, proving them where nobody has; others wait for the first."""
        key = str(digest)
        with self._mutex:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._answers:
                self._answers[key] = prove()
            return dict(self._answers[key])
