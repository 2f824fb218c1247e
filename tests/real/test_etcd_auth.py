"""Authentication switched on, with real etcd: by password, by certificate, and what each is refused."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etcd_dr.adapters.etcd.access import EtcdAccess
from etcd_dr.adapters.etcd.client import GrpcEtcdMember
from etcd_dr.adapters.etcd.connector import GrpcEtcdConnector
from etcd_dr.adapters.local_cluster import ClusterSettings, EtcdBinaries, LocalCluster
from etcd_dr.adapters.system_clock import SystemClock
from etcd_dr.errors import AccessDenied, MemberTimeout
from etcd_dr.workflows.read_with_quorum import read_with_quorum
from real.peers.etcd_tools import StockTools

SECONDS = 20.0
PASSWORD = "open sesame"


@pytest.fixture(scope="module")
def cluster(etcd_binaries: EtcdBinaries) -> Iterator[LocalCluster]:
    """One member with authentication on: root, who may do all, and reader, who may read the key `health`."""
    with (
        tempfile.TemporaryDirectory(prefix="etcd-dr-test-", ignore_cleanup_errors=True) as directory,
        LocalCluster(Path(directory), binaries=etcd_binaries, settings=ClusterSettings(size=1)) as cluster,
    ):
        turn_on_authentication(cluster, StockTools(etcd_binaries))
        yield cluster


def turn_on_authentication(cluster: LocalCluster, tools: StockTools) -> None:
    tools.change(cluster, "role", "add", "watcher")
    tools.change(cluster, "role", "grant-permission", "watcher", "read", "health")
    for user, role in (("root", "root"), ("reader", "watcher")):
        tools.change(cluster, "user", "add", f"{user}:{PASSWORD}")
        tools.change(cluster, "user", "grant-role", user, role)
    tools.change(cluster, "auth", "enable")


Connect = Callable[..., GrpcEtcdMember]


@pytest.fixture
def connect(cluster: LocalCluster, tmp_path: Path) -> Iterator[Connect]:
    """Connect as the user that the certificate names, or as `username` with `password`."""
    cluster.start()
    cluster.members[0].wait_until_serving()
    opened: list[GrpcEtcdMember] = []

    def as_user(
        common_name: str = "nobody", *, username: str | None = None, password: str = PASSWORD
    ) -> GrpcEtcdMember:
        tls = cluster.authority.issue(common_name, serves=False)
        password_file = tmp_path / "password"
        password_file.write_text(f"{password}\n")
        access = EtcdAccess(
            cluster.endpoints,
            ca_file=tls.ca,
            cert_file=tls.certificate,
            key_file=tls.key,
            username=username,
            password_file=None if username is None else password_file,
        )
        opened.append(GrpcEtcdConnector(access, clock=SystemClock()).connect(cluster.endpoints[0]))
        return opened[-1]

    yield as_user
    for member in opened:
        member.close()


def take(member: GrpcEtcdMember) -> int:
    with member.snapshot(stall_deadline=SECONDS, total_deadline=30) as stream:
        return sum(len(chunk.blob) for chunk in stream)


def use_everything(member: GrpcEtcdMember) -> None:
    member.status(deadline=SECONDS)
    member.member_list(linearizable=False, deadline=SECONDS)
    member.alarms(deadline=SECONDS)
    member.hash_kv(revision=0, deadline=SECONDS)
    member.read(linearizable=True, deadline=SECONDS)
    assert take(member) > 0


class TestUsers:
    def test_role_that_reads_one_key_may_not_count_them_all(self, connect: Connect) -> None:
        """The refusal is one of rights, which the tripwire tells from a member that does not answer."""
        reader, root = connect(username="reader"), connect(username="root")

        with pytest.raises(AccessDenied):
            reader.count_keys(deadline=SECONDS)

        assert root.count_keys(deadline=SECONDS).keys >= 0

    def test_root_with_a_password_may_do_everything(self, connect: Connect) -> None:
        """A user name and a password are exchanged for a token, which every call then carries."""
        use_everything(connect(username="root"))

    def test_certificate_of_root_needs_no_password(self, connect: Connect) -> None:
        """etcd takes the user from the certificate's common name where no token comes with the call."""
        use_everything(connect("root"))

    def test_certificate_of_nobody_is_denied(self, connect: Connect) -> None:
        """HashKV and snapshots need root; the error is of access, not of the connection."""
        member = connect("nobody")

        with pytest.raises(AccessDenied):
            member.hash_kv(revision=0, deadline=SECONDS)
        with pytest.raises(AccessDenied):
            take(member)

    def test_other_user_may_do_what_its_role_says(self, connect: Connect) -> None:
        """Reading `health` is enough for the test of quorum, and not for a snapshot."""
        member = connect(username="reader")

        assert member.read(linearizable=True, deadline=SECONDS) > 0
        with pytest.raises(AccessDenied):
            take(member)

    def test_wrong_password_is_denied(self, connect: Connect) -> None:
        """The error says so and does not hold the password."""
        member = connect(username="root", password="wrong-one")

        with pytest.raises(AccessDenied) as caught:
            member.hash_kv(revision=0, deadline=SECONDS)
        with pytest.raises(AccessDenied):
            take(member)

        error = caught.value
        assert "wrong-one" not in f"{error.message} {error.next_step} {error.context}"

    @pytest.mark.parametrize("use", [take, lambda member: member.hash_kv(revision=0, deadline=SECONDS)])
    def test_token_that_went_stale_is_renewed(
        self, cluster: LocalCluster, connect: Connect, use: Callable[[GrpcEtcdMember], object]
    ) -> None:
        """etcd forgets simple tokens in a restart; the next call logs in again."""
        member = connect(username="root")
        use(member)
        cluster.members[0].stop()
        cluster.members[0].start()
        cluster.members[0].wait_until_serving()
        read_with_quorum(connect("root"), deadline=SECONDS)  # it elects itself meanwhile

        assert use(member)

    def test_token_from_before_a_change_of_roles_is_renewed(
        self, cluster: LocalCluster, connect: Connect, stock_tools: StockTools
    ) -> None:
        """A change of users or roles makes older tokens invalid; nobody has to notice."""
        member = connect(username="root")
        member.read(linearizable=True, deadline=SECONDS)
        stock_tools.etcdctl(cluster, "role", "add", "another")

        assert member.read(linearizable=True, deadline=SECONDS) > 0
        stock_tools.etcdctl(cluster, "role", "delete", "another")


@pytest.mark.matrix
@pytest.mark.every_etcd
class TestUsersOfEveryVersion(TestUsers):
    """What is refused is worded differently by each; the meaning is the same."""


def test_credentials_do_no_harm_where_authentication_is_off(
    fresh_cluster: Callable[..., LocalCluster], tmp_path: Path
) -> None:
    """A user name is configured and the cluster wants none: the calls go without a token."""
    cluster = fresh_cluster(size=1)
    (tmp_path / "password").write_text(PASSWORD)
    tls = cluster.client_tls
    access = EtcdAccess(
        cluster.endpoints,
        ca_file=tls.ca,
        cert_file=tls.certificate,
        key_file=tls.key,
        username="root",
        password_file=tmp_path / "password",
    )
    member = GrpcEtcdConnector(access, clock=SystemClock()).connect(cluster.endpoints[0])

    use_everything(member)
    member.close()


def test_without_quorum_a_password_is_worth_nothing_and_a_certificate_everything(
    fresh_cluster: Callable[..., LocalCluster], stock_tools: StockTools, tmp_path: Path
) -> None:
    """Tokens are issued through raft: the last survivor gives its copy only to who needs none."""
    cluster = fresh_cluster()
    turn_on_authentication(cluster, stock_tools)
    (tmp_path / "password").write_text(PASSWORD)
    root, nobody = cluster.client_tls, cluster.authority.issue("nobody", serves=False)
    by_certificate = EtcdAccess(cluster.endpoints, root.ca, root.certificate, root.key)
    by_password = EtcdAccess(
        cluster.endpoints,
        nobody.ca,
        nobody.certificate,
        nobody.key,
        username="root",
        password_file=tmp_path / "password",
    )
    with_certificate = GrpcEtcdConnector(by_certificate, clock=SystemClock()).connect(cluster.endpoints[0])
    read_with_quorum(
        with_certificate, deadline=SECONDS
    )  # a majority has authentication on, which may be the two that die
    cluster.members[1].kill()
    cluster.members[2].kill()

    assert take(with_certificate) > 0
    with_certificate.close()
    with_password = GrpcEtcdConnector(by_password, clock=SystemClock()).connect(cluster.endpoints[0])
    with pytest.raises(MemberTimeout):
        with_password.hash_kv(revision=0, deadline=1)
    with_password.close()


def test_denied_linearizable_read_still_proves_quorum(
    fresh_cluster: Callable[..., LocalCluster], stock_tools: StockTools
) -> None:
    """etcd asks the quorum before it looks at the user's rights, so the refusal itself is an answer."""
    cluster = fresh_cluster()
    turn_on_authentication(cluster, stock_tools)
    nobody = cluster.authority.issue("nobody", serves=False)
    access = EtcdAccess(cluster.endpoints, nobody.ca, nobody.certificate, nobody.key)
    member = GrpcEtcdConnector(access, clock=SystemClock()).connect(cluster.endpoints[0])

    with pytest.raises(AccessDenied):
        read_with_quorum(member, deadline=SECONDS)
    cluster.members[1].kill()
    cluster.members[2].kill()
    with pytest.raises(MemberTimeout):
        member.read(linearizable=True, deadline=1)
    member.close()
