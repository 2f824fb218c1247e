"""Files of this machine for the port `local_files`: scratch copies and fetched snapshots.

Both live together because both are databases in clear: owner-only, removed when their work ends, and honest about a
disk that is full.
"""

from __future__ import annotations

from etcd_dr.adapters.local_files.part_file import PartFiles
from etcd_dr.adapters.local_files.scratch import DirectoryScratch, MemoryScratch

__all__ = ["DirectoryScratch", "MemoryScratch", "PartFiles"]
