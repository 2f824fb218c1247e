"""The types of resources that a node holds, and their definitions, by which `talosctl get machinetype` finds the type.

Names and aliases follow cosi-project/runtime: pkg/resource/meta/spec. Clients read a definition in its binary form,
which is declared here as far as it is used (api/v1alpha1/meta.proto).
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SENSITIVE = frozenset({"MachineConfigs.config.talos.dev"})
DEFINITIONS = "ResourceDefinitions.meta.cosi.dev"

NAMESPACES = {
    "MachineConfigs.config.talos.dev": "config",
    "MachineTypes.config.talos.dev": "config",
    "EtcdMembers.etcd.talos.dev": "etcd",
    "EtcdSpecs.etcd.talos.dev": "etcd",
    "Endpoints.kubernetes.talos.dev": "controlplane",
    "MachineStatuses.runtime.talos.dev": "runtime",
    "Members.cluster.talos.dev": "cluster",
    "Services.v1alpha1.talos.dev": "runtime",
    "StaticPods.kubernetes.talos.dev": "k8s",
    "StaticPodStatuses.kubernetes.talos.dev": "k8s",
    "TimeStatuses.v1alpha1.talos.dev": "runtime",
    "VolumeStatuses.block.talos.dev": "runtime",
    DEFINITIONS: "meta",
}
"""Every type, by its full name, and the namespace in which it is looked for."""

_OPTIONAL, _REPEATED = (
    descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL,
    descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED,
)


def _declare() -> type:
    file = descriptor_pb2.FileDescriptorProto(name="talos_double/definition.proto", syntax="proto3")
    message = file.message_type.add(name="Definition")
    fields = (
        ("resource_type", 1, _OPTIONAL),
        ("display_type", 2, _OPTIONAL),
        ("default_namespace", 3, _OPTIONAL),
        ("aliases", 4, _REPEATED),
        ("all_aliases", 5, _REPEATED),
    )
    for name, number, label in fields:
        message.field.add(name=name, number=number, label=label, type=descriptor_pb2.FieldDescriptorProto.TYPE_STRING)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Definition"))


_Definition = _declare()


def definition(kind: str) -> tuple[dict[str, object], bytes]:
    """Return the definition of a type, for YAML and in its binary form."""
    name, _, suffix = kind.partition(".")
    parts = suffix.split(".")
    singular = name[:-2] if name.endswith("uses") else name[:-1]
    aliases = [singular.lower()]
    names = [name.lower(), *(".".join([name.lower(), *parts[:length]]) for length in range(1, len(parts)))]
    spec: dict[str, object] = {
        "type": kind,
        "displayType": singular,
        "defaultNamespace": NAMESPACES[kind],
        "aliases": aliases,
        "allAliases": [*names, *aliases],
        "printColumns": [],
    }
    message = _Definition(
        resource_type=kind,
        display_type=singular,
        default_namespace=NAMESPACES[kind],
        aliases=aliases,
        all_aliases=[*names, *aliases],
    )
    return spec, message.SerializeToString()
