"""Snapshots in a directory: the store that needs nothing, and the one on the NFS share that every site has.

- `store` is the port; `upload` makes one object; `folders` is the only way to a file; `walking` finds what is there;
  `failures` translates what the system says.
- An object appears by link(2) or rename(2) from `.uploads`, in the same file system, after fsync. No lock files, no
  flock, no O_APPEND: link, rename and fsync are what NFS does reliably.
- Every path is walked from the root's descriptor, one segment at a time, without following symbolic links: a link
  planted inside the store leads nowhere.
"""

from etcd_dr.adapters.stores.directory.store import DirectoryObjectStore

__all__ = ["DirectoryObjectStore"]
