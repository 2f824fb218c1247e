"""Makes data directories with etcd's own tool: etcdutl, or etcdctl where the server is older than 3.5.

The parts live together because they are one run of one program: its command line (`command`), the run itself
(`process`), what its complaints mean (`complaints`), and where the result goes (`restorer`).
"""

from __future__ import annotations

from etcd_dr.adapters.etcdutl.restorer import EtcdutlRestorer

__all__ = ["EtcdutlRestorer"]
