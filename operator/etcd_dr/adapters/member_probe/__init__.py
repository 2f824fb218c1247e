"""Asks members over HTTP and TLS with the standard library: pages, the Date header, certificates.

The parts live together because one connection answers for all of them: `certificates` reads X.509 and makes TLS
contexts, `connection` opens and bounds a connection, `pages` understands what etcd serves, `probe` is the port.
"""

from __future__ import annotations

from etcd_dr.adapters.member_probe.certificates import ProbeFiles
from etcd_dr.adapters.member_probe.probe import HttpMemberProbe

__all__ = ["HttpMemberProbe", "ProbeFiles"]
