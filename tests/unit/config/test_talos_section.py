"""How Talos is named: in the file, on the command line, in talosctl's variable."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.bootstrap.talos_recovery import talos_limits
from etcd_dr.config import Overrides, parse_config, resolve_target
from etcd_dr.config.overrides import EtcdOverrides, TalosOverrides
from etcd_dr.errors import ConfigError
from etcd_dr.workflows.recovery.talos_driver import TalosLimits

STORE = "stores: [{name: main, directory: {path: /backups}}]"


def file(cluster: str) -> str:
    return f"clusters: [{{name: prod, store: main, {cluster}}}]\n{STORE}\n"


def test_cluster_needs_a_way_in() -> None:
    """etcd, or talos, or both."""
    with pytest.raises(ConfigError) as raised:
        parse_config(file("labels: {}"), {}, subject="etcd-dr.yaml")

    assert "give etcd, or talos" in str(raised.value) + str(raised.value.context)


def test_talos_alone_is_enough() -> None:
    """And is the platform of its snapshots."""
    config = parse_config(file("talos: {nodes: '10.0.0.2, 10.0.0.3'}"), {}, subject="etcd-dr.yaml")

    target = resolve_target(config, Overrides(), {"ETCDCTL_ENDPOINTS": "https://10.9.9.9:2379"})

    assert target.platform == "talos"
    assert target.etcd is None
    assert target.need_talos().nodes == ("10.0.0.2", "10.0.0.3")


def test_flags_come_over_the_file() -> None:
    """Field by field."""
    config = parse_config(file("talos: {context: prod, nodes: [10.0.0.2]}"), {}, subject="etcd-dr.yaml")

    target = resolve_target(config, Overrides(talos=TalosOverrides(nodes="10.0.0.9")), {})

    assert target.need_talos().nodes == ("10.0.0.9",)
    assert target.need_talos().context == "prod"


def test_flags_alone_are_enough() -> None:
    """etcdctl's environment does not redirect a command that names a talosconfig."""
    overrides = Overrides(talos=TalosOverrides(talosconfig="/talosconfig"))

    target = resolve_target(None, overrides, {"ETCDCTL_ENDPOINTS": "https://10.9.9.9:2379"})

    assert target.need_talos().config_file == Path("/talosconfig")
    assert target.etcd is None


def test_talosctl_s_variable_fills_an_empty_place() -> None:
    """As in a pod; an etcd that is named wins over it."""
    environment = {"TALOSCONFIG": "/talosconfig"}
    etcd = Overrides(etcd=EtcdOverrides(endpoints="https://10.0.0.2:2379"))

    assert resolve_target(None, Overrides(), environment).need_talos().config_file == Path("/talosconfig")
    assert resolve_target(None, etcd, environment).talos is None


def test_target_without_talos_says_how_to_name_it() -> None:
    """With the flag."""
    with pytest.raises(ConfigError) as raised:
        resolve_target(None, Overrides(), {}).need_talos()

    assert "--talosconfig" in raised.value.next_step


def test_recovery_is_as_patient_as_configured_and_never_hasty() -> None:
    """A slow link and a slow firmware have their time; a short timeout for health rounds does not cut a recovery."""
    slow = "talos: {nodes: 10.0.0.2, request_timeout: 40s, reboot_timeout: 1h}, snapshot: {stall_timeout: 3m}"
    hasty = "talos: {nodes: 10.0.0.2, request_timeout: 1s}"

    def limits(cluster: str) -> TalosLimits:
        return talos_limits(resolve_target(parse_config(file(cluster), {}, subject="etcd-dr.yaml"), Overrides(), {}))

    assert limits(slow) == TalosLimits(call_deadline=40, change_deadline=120, reboot_deadline=3600, stall_deadline=180)
    assert limits(hasty) == TalosLimits()
