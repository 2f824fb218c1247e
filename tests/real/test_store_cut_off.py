"""What is left when an upload is cut off: a killed process, a killed server, a full disk, an answer that was lost."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from etcd_dr.adapters.stores import DirectorySettings, open_store
from etcd_dr.adapters.stores.s3 import S3ObjectStore
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.errors import ObjectExists, StoreFull, StoreUnreachable
from etcd_dr.ports.object_store import ObjectStore
from real.peers.s3_server import S3Server
from real.peers.tcp_proxy import TcpProxy
from real.peers.weed import WeedS3
from real.store_settings import MIB, PART_BYTES, open_bucket, s3_settings

_CHILD = Path(__file__).parent / "upload_child.py"
BEYOND_BUFFERS = 48 * MIB
"""The sockets on the way hold some ten MiB that a fault can no longer take back."""
_OPERATOR = Path(__file__).parents[2] / "operator"


def child_command(spec: dict[str, Any]) -> list[str]:
    return [sys.executable, str(_CHILD), json.dumps(spec)]


def child_environ() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_OPERATOR)}


@contextmanager
def upload_in_child(spec: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """Lend a process that is in the middle of an upload."""
    child = subprocess.Popen(
        child_command(spec), env=child_environ(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "waiting\n"
        yield child
    finally:
        child.kill()
        child.communicate()


def assert_only_an_unfinished_upload_is_left(store: ObjectStore, key: str) -> None:
    assert list(store.list("")) == []
    (left,) = store.unfinished_uploads("v1/")
    assert left.key == key
    store.abort_unfinished(left)
    assert list(store.unfinished_uploads("")) == []


@contextmanager
def bucket_of(server: S3Server, bucket: str, keys: Path, **more: Any) -> Iterator[S3ObjectStore]:
    store = open_bucket(s3_settings(server, bucket, keys, **more))
    try:
        yield store
    finally:
        store.close()


def lose_answers(store: S3ObjectStore, operation: str, *, count: int = 1) -> None:
    """Let the server act on the next requests and the connection break before its answers arrive."""
    client = store._bucket._client
    left = [count]

    def act_and_lose(request: Any, **_: object) -> None:
        if left[0] > 0:
            left[0] -= 1
            client._endpoint.http_session.send(request)
            raise ConnectionClosedError(endpoint_url=request.url)

    client.meta.events.register(f"before-send.s3.{operation}", act_and_lose)


def test_killed_process_leaves_nothing_visible_in_a_directory(tmp_path: Path) -> None:
    """SIGKILL in the middle of an upload: no object, and the sweep finds what is left."""
    spec = {"store": {"directory": str(tmp_path)}, "key": "v1/prod/data", "megabytes": 40, "waits_after": 20}

    with upload_in_child(spec) as child:
        child.send_signal(signal.SIGKILL)
        child.wait()

    store = open_store(DirectorySettings(tmp_path), clock=SystemClock(), tokens=SystemTokens())
    assert_only_an_unfinished_upload_is_left(store, "v1/prod/data")
    assert list(tmp_path.iterdir()) == []


def test_killed_process_leaves_nothing_visible_in_a_bucket(s3_server: WeedS3, s3_bucket: str, tmp_path: Path) -> None:
    """SIGKILL in the middle of a multipart upload: no object, and the sweep finds what is left."""
    files = s3_settings(s3_server, s3_bucket, tmp_path).credentials
    store_spec = {
        "bucket": s3_bucket,
        "endpoint": s3_server.endpoint,
        "access": str(files.access_key_file),  # type: ignore[union-attr]  # made from files above
        "secret": str(files.secret_key_file),  # type: ignore[union-attr]
        "more": {"part_bytes": PART_BYTES},
    }
    spec = {"store": store_spec, "key": "v1/prod/data", "megabytes": 40, "waits_after": 20}

    with upload_in_child(spec) as child:
        child.send_signal(signal.SIGKILL)
        child.wait()

    with bucket_of(s3_server, s3_bucket, tmp_path) as store:
        assert_only_an_unfinished_upload_is_left(store, "v1/prod/data")


def test_full_disk_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    """A directory without room raises StoreFull (seen here through a limit on the size of files)."""
    root = tmp_path / "store"
    root.mkdir()
    program = (
        "import sys; sys.argv[1:] = sys.argv[1:]\n"
        "from pathlib import Path\n"
        "from etcd_dr.adapters.stores import DirectorySettings, open_store\n"
        "from etcd_dr.adapters.system_clock import SystemClock, SystemTokens\n"
        "from etcd_dr.errors import StoreFull\n"
        "store = open_store(DirectorySettings(Path(sys.argv[1])), clock=SystemClock(), tokens=SystemTokens())\n"
        "upload = store.begin_upload('v1/data')\n"
        "try:\n"
        "    for _ in range(64): upload.write(b'x' * 65536)\n"
        "except StoreFull as error: print(error.code, error.context['errno'])\n"
        "upload.abort()\n"
    )

    def limit_file_size() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))

    done = subprocess.run(
        [sys.executable, "-c", program, str(root)],
        env=child_environ(),
        preexec_fn=limit_file_size,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout == f"{StoreFull.code} EFBIG\n", done.stderr
    assert list(root.iterdir()) == []


def test_server_that_dies_amid_parts_is_named_and_leaves_nothing(
    fresh_s3: Callable[..., WeedS3], tmp_path: Path
) -> None:
    """The upload ends with StoreUnreachable, abort is quiet, and after its return the server shows no object."""
    server = fresh_s3()
    with bucket_of(server, server.make_bucket("victim"), tmp_path, attempts=2, connect_timeout_seconds=2) as store:
        store.guarantees()
        upload = store.begin_upload("v1/prod/data")
        upload.write(bytes(2 * PART_BYTES))

        server.kill()
        with pytest.raises(StoreUnreachable) as raised:
            upload.write(bytes(40 * PART_BYTES))
        upload.abort()
        server.start()

        assert raised.value.subject == "s3://victim/v1/prod/data"
        assert "curl" in raised.value.next_step
        assert_only_an_unfinished_upload_is_left(store, "v1/prod/data")


@pytest.mark.parametrize("kind", ["s3_server", "lying_s3_server"])
def test_broken_download_is_resumed(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path, tcp_proxy: Callable[[int], TcpProxy]
) -> None:
    """A connection that breaks twice on the way costs nothing but a second look: every byte arrives once."""
    server: S3Server = request.getfixturevalue(kind)
    bucket = server.make_bucket(f"resumed-{uuid.uuid4().hex[:12]}")
    proxy = tcp_proxy(server.port)
    body = os.urandom(BEYOND_BUFFERS)
    with bucket_of(server, bucket, tmp_path, endpoint=f"http://127.0.0.1:{proxy.port}") as store:
        store.put("v1/data", body, if_absent=True)
        received = bytearray()

        with store.read("v1/data") as chunks:
            before = proxy.connections_made
            for chunk in chunks:
                received += chunk
                if len(received) in {MIB, 24 * MIB}:
                    proxy.cut()

    assert bytes(received) == body
    assert proxy.connections_made > before


def test_stalled_download_is_resumed(
    s3_server: WeedS3, s3_bucket: str, tmp_path: Path, tcp_proxy: Callable[[int], TcpProxy]
) -> None:
    """Silence longer than the read timeout counts as a break."""
    proxy = tcp_proxy(s3_server.port)
    body = os.urandom(BEYOND_BUFFERS)
    with bucket_of(s3_server, s3_bucket, tmp_path) as patient:  # the answer to so large a put may take a while
        patient.put("v1/data", body, if_absent=False)
    more = {"endpoint": f"http://127.0.0.1:{proxy.port}", "read_timeout_seconds": 2.0, "attempts": 5}
    with bucket_of(s3_server, s3_bucket, tmp_path, **more) as store:
        received = bytearray()

        with store.read("v1/data") as chunks:
            received += next(chunks)
            proxy.stall_after(MIB)
            resumed: list[str] = []

            def heal(request: Any, **_: object) -> None:
                resumed.append(request.headers["Range"])
                proxy.heal()

            store._bucket._client.meta.events.register("before-send.s3.GetObject", heal)
            received += b"".join(chunks)

    assert bytes(received) == body
    assert resumed


def test_download_from_a_dead_server_ends_with_an_error(
    s3_server: WeedS3, s3_bucket: str, tmp_path: Path, tcp_proxy: Callable[[int], TcpProxy]
) -> None:
    """What never comes back raises StoreUnreachable; the bytes so far are not passed off as the object."""
    proxy = tcp_proxy(s3_server.port)
    more = {"endpoint": f"http://127.0.0.1:{proxy.port}", "attempts": 1}
    with bucket_of(s3_server, s3_bucket, tmp_path, **more) as store:
        store.put("v1/data", bytes(BEYOND_BUFFERS), if_absent=False)

        with store.read("v1/data") as chunks:
            next(chunks)
            proxy.refuse()
            with pytest.raises(StoreUnreachable):
                list(chunks)


def test_object_that_is_replaced_while_it_is_read_is_an_error(
    s3_server: WeedS3, s3_bucket: str, tmp_path: Path, tcp_proxy: Callable[[int], TcpProxy]
) -> None:
    """A resumed download never joins the halves of two objects."""
    proxy = tcp_proxy(s3_server.port)
    with bucket_of(s3_server, s3_bucket, tmp_path, endpoint=f"http://127.0.0.1:{proxy.port}") as store:
        store.put("v1/data", bytes(BEYOND_BUFFERS), if_absent=False)

        with store.read("v1/data") as chunks:
            next(chunks)
            store.put("v1/data", b"\1" * BEYOND_BUFFERS, if_absent=False)
            proxy.cut()
            with pytest.raises(Exception, match="replaced while it was read") as raised:
                list(chunks)

    assert raised.value.code == "store"  # type: ignore[attr-defined]  # a StoreError


@pytest.mark.parametrize("size", [10, PART_BYTES + 10])
def test_lost_answer_to_a_commit_is_no_failure(s3_server: WeedS3, s3_bucket: str, tmp_path: Path, size: int) -> None:
    """The store acted, the answer was lost, the repeated request finds the key taken or the upload gone: success."""
    with bucket_of(s3_server, s3_bucket, tmp_path) as store:
        store.guarantees()
        upload = store.begin_upload("v1/prod/data")
        upload.write(bytes(size))
        lose_answers(store, "PutObject" if size < PART_BYTES else "CompleteMultipartUpload")

        stored = upload.commit()

        assert stored.size_bytes == size
        assert store.head("v1/prod/data").size_bytes == size


def test_lost_answer_does_not_make_anothers_object_ours(s3_server: WeedS3, s3_bucket: str, tmp_path: Path) -> None:
    """The same bytes under the same key, written by somebody else before, still are somebody else's."""
    with bucket_of(s3_server, s3_bucket, tmp_path) as store:
        store.put("v1/lease", b"same", if_absent=True)
        lose_answers(store, "PutObject")

        with pytest.raises(ObjectExists):
            store.put("v1/lease", b"same", if_absent=True)


@pytest.mark.parametrize("operation", ["PutObject", "UploadPart", "CreateMultipartUpload"])
def test_lost_answers_on_the_way_are_made_good(
    s3_server: WeedS3, s3_bucket: str, tmp_path: Path, operation: str
) -> None:
    """Any single answer of an upload may be lost."""
    body = os.urandom(2 * PART_BYTES + 3)
    with bucket_of(s3_server, s3_bucket, tmp_path) as store:
        store.guarantees()
        lose_answers(store, operation)

        upload = store.begin_upload("v1/prod/data")
        upload.write(body)
        upload.commit()

        assert store.get("v1/prod/data", limit_bytes=len(body)) == body


@pytest.mark.matrix
@pytest.mark.parametrize("megabytes", [100, 300])
def test_memory_of_an_upload_does_not_depend_on_its_size(
    s3_server: WeedS3, s3_bucket: str, tmp_path: Path, megabytes: int
) -> None:
    """Four parts of 16 MiB and little more, whatever is uploaded."""
    files = s3_settings(s3_server, s3_bucket, tmp_path).credentials
    store_spec = {
        "bucket": s3_bucket,
        "endpoint": s3_server.endpoint,
        "access": str(files.access_key_file),  # type: ignore[union-attr]
        "secret": str(files.secret_key_file),  # type: ignore[union-attr]
    }
    spec = {"store": store_spec, "key": "v1/prod/data", "megabytes": megabytes}

    done = subprocess.run(
        child_command(spec), env=child_environ(), capture_output=True, text=True, timeout=120, check=True
    )

    measured = json.loads(done.stdout)
    print(f"{megabytes} MiB: {measured['growth'] / MIB:.0f} MiB above {measured['before'] / MIB:.0f} MiB")
    assert measured["growth"] < 85 * MIB
    assert measured["peak"] < 150 * MIB
