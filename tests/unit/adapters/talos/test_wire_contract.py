"""The checked-in stubs are Talos' wire contract: paths of calls, numbers and types of fields.

The table was taken by hand from Talos' api/machine/machine.proto, api/common/common.proto, api/time/time.proto and
COSI's state.proto and resource.proto, in which a number keeps its meaning for ever.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FieldDescriptor, FileDescriptor

from etcd_dr.adapters.talos.proto import common_pb2, machine_pb2, state_pb2, time_pb2

PATHS = {
    *(
        f"/machine.MachineService/{name}"
        for name in [
            "Bootstrap",
            "Containers",
            "Copy",
            "EtcdAlarmDisarm",
            "EtcdAlarmList",
            "EtcdDefragment",
            "EtcdForfeitLeadership",
            "EtcdLeaveCluster",
            "EtcdMemberList",
            "EtcdRecover",
            "EtcdRemoveMemberByID",
            "EtcdSnapshot",
            "EtcdStatus",
            "Events",
            "Hostname",
            "List",
            "Logs",
            "Mounts",
            "Read",
            "Reboot",
            "Reset",
            "ServiceList",
            "ServiceRestart",
            "ServiceStart",
            "ServiceStop",
            "Version",
        ]
    ),
    *(f"/cosi.resource.State/{name}" for name in ("Get", "List", "Watch")),
    "/time.TimeService/Time",
}

FIELDS = {
    "common.Data": "1 message metadata, 2 bytes bytes",
    "common.Metadata": "1 string hostname, 2 string error, 3 message status",
    "machine.EtcdMember": "2 uint64 id, 3 string hostname, 4 string* peer_urls, 5 string* client_urls, 6 bool is_learner",
    "machine.EtcdMembers": "1 message metadata, 2 string* legacy_members, 3 message* members",
    "machine.EtcdMemberListRequest": "1 bool query_local",
    "machine.EtcdMemberStatus": "1 string protocol_version, 2 int64 db_size, 3 int64 db_size_in_use, 4 uint64 leader, "
    "5 uint64 raft_index, 6 uint64 raft_term, 7 uint64 raft_applied_index, 8 string* errors, 9 bool is_learner, "
    "10 uint64 member_id, 11 string storage_version",
    "machine.EtcdMemberAlarm": "1 uint64 member_id, 2 enum alarm",
    "machine.EtcdRemoveMemberByIDRequest": "1 uint64 member_id",
    "machine.BootstrapRequest": "1 bool recover_etcd, 2 bool recover_skip_hash_check",
    "machine.ServiceInfo": "1 string id, 2 string state, 3 message events, 4 message health",
    "machine.ServiceEvent": "1 string msg, 2 string state, 3 message ts",
    "machine.ServiceHealth": "1 bool unknown, 2 bool healthy, 3 string last_message, 4 message last_change",
    "machine.ResetPartitionSpec": "1 string label, 2 bool wipe",
    "machine.ResetRequest": "1 bool graceful, 2 bool reboot, 3 message* system_partitions_to_wipe, "
    "4 string* user_disks_to_wipe, 5 enum mode",
    "machine.CopyRequest": "1 string root_path",
    "machine.ReadRequest": "1 string path",
    "machine.ListRequest": "1 string root, 2 bool recurse, 3 int32 recursion_depth, 4 enum* types",
    "machine.FileInfo": "1 message metadata, 2 string name, 3 int64 size, 4 uint32 mode, 5 int64 modified, "
    "6 bool is_dir, 7 string error, 8 string link, 9 string relative_name, 10 uint32 uid, 11 uint32 gid",
    "machine.MountStat": "1 string filesystem, 2 uint64 size, 3 uint64 available, 4 string mounted_on",
    "machine.LogsRequest": "1 string namespace, 2 string id, 3 enum driver, 4 bool follow, 5 int32 tail_lines",
    "machine.EventsRequest": "1 int32 tail_events, 2 string tail_id, 3 int32 tail_seconds, 4 string with_actor_id",
    "machine.Event": "1 message metadata, 2 message data, 3 string id, 4 string actor_id",
    "machine.SequenceEvent": "1 string sequence, 2 enum action, 3 message error",
    "time.Time": "1 message metadata, 2 string server, 3 message localtime, 4 message remotetime",
    "cosi.resource.GetRequest": "1 string namespace, 2 string type, 3 string id, 4 message options",
    "cosi.resource.Spec": "1 bytes proto_spec, 2 string yaml_spec",
    "cosi.resource.Resource": "1 message metadata, 2 message spec",
}

FILES: tuple[FileDescriptor, ...] = tuple(m.DESCRIPTOR for m in (common_pb2, machine_pb2, state_pb2, time_pb2))
MESSAGES = {message.full_name: message for file in FILES for message in file.message_types_by_name.values()}
TYPES = {
    getattr(FieldDescriptor, f"TYPE_{name.upper()}"): name
    for name in ("bool", "bytes", "enum", "int32", "int64", "message", "string", "uint32", "uint64")
}


def paths() -> Iterator[str]:
    for file in FILES:
        for service in file.services_by_name.values():
            yield from (f"/{service.full_name}/{method.name}" for method in service.methods)


def test_calls_are_those_of_the_table() -> None:
    """No more, so that nothing can be called by mistake, and no fewer."""
    assert set(paths()) == PATHS


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_fields_have_talos_numbers(name: str) -> None:
    """A wrong number reads garbage without an error."""
    fields = sorted(MESSAGES[name].fields, key=lambda field: field.number)

    told = ", ".join(f"{f.number} {TYPES[f.type]}{'*' if _is_repeated(f) else ''} {f.name}" for f in fields)

    assert told == FIELDS[name]


def test_names_stay_out_of_the_common_pool() -> None:
    """`machine` and `common` are names that anybody may register there."""
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("machine.EtcdStatus")


def _is_repeated(field: FieldDescriptor) -> bool:
    return field.label == FieldDescriptor.LABEL_REPEATED if hasattr(field, "label") else bool(field.is_repeated)
