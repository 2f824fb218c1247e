"""Where databases in clear lie on this machine while they are worked on."""

from __future__ import annotations

import tempfile
from pathlib import Path

from etcd_dr.adapters.local_files import DirectoryScratch, MemoryScratch, PartFiles
from etcd_dr.config import Target
from etcd_dr.ports.local_files import FileSink, ScratchSpace


def make_scratch(target: Target) -> ScratchSpace:
    """Return the scratch space that the configuration describes."""
    if not target.scratch:
        return MemoryScratch(limit_bytes=target.scratch_memory_bytes)
    return DirectoryScratch(target.scratch_dir or Path(tempfile.gettempdir()))


def make_file_sink() -> FileSink:
    """Return where fetched snapshots are written."""
    return PartFiles()
