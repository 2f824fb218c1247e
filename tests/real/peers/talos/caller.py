"""A bare client of the machine API, for the double's own tests: one connection for each call, and nothing clever.

What etcd-dr's own client does about deadlines, broken streams or wrong answers is not to be found here on purpose. A
call that an election of etcd cut off is made again, though: elections happen by themselves, and are no test's subject.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from grpclib import GRPCError
from grpclib.client import Channel, StreamUnaryMethod, UnaryStreamMethod, UnaryUnaryMethod

from etcd_dr.adapters.talos.proto import common_pb2, machine_pb2, state_pb2, time_pb2

T = TypeVar("T")
_ELECTION = (
    "etcdserver: no leader",
    "etcdserver: leader changed",
    "etcdserver: request timed out",
    "raft proposal dropped",
)
_ELECTION_SECONDS = 30.0
_LOOK_EVERY_SECONDS = 0.1
_SERVICES = {
    "machine": machine_pb2.DESCRIPTOR.services_by_name["MachineService"],
    "state": state_pb2.DESCRIPTOR.services_by_name["State"],
    "time": time_pb2.DESCRIPTOR.services_by_name["TimeService"],
}


class Caller:
    """Calls one address with the certificate of a talosconfig; every method raises grpclib's GRPCError as it comes."""

    def __init__(self, talosconfig: Path, address: str, *, port: int = 50_000) -> None:
        self._address = address
        self._port = port
        self._context = _context(talosconfig)

    def call(
        self,
        method: str,
        request: Any = None,
        *,
        seconds: float = 20.0,
        service: str = "machine",
        through_elections: bool = True,
        **metadata: str,
    ) -> Any:
        """Make a call with one answer, such as `call("Version")`; keyword arguments are gRPC metadata."""
        descriptor = _SERVICES[service].methods_by_name[method]
        give_up_at = time.monotonic() + (_ELECTION_SECONDS if through_elections else 0.0)
        while True:
            try:
                return self._run(
                    lambda channel: _bound(UnaryUnaryMethod, channel, descriptor)(
                        _or_empty(request, descriptor), timeout=seconds, metadata=_pairs(metadata)
                    )
                )
            except GRPCError as error:
                if not is_of_an_election(error) or time.monotonic() > give_up_at:
                    raise
            time.sleep(_LOOK_EVERY_SECONDS)

    def stream(
        self, method: str, request: Any = None, *, seconds: float = 20.0, service: str = "machine", **metadata: str
    ) -> list[Any]:
        """Make a call that answers with a stream, and return all of it."""
        descriptor = _SERVICES[service].methods_by_name[method]
        return self._run(
            lambda channel: _bound(UnaryStreamMethod, channel, descriptor)(
                _or_empty(request, descriptor), timeout=seconds, metadata=_pairs(metadata)
            )
        )

    def content(self, method: str, request: Any = None, *, seconds: float = 20.0, **metadata: str) -> bytes:
        """Return what a stream of `common.Data` carries, as one."""
        return b"".join(part.bytes for part in self.stream(method, request, seconds=seconds, **metadata))

    def until_it_stops(self, method: str, request: Any = None, *, parts: int, seconds: float = 20.0) -> list[Any]:
        """Return the first parts of a stream that does not end, and leave it."""
        descriptor = _SERVICES["machine"].methods_by_name[method]

        async def read(channel: Channel) -> list[Any]:
            call = _bound(UnaryStreamMethod, channel, descriptor)
            found: list[Any] = []
            async with call.open(timeout=seconds) as stream:
                await stream.send_message(_or_empty(request, descriptor), end=True)
                while len(found) < parts:
                    found.append(await stream.recv_message())
                await stream.cancel()
            return found

        return self._run(read)

    def upload(self, content: bytes, *, chunk_bytes: int = 64 * 1024, seconds: float = 60.0) -> None:
        """Send a snapshot with EtcdRecover."""
        chunks = [
            common_pb2.Data(bytes=content[start : start + chunk_bytes]) for start in range(0, len(content), chunk_bytes)
        ]
        self._run(
            lambda channel: _bound(StreamUnaryMethod, channel, _SERVICES["machine"].methods_by_name["EtcdRecover"])(
                chunks, timeout=seconds
            )
        )

    def resource(self, kind: str, resource_id: str, *, namespace: str) -> Any:
        """Return the specification of one COSI resource, parsed from its YAML."""
        request = state_pb2.GetRequest(namespace=namespace, type=kind, id=resource_id)
        return yaml.safe_load(self.call("Get", request, service="state").resource.spec.yaml_spec)

    def _run(self, work: Callable[[Channel], Coroutine[Any, Any, T]]) -> T:
        async def run() -> T:
            channel = Channel(self._address, self._port, ssl=self._context)
            try:
                return await work(channel)
            finally:
                channel.close()

        return asyncio.run(run())


def is_of_an_election(error: GRPCError) -> bool:
    """Whether etcd refused only because it had no leader at that moment, or another one afterwards."""
    return any(words in (error.message or "") for words in _ELECTION)


def reset_of(*labels: str, graceful: bool = False, reboot: bool = True) -> machine_pb2.ResetRequest:
    """Return the request that wipes these partitions."""
    specs = [machine_pb2.ResetPartitionSpec(label=label, wipe=True) for label in labels]
    return machine_pb2.ResetRequest(graceful=graceful, reboot=reboot, system_partitions_to_wipe=specs)


def _bound(kind: Any, channel: Channel, method: MethodDescriptor) -> Any:
    request, reply = (message_factory.GetMessageClass(each) for each in (method.input_type, method.output_type))
    return kind(channel, f"/{method.containing_service.full_name}/{method.name}", request, reply)


def _or_empty(request: Any, method: MethodDescriptor) -> Any:
    return message_factory.GetMessageClass(method.input_type)() if request is None else request


def _pairs(metadata: dict[str, str]) -> Iterable[tuple[str, str]]:
    """Return metadata as pairs; several values of one key stand separated by commas."""
    return [(key, value) for key, values in metadata.items() for value in values.split(",")]


def _context(talosconfig: Path) -> ssl.SSLContext:
    config = yaml.safe_load(talosconfig.read_text())
    entry = {key: base64.b64decode(config["contexts"][config["context"]][key]) for key in ("ca", "crt", "key")}
    context = ssl.create_default_context(cadata=entry["ca"].decode())
    context.set_alpn_protocols(["h2"])
    with tempfile.NamedTemporaryFile(suffix=".pem") as pem:
        pem.write(entry["crt"] + entry["key"].replace(b"ED25519 PRIVATE", b"PRIVATE"))
        pem.flush()
        context.load_cert_chain(pem.name)
    return context
