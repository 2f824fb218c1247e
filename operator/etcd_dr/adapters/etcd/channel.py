"""Opens the one gRPC channel of a member connection; every option says why it is there."""

from __future__ import annotations

import grpc
import grpc.experimental

from etcd_dr import __version__
from etcd_dr.adapters.etcd.access import Endpoint, EtcdAccess
from etcd_dr.adapters.etcd.material import TlsMaterial

# A snapshot comes in messages of 32 KiB (etcd: maintenance.go, Snapshot) and every other answer is smaller. What is
# larger than this is not etcd, or not meant for us, and would only cost memory.
MAX_MESSAGE_BYTES = 4 << 20
_READ_AHEAD_BYTES = 4 << 20


def open_channel(endpoint: Endpoint, access: EtcdAccess, material: TlsMaterial | None) -> grpc.Channel:
    """Return a channel that connects on its first call. `material` is None for a plain `http://` endpoint.

    The caller closes it.
    """
    target = f"dns:///{endpoint.address}"
    options = _options(access, material)
    if material is None:
        return grpc.insecure_channel(target, options=options)
    identity = material.identity
    credentials = grpc.ssl_channel_credentials(
        root_certificates=material.ca_pem,
        private_key=None if identity is None else identity.key_pem,
        certificate_chain=None if identity is None else identity.certificate_pem,
    )
    return grpc.secure_channel(target, credentials, options=options)


def _options(access: EtcdAccess, material: TlsMaterial | None) -> list[tuple[str, int | str]]:
    options: list[tuple[str, int | str]] = [
        ("grpc.primary_user_agent", f"etcd-dr/{__version__}"),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        # Channels would otherwise share connections and their back-off, so that one failure answered for a later
        # connection with other certificates.
        ("grpc.use_local_subchannel_pool", 1),
        # etcdctl does not go through https_proxy either; a proxy between us and a member only adds failures.
        ("grpc.enable_http_proxy", 0),
        # No TXT look-ups for a service configuration, and no retries behind the caller's back.
        ("grpc.service_config_disable_resolution", 1),
        ("grpc.enable_retries", 0),
        # In gRPC this is also the longest time that one attempt to connect may take.
        ("grpc.min_reconnect_backoff_ms", _milliseconds(access.dial_seconds)),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", _milliseconds(access.dial_seconds)),
        ("grpc.keepalive_time_ms", _milliseconds(access.keepalive_seconds)),
        ("grpc.keepalive_timeout_ms", _milliseconds(access.keepalive_timeout_seconds)),
        # A stream that stands still must go on being tested, not only twice.
        ("grpc.http2.max_pings_without_data", 0),
        # Left to itself gRPC reads some 40 MB of a snapshot ahead of a busy consumer. 4 MiB fill a line of 80 MB/s
        # over 50 ms.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _READ_AHEAD_BYTES),
        # The thread that iterates a stream reads it, too, instead of waiting for another one to hand over each of
        # 40,000 messages: 3 to 5 s of processor time instead of 5.4 s for receiving 1.3 GB (one run each).
        (grpc.experimental.ChannelOptions.SingleThreadedUnaryStream, 1),
    ]
    if material is not None and material.expected_name is not None:
        options.append(("grpc.ssl_target_name_override", material.expected_name))
    return options


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
