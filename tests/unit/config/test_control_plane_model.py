"""What a `control_plane:` section may say, and which mistakes are named."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from etcd_dr.bootstrap.control_plane import ssh_settings, static_pod_settings, systemd_settings
from etcd_dr.config import Config, parse_config
from etcd_dr.config.control_plane_model import ControlPlaneSection
from etcd_dr.errors import ConfigError

NODES = [{"name": "cp1", "address": "10.0.0.4"}, {"name": "cp2"}]


def parsed(section: dict[str, Any]) -> ControlPlaneSection:
    cluster = {
        "name": "prod",
        "store": "s",
        "etcd": {"endpoints": ["https://a:2379"]},
        "control_plane": section,
    }
    document = {"clusters": [cluster], "stores": [{"name": "s", "directory": {"path": "/s"}}]}
    config: Config = parse_config(yaml.safe_dump(document), {}, subject="test")
    found = config.clusters[0].control_plane
    assert found is not None
    return found


def test_kubeadm_needs_nothing_but_its_nodes() -> None:
    """Everything else has kubeadm's own default."""
    section = parsed({"platform": "static-pod", "nodes": NODES})

    settings = static_pod_settings(section)

    assert settings.manifests_dir == "/etc/kubernetes/manifests"
    assert settings.kept("r1") == "/etc/kubernetes/etcd-dr-r1"
    assert settings.writers == ("kube-apiserver.yaml",)
    assert ssh_settings(section.ssh).sudo == "auto"


def test_everything_that_is_said_arrives() -> None:
    """Through the section to the adapter's settings."""
    ssh = {"user": "admin", "port": 2222, "identity_file": "/k", "options": ["ProxyJump=bastion"], "sudo": "always"}
    unit = {"unit": "etcd@main.service", "writers": [], "drop_ins": "/run/systemd/system", "state_dir": "/srv/x"}
    section = parsed({"platform": "systemd", "nodes": NODES, "ssh": ssh, "systemd": unit})

    login, units = ssh_settings(section.ssh), systemd_settings(section)

    assert (login.user, login.port, str(login.identity_file)) == ("admin", 2222, "/k")
    assert (login.options, login.sudo) == (("ProxyJump=bastion",), "always")
    assert (units.unit, units.writers) == ("etcd@main.service", ())
    assert (units.drop_ins, units.state_dir) == ("/run/systemd/system", "/srv/x")


@pytest.mark.parametrize(
    ("section", "word"),
    [
        ({"platform": "docker", "nodes": NODES}, "platform"),
        ({"platform": "systemd"}, "nodes are missing"),
        ({"platform": "local"}, "local.root"),
        ({"platform": "systemd", "nodes": [NODES[0], NODES[0]]}, "same name"),
        ({"platform": "systemd", "nodes": [{"name": "a", "address": "-oProxyCommand=x"}]}, "address"),
        ({"platform": "systemd", "nodes": [{"name": "../a"}]}, "name"),
        ({"platform": "static-pod", "nodes": NODES, "static_pod": {"manifest": "../x.yaml"}}, "manifests_dir"),
        ({"platform": "static-pod", "nodes": NODES, "static_pod": {"manifests_dir": "relative"}}, "manifests_dir"),
        ({"platform": "systemd", "nodes": NODES, "systemd": {"unit": "-x"}}, "unit"),
        ({"platform": "systemd", "nodes": NODES, "ssh": {"sudo": "maybe"}}, "sudo"),
        ({"platform": "systemd", "nodes": NODES, "ssh": {"user": "-l root"}}, "user"),
    ],
)
def test_mistakes_are_named(section: dict[str, Any], word: str) -> None:
    """Before any node is asked."""
    with pytest.raises(ConfigError) as raised:
        parsed(section)

    assert word in raised.value.message
