"""etcd's own programs, and what is made of them: restored data directories and throw-away members."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from etcd_dr.adapters.etcd_programs import InstalledPrograms
from etcd_dr.adapters.etcdutl import EtcdutlRestorer
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.ports.etcd import EtcdMember
from etcd_dr.ports.etcd_admin import EtcdAdmin
from etcd_dr.ports.etcd_programs import EtcdPrograms
from etcd_dr.ports.restorer import Restorer
from etcd_dr.ports.throwaway_member import MemberHost

TEST_DIRECTORIES = "ETCD_DR_TEST_ETCD_DIRS"
TOOLS_DIRECTORY = "ETCD_DR_TOOLS_DIR"


def etcd_programs(target: Target, environ: Mapping[str, str] = os.environ) -> EtcdPrograms:
    """Return what finds etcd's programs: the configured directories, those of the environment, then PATH."""
    named = [Path(entry) for entry in environ.get(TEST_DIRECTORIES, "").split(os.pathsep) if entry]
    tools = environ.get(TOOLS_DIRECTORY)
    directories = [*target.tools.directories, *named, *([Path(tools)] if tools else [])]
    return InstalledPrograms([path.absolute() for path in directories], search_path=environ.get("PATH", ""))


def make_restorer(programs: EtcdPrograms) -> Restorer:
    """Return what makes data directories with etcd's own tool."""
    return EtcdutlRestorer(programs)


def make_member_host(programs: EtcdPrograms, surroundings: Surroundings) -> MemberHost:
    """Return what starts a throw-away etcd on this machine."""
    from etcd_dr.adapters.etcd.access import EtcdAccess  # noqa: PLC0415 - gRPC and certificates only for a drill
    from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector  # noqa: PLC0415 - as above
    from etcd_dr.adapters.local_cluster.pki import TlsFiles  # noqa: PLC0415 - as above
    from etcd_dr.adapters.local_cluster.throwaway import ThrowawayMembers  # noqa: PLC0415 - as above

    def connect(endpoint: str, tls: TlsFiles) -> tuple[EtcdMember, EtcdAdmin]:
        access = EtcdAccess((endpoint,), ca_file=tls.ca, cert_file=tls.certificate, key_file=tls.key)
        connector = GrpcEtcdConnector(access, clock=surroundings.clock)
        return connector.connect(endpoint), connector.administer(endpoint)

    return ThrowawayMembers(programs, connect=connect, clock=surroundings.clock)
