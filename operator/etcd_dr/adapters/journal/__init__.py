"""What a recovery keeps on this machine: its journal, one durable file for each entry, and the place it works in.

Both live together because they share a directory (`<state>/<cluster>/recoveries/<recovery id>/`), its modes (0700,
files 0600) and its errors.
"""

from __future__ import annotations

from etcd_dr.adapters.journal.directory import DirectoryJournal
from etcd_dr.adapters.journal.work_place import DirectoryWorkPlaces

__all__ = ["DirectoryJournal", "DirectoryWorkPlaces"]
