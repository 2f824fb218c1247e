"""Files of this machine for the ports `local_files` and `rooms`: scratch copies, fetched snapshots, and rooms to work in.

They live together because all of them hold databases in clear: owner-only, removed when their work ends, and honest
about a disk that is full.
"""

from __future__ import annotations

from etcd_dr.adapters.local_files.part_file import PartFiles
from etcd_dr.adapters.local_files.rooms import DirectoryRooms
from etcd_dr.adapters.local_files.scratch import DirectoryScratch, MemoryScratch

__all__ = ["DirectoryRooms", "DirectoryScratch", "MemoryScratch", "PartFiles"]
