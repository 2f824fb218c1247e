"""Companions from this machine (`local`) and from the nodes of a control plane (`nodes`).

They live together because both keep the one port, and give the same names to what they find.
"""

from __future__ import annotations

from etcd_dr.adapters.companions.local import LocalFiles
from etcd_dr.adapters.companions.nodes import NodeFiles

__all__ = ["LocalFiles", "NodeFiles"]
