"""What etcd's programs are run with: which version of a tool for which server, and in which environment.

- The tool that restores, the server that runs on the result and the snapshot belong to one minor version: newer
  records may be unknown to an older tool, and older files lack what a newer server asks for (etcd #13070).
- Of several, the newest: it has the most defects mended. All members of one cluster are restored with the same one.
- Every flag of these programs can be set by a variable, so none of those is passed on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from etcd_dr.domain.etcd_version import EtcdVersion


def choose_version(
    found: Sequence[EtcdVersion], server: EtcdVersion | None, *, must_bump: bool = False
) -> EtcdVersion | None:
    """Return the one to use, or None. `server` None: unknown, then the newest of all.

    `must_bump` leaves out those that cannot raise the revision.
    """
    fitting = [
        version
        for version in found
        if (server is None or version.minor_line == server.minor_line) and (version.can_bump or not must_bump)
    ]
    return max(fitting, default=None)


def plain_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without anything that etcd's programs take for options (`ETCD_NAME`, `ETCDCTL_KEY`)."""
    plain = {name: value for name, value in environ.items() if not name.startswith(("ETCD_", "ETCDCTL_", "ETCDUTL_"))}
    return {**plain, "ETCDCTL_API": "3"}  # etcdctl 3.3 and older speak v2 without it
