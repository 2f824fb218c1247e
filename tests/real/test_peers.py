"""The peers of this directory do what tests assume of them; a peer that changed its ways shows here first."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from etcd_dr.adapters.local_cluster import EtcdGateway, LocalAuthority, LocalCluster
from etcd_dr.errors import MemberTimeout, MemberUnreachable
from real.peers.etcd_tools import StockTools
from real.peers.load_writer import LoadWriter
from real.peers.rclone import RcloneS3
from real.peers.s3_server import S3Credentials
from real.peers.tcp_proxy import TcpProxy
from real.peers.weed import READER, WRITER, WRITER_BUCKET, WeedS3
from real.snapshot_rig import wait_until_applied


def refusal(call: Callable[..., object], **arguments: object) -> str:
    """Return the code with which S3 refuses a call."""
    with pytest.raises(ClientError) as raised:
        call(**arguments)
    return str(raised.value.response["Error"]["Code"])


def drain(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def test_honest_store_keeps_put_if_absent(s3_server: WeedS3, s3_bucket: str) -> None:
    """The second writer of a key is refused."""
    client = s3_server.client()

    client.put_object(Bucket=s3_bucket, Key="once", Body=b"first", IfNoneMatch="*")

    assert refusal(client.put_object, Bucket=s3_bucket, Key="once", Body=b"2", IfNoneMatch="*") == "PreconditionFailed"


def test_lying_store_takes_both_writers_of_one_key(lying_s3_server: RcloneS3) -> None:
    """If-None-Match is accepted and ignored: the second writer wins in silence."""
    client = lying_s3_server.client()
    bucket = lying_s3_server.make_bucket("lied-to")

    client.put_object(Bucket=bucket, Key="once", Body=b"first", IfNoneMatch="*")
    client.put_object(Bucket=bucket, Key="once", Body=b"second", IfNoneMatch="*")

    assert client.get_object(Bucket=bucket, Key="once")["Body"].read() == b"second"


def test_rights_differ_between_identities(s3_server: WeedS3) -> None:
    """The admin may all, the writer its bucket, the reader no write, and a wrong secret nothing."""
    s3_server.make_bucket(WRITER_BUCKET)
    other = s3_server.make_bucket("not-the-writers")
    stranger = S3Credentials(WRITER.access_key, "not the secret")

    s3_server.client(WRITER).put_object(Bucket=WRITER_BUCKET, Key="own", Body=b"")

    assert refusal(s3_server.client(WRITER).put_object, Bucket=other, Key="foreign", Body=b"") == "AccessDenied"
    assert refusal(s3_server.client(READER).put_object, Bucket=other, Key="foreign", Body=b"") == "AccessDenied"
    assert refusal(s3_server.client(stranger).list_buckets) == "SignatureDoesNotMatch"


def test_missing_bucket_is_an_error_even_for_an_admin(s3_server: WeedS3) -> None:
    """The server does not create buckets on the way, as some do for convenience."""
    assert refusal(s3_server.client().put_object, Bucket="never-made", Key="key", Body=b"") == "NoSuchBucket"


def test_locked_object_cannot_be_deleted(s3_server: WeedS3) -> None:
    """A bucket made with Object Lock keeps an object until its retention ends."""
    bucket = s3_server.make_bucket("locked", object_lock=True)
    client = s3_server.client()
    until = datetime.now(UTC) + timedelta(hours=1)

    version = client.put_object(
        Bucket=bucket, Key="kept", Body=b"", ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until
    )["VersionId"]

    assert refusal(client.delete_object, Bucket=bucket, Key="kept", VersionId=version) == "AccessDenied"


def test_s3_over_tls_with_a_private_authority(fresh_s3: Callable[..., WeedS3], tmp_path: Path) -> None:
    """HTTPS is served beside HTTP, with a certificate that only its own authority vouches for."""
    now = datetime.now(UTC)
    authority = LocalAuthority(tmp_path, valid_from=now - timedelta(hours=1), valid_until=now + timedelta(days=1))
    server = fresh_s3(tls=authority.issue("s3"))

    buckets = server.client(endpoint_url=server.https_endpoint, verify=str(authority.ca)).list_buckets()["Buckets"]

    assert [bucket["Name"] for bucket in buckets] == ["ready"]


def test_killed_store_refuses_connections_and_keeps_its_objects(fresh_s3: Callable[..., WeedS3]) -> None:
    """After a kill nothing answers; after a start at the same address the object is there."""
    server = fresh_s3()
    client = server.client()
    client.put_object(Bucket="ready", Key="survives", Body=b"still here")

    server.kill()
    with pytest.raises(EndpointConnectionError):
        client.list_buckets()
    server.start()

    assert client.get_object(Bucket="ready", Key="survives")["Body"].read() == b"still here"


def test_proxy_passes_tls_until_told_otherwise(
    shared_cluster: LocalCluster, tcp_proxy: Callable[[int], TcpProxy]
) -> None:
    """A member behind the proxy answers, then stalls, is cut off, and answers again."""
    proxy = tcp_proxy(shared_cluster.members[0].settings.client_port)
    tls = shared_cluster.client_tls
    with (
        EtcdGateway(port=proxy.port, tls=tls, timeout_seconds=20) as gateway,
        EtcdGateway(port=proxy.port, tls=tls, timeout_seconds=0.5) as impatient,
    ):
        before = gateway.put_through(b"/proxy", b"before")

        proxy.stall()
        with pytest.raises(MemberTimeout):
            impatient.put(b"/proxy", b"stalled")
        proxy.heal()
        proxy.refuse()
        with pytest.raises(MemberUnreachable):
            gateway.put(b"/proxy", b"refused")
        proxy.heal()

        assert gateway.put_through(b"/proxy", b"after") > before


def test_proxy_cuts_after_so_many_bytes(tcp_proxy: Callable[[int], TcpProxy]) -> None:
    """A limit counts what the server sent, and the cut shows as a reset."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        proxy = tcp_proxy(server.getsockname()[1])
        client = socket.create_connection(("127.0.0.1", proxy.port))
        served, _ = server.accept()
        proxy.cut_after(1000)

        with client, served:
            served.sendall(bytes(400))
            first = client.recv(4096)
            served.sendall(bytes(600))
            with pytest.raises(ConnectionResetError):
                drain(client)

    assert len(first) == 400


@pytest.mark.every_etcd
@pytest.mark.matrix
def test_load_is_written_and_its_snapshot_read_by_stock_tools(
    shared_cluster: LocalCluster,
    load_writer: Callable[..., LoadWriter],
    stock_tools: StockTools,
    tmp_path: Path,
) -> None:
    """Load goes on while etcdctl saves a snapshot, whose revision lies within what was written."""
    load = load_writer(shared_cluster, seed=20, keeps=200)
    load.wait_until_compacted()

    before = load.wait_for(100)
    wait_until_applied(shared_cluster.members[0], before)
    path = stock_tools.save_snapshot(shared_cluster, tmp_path / "snapshot.db")
    after = load.wait_for(50)

    assert before <= stock_tools.snapshot_status(path)["revision"] <= after


def test_load_survives_the_loss_of_a_member(
    fresh_cluster: Callable[..., LocalCluster], load_writer: Callable[..., LoadWriter]
) -> None:
    """A killed member does not end the load; it goes on through the others."""
    cluster = fresh_cluster()
    load = load_writer(cluster, seed=7)
    load.wait_for(100)

    cluster.members[0].kill()

    load.wait_for(100)


def test_nothing_of_the_server_is_left_in_the_shared_directory(tmp_path: Path) -> None:
    """It makes sockets in /tmp; a day of tests would leave thousands."""
    before = set(Path("/tmp").glob("seaweedfs-*.sock"))

    with WeedS3(tmp_path / "weed") as server:
        ports = tuple(str(port) for port in server._ports.values())

    left = {path for path in set(Path("/tmp").glob("seaweedfs-*.sock")) - before if path.stem.endswith(ports)}
    assert left == set()
