"""The checked-in stubs are etcd's wire contract: paths of calls, numbers and types of fields.

The table was taken by hand from etcd's api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto, in which a number keeps
its meaning for ever. A field that is not in it is not used, and a stub that differs from it is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor

from etcd_dr.adapters.etcd import proto
from etcd_dr.adapters.etcd.proto import kv_pb2, rpc_pb2

PATHS = {
    "/etcdserverpb.KV/Range",
    "/etcdserverpb.KV/Put",
    "/etcdserverpb.KV/DeleteRange",
    "/etcdserverpb.KV/Compact",
    "/etcdserverpb.Watch/Watch",
    "/etcdserverpb.Lease/LeaseTimeToLive",
    "/etcdserverpb.Cluster/MemberAdd",
    "/etcdserverpb.Cluster/MemberRemove",
    "/etcdserverpb.Cluster/MemberList",
    "/etcdserverpb.Cluster/MemberPromote",
    "/etcdserverpb.Maintenance/Alarm",
    "/etcdserverpb.Maintenance/Status",
    "/etcdserverpb.Maintenance/Defragment",
    "/etcdserverpb.Maintenance/HashKV",
    "/etcdserverpb.Maintenance/Snapshot",
    "/etcdserverpb.Auth/AuthStatus",
    "/etcdserverpb.Auth/Authenticate",
}

FIELDS = {
    "mvccpb.KeyValue": "1 bytes key, 2 int64 create_revision, 3 int64 mod_revision, 4 int64 version, 5 bytes value, "
    "6 int64 lease",
    "mvccpb.Event": "1 enum type, 2 message kv, 3 message prev_kv",
    "etcdserverpb.ResponseHeader": "1 uint64 cluster_id, 2 uint64 member_id, 3 int64 revision, 4 uint64 raft_term",
    "etcdserverpb.RangeRequest": "1 bytes key, 2 bytes range_end, 3 int64 limit, 4 int64 revision, "
    "7 bool serializable, 8 bool keys_only, 9 bool count_only",
    "etcdserverpb.RangeResponse": "1 message header, 2 message* kvs, 3 bool more, 4 int64 count",
    "etcdserverpb.PutRequest": "1 bytes key, 2 bytes value",
    "etcdserverpb.PutResponse": "1 message header",
    "etcdserverpb.DeleteRangeRequest": "1 bytes key",
    "etcdserverpb.DeleteRangeResponse": "1 message header, 2 int64 deleted",
    "etcdserverpb.CompactionRequest": "1 int64 revision, 2 bool physical",
    "etcdserverpb.CompactionResponse": "1 message header",
    "etcdserverpb.HashKVRequest": "1 int64 revision",
    "etcdserverpb.HashKVResponse": "1 message header, 2 uint32 hash, 3 int64 compact_revision, 4 int64 hash_revision",
    "etcdserverpb.SnapshotRequest": "",
    "etcdserverpb.SnapshotResponse": "1 message header, 2 uint64 remaining_bytes, 3 bytes blob, 4 string version",
    "etcdserverpb.WatchRequest": "1 message create_request, 2 message cancel_request, 3 message progress_request",
    "etcdserverpb.WatchCreateRequest": "1 bytes key, 2 bytes range_end, 3 int64 start_revision, "
    "4 bool progress_notify, 6 bool prev_kv, 7 int64 watch_id, 8 bool fragment",
    "etcdserverpb.WatchCancelRequest": "1 int64 watch_id",
    "etcdserverpb.WatchProgressRequest": "",
    "etcdserverpb.WatchResponse": "1 message header, 2 int64 watch_id, 3 bool created, 4 bool canceled, "
    "5 int64 compact_revision, 6 string cancel_reason, 7 bool fragment, 11 message* events",
    "etcdserverpb.LeaseTimeToLiveRequest": "1 int64 ID, 2 bool keys",
    "etcdserverpb.LeaseTimeToLiveResponse": "1 message header, 2 int64 ID, 3 int64 TTL, 4 int64 grantedTTL, "
    "5 bytes* keys",
    "etcdserverpb.Member": "1 uint64 ID, 2 string name, 3 string* peerURLs, 4 string* clientURLs, 5 bool isLearner",
    "etcdserverpb.MemberAddRequest": "1 string* peerURLs, 2 bool isLearner",
    "etcdserverpb.MemberAddResponse": "1 message header, 2 message member",
    "etcdserverpb.MemberRemoveRequest": "1 uint64 ID",
    "etcdserverpb.MemberRemoveResponse": "1 message header",
    "etcdserverpb.MemberPromoteRequest": "1 uint64 ID",
    "etcdserverpb.MemberPromoteResponse": "1 message header",
    "etcdserverpb.MemberListRequest": "1 bool linearizable",
    "etcdserverpb.MemberListResponse": "1 message header, 2 message* members",
    "etcdserverpb.AlarmRequest": "1 enum action, 2 uint64 memberID, 3 enum alarm",
    "etcdserverpb.AlarmMember": "1 uint64 memberID, 2 enum alarm",
    "etcdserverpb.AlarmResponse": "1 message header, 2 message* alarms",
    "etcdserverpb.DefragmentRequest": "",
    "etcdserverpb.DefragmentResponse": "1 message header",
    "etcdserverpb.StatusRequest": "",
    "etcdserverpb.StatusResponse": "1 message header, 2 string version, 3 int64 dbSize, 4 uint64 leader, "
    "5 uint64 raftIndex, 6 uint64 raftTerm, 7 uint64 raftAppliedIndex, 8 string* errors, 9 int64 dbSizeInUse, "
    "10 bool isLearner, 11 string storageVersion, 12 int64 dbSizeQuota",
    "etcdserverpb.AuthStatusRequest": "",
    "etcdserverpb.AuthStatusResponse": "1 message header, 2 bool enabled, 3 uint64 authRevision",
    "etcdserverpb.AuthenticateRequest": "1 string name, 2 string password",
    "etcdserverpb.AuthenticateResponse": "1 message header, 2 string token",
}

ENUMS = {
    "mvccpb.Event.EventType": {"PUT": 0, "DELETE": 1},
    "etcdserverpb.AlarmType": {"NONE": 0, "NOSPACE": 1, "CORRUPT": 2},
    "etcdserverpb.AlarmRequest.AlarmAction": {"GET": 0, "DEACTIVATE": 2},
}

FILES = (kv_pb2.DESCRIPTOR, rpc_pb2.DESCRIPTOR)
TYPE_NAMES = {
    getattr(FieldDescriptor, f"TYPE_{name.upper()}"): name
    for name in ("bool", "bytes", "enum", "int64", "message", "string", "uint32", "uint64")
}


def messages(file: FileDescriptor) -> Iterator[Descriptor]:
    yield from file.message_types_by_name.values()


def spelled(message: Descriptor) -> str:
    fields = sorted(message.fields, key=lambda field: field.number)
    return ", ".join(
        f"{field.number} {TYPE_NAMES[field.type]}{'*' * field.is_repeated} {field.name}" for field in fields
    )


def test_calls_have_etcds_paths() -> None:
    """The path of a call is made of the names of package, service and method."""
    services = rpc_pb2.DESCRIPTOR.services_by_name.values()

    assert {f"/{each.full_name}/{method.name}" for each in services for method in each.methods} == PATHS


@pytest.mark.parametrize("name", FIELDS)
def test_fields_have_etcds_numbers_and_types(name: str) -> None:
    """Number, type and repetition are the encoding."""
    [message] = [each for file in FILES for each in messages(file) if each.full_name == name]

    assert spelled(message) == FIELDS[name]


def test_no_message_is_unaccounted_for() -> None:
    """Whatever is declared stands in the table."""
    assert {message.full_name for file in FILES for message in messages(file)} == set(FIELDS)


def test_enums_have_etcds_values() -> None:
    """Values of enums; an action that raises an alarm is not among them."""
    nested = [enum for file in FILES for message in messages(file) for enum in message.enum_types]
    enums = [*nested, *(enum for file in FILES for enum in file.enum_types_by_name.values())]

    assert {enum.full_name: {value.name: value.number for value in enum.values} for enum in enums} == ENUMS


def test_requests_are_the_bytes_that_etcd_expects() -> None:
    """A request written out by hand (tag = number * 8 + wire type), so that the encoding itself is seen once."""
    request = rpc_pb2.RangeRequest(key=b"health", serializable=True, count_only=True)

    assert request.SerializeToString() == b"\x0a\x06health" + b"\x38\x01" + b"\x48\x01"


def test_stubs_stay_out_of_the_process_wide_pool() -> None:
    """Another client of etcd in the same process registers the same names with other contents."""
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("etcdserverpb.StatusResponse")


@pytest.mark.parametrize("stem", ["kv", "rpc"])
def test_stubs_are_made_from_the_protos_beside_them(stem: str) -> None:
    """Every declaration in the .proto file is in its stub: nobody has edited one without `make stubs`."""
    file = {"kv": kv_pb2, "rpc": rpc_pb2}[stem].DESCRIPTOR
    source = Path(*proto.__path__, f"{stem}.proto").read_text()
    stripped = re.sub(r"//.*", "", source)

    declared = re.findall(r"^message (\w+)", stripped, re.MULTILINE)
    fields = re.findall(r"(\w+) = (\d+);", re.sub(r"enum \w+ \{[^}]*\}", "", stripped))

    assert declared == list(file.message_types_by_name)
    in_stub = [(field.name, str(field.number)) for message in messages(file) for field in message.fields]
    assert fields == in_stub
