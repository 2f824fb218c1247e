"""etcd's settings from its command line and its environment, and what makes it join."""

from __future__ import annotations

import pytest

from etcd_dr.adapters.control_planes.flags import EtcdSettings, parse_flags


@pytest.mark.parametrize(
    "arguments",
    [["--name=m1", "--data-dir=/d"], ["--name", "m1", "--data-dir", "/d"], ["-name", "m1", "-data-dir=/d"]],
)
def test_flags_are_understood_however_they_are_written(arguments: list[str]) -> None:
    """One dash or two, with = or without."""
    assert parse_flags(arguments) == {"name": "m1", "data-dir": "/d"}


def test_flag_without_value_is_on_and_the_last_one_counts() -> None:
    """As Go's flag package has it."""
    assert parse_flags(["--client-cert-auth", "--name=a", "--name=b"]) == {"client-cert-auth": "true", "name": "b"}


def test_environment_counts_where_no_flag_is() -> None:
    """Debian's and many hand-made units set nothing on the command line."""
    settings = EtcdSettings(
        ["--name=m1"],
        {
            "ETCD_NAME": "other",
            "ETCD_DATA_DIR": "/var/lib/etcd/default",
            "ETCD_INITIAL_ADVERTISE_PEER_URLS": "https://a:2380, https://b:2380",
        },
    )

    launch = settings.launch()

    assert (launch.member_name, launch.data_dir) == ("m1", "/var/lib/etcd/default")
    assert launch.peer_urls == ("https://a:2380", "https://b:2380")


def test_defaults_are_etcds() -> None:
    """Without any setting."""
    launch = EtcdSettings([], {}).launch()

    assert (launch.member_name, launch.data_dir) == ("default", "default.etcd")
    assert launch.client_urls == ("http://localhost:2379",)


def test_joining_changes_a_setting_where_it_was_made() -> None:
    """etcd refuses to start when a flag and a variable say the same thing."""
    settings = EtcdSettings(["--initial-cluster=m1=https://a:2380"], {"ETCD_INITIAL_CLUSTER_STATE": "new"})

    how = settings.joining({"m1": ["https://a:2380"], "m2": ["https://b:2380", "https://c:2380"]})

    assert how.flags == ("--initial-cluster=m1=https://a:2380,m2=https://b:2380,m2=https://c:2380",)
    assert how.environment == {"ETCD_INITIAL_CLUSTER_STATE": "existing"}


@pytest.mark.parametrize("arguments", [["--config-file=/etc/etcd.yaml"], ["--config-file", "/etc/etcd.yaml"]])
def test_config_file_is_a_problem(arguments: list[str]) -> None:
    """Whatever is added then is ignored."""
    assert "/etc/etcd.yaml" in EtcdSettings(arguments, {}).problem
