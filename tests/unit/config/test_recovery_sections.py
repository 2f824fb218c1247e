"""What the configuration refuses of drills, companions and tools, and a kit's copy of one cluster's settings."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from etcd_dr.config import Target, parse_config, resolve_all
from etcd_dr.config.shareable import named_files, shareable_yaml
from etcd_dr.errors import ConfigError

CLUSTER: dict[str, Any] = {"name": "prod", "store": "main", "etcd": {"endpoints": ["https://10.0.0.1:2379"]}}


def target(cluster: dict[str, Any] | None = None, **top: Any) -> Target:
    document = {
        "stores": [{"name": "main", "s3": {"bucket": "backups", "secret_key_file": "/k/s", "access_key_file": "/k/a"}}],
        "encryption": {"recipients": ["age1x"], "identity_files": ["/k/id"]},
        "clusters": [{**CLUSTER, **(cluster or {})}],
        **top,
    }
    [only] = resolve_all(parse_config(yaml.safe_dump(document), {}, subject="test"))
    return only


@pytest.mark.parametrize(
    ("cluster", "top", "says"),
    [
        ({"companions": {"files": ["pki"]}}, {}, "absolute"),
        ({"companions": {"files": ["/etc/../root"]}}, {}, "absolute"),
        ({"companions": {"node_files": ["/etc/*"]}}, {}, "one file"),
        ({"companions": {"kubeadm": True}}, {}, "control_plane"),
        ({"companions": {"files": ["/etc/x"]}}, {"encryption": {"enabled": False}}, "private keys"),
        ({"drill": {"cron": "61 * * * *"}}, {}, "drill.cron"),
        ({"objectives": {"rto": "0s"}}, {}, "objectives.rto"),
        ({"objectives": {"rpo_share": 1.5}}, {}, "objectives.rpo_share"),
        ({"drill": {"objective": "15m"}}, {}, "as objectives.rto"),
        ({"tripwire": {"fall_percent": 0}}, {}, "tripwire.fall_percent"),
    ],
)
def test_mistake_is_told_when_the_file_is_read(cluster: dict[str, Any], top: dict[str, Any], says: str) -> None:
    """Not tonight, when the snapshot is due."""
    with pytest.raises(ConfigError, match=says):
        target(cluster, **top)


def test_kits_copy_means_the_same() -> None:
    """Durations, lists and paths are spelled so that they are read again as they were."""
    said = target(
        {
            "schedule": {"cron": "@hourly", "jitter": "90s"},
            "drill": {"max_age": "10d"},
            "objectives": {"rpo": "90m", "rto": "15m"},
            "tripwire": {"min_keys": 20, "ignore_prefixes": ["/registry/events/", "/tmp/"]},
            "companions": {"files": ["/etc/kubernetes/pki"], "kubeadm": True},
            "control_plane": {
                "platform": "static-pod",
                "nodes": [{"name": "cp1", "address": "10.0.0.1"}, {"name": "cp2"}],
                "ssh": {"user": "ops", "identity_file": "/k/ssh", "options": ["ProxyJump=bastion"]},
            },
            "health": {"thresholds": {"revision_lag": 5}},
        },
        tools={"directories": ["/opt/etcd"]},
    )

    [copy] = resolve_all(parse_config(shareable_yaml(said, cluster="prod"), {}, subject="kit"))

    assert copy == said


def test_named_files_are_those_that_must_be_brought() -> None:
    """With the key that names each; places that etcd-dr makes itself are none."""
    said = target({"etcd": {"endpoints": ["https://a:2379"], "cacert": "/k/ca", "cert": "/k/c", "key": "/k/key"}})

    assert {key: str(path) for key, path in named_files(said)} == {
        "store.s3.access_key_file": "/k/a",
        "store.s3.secret_key_file": "/k/s",
        "etcd.cacert": "/k/ca",
        "etcd.cert": "/k/c",
        "etcd.key": "/k/key",
        "encryption.identity_files": "/k/id",
    }


def test_kit_needs_a_way_to_the_cluster() -> None:
    """A store alone recovers nothing."""
    nobody = Target(name="prod", store=target().store)

    with pytest.raises(ConfigError, match="reached"):
        shareable_yaml(nobody, cluster="prod")
