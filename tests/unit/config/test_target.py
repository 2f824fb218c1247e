"""What a command works on: flags over variables over the file, and etcdctl's environment only where no file speaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.config import Config, EtcdOverrides, Overrides, Target, parse_config, resolve_encryption, resolve_target
from etcd_dr.config.overrides import etcdctl_environment, parse_user
from etcd_dr.errors import ConfigError, UsageError

ONE = """
clusters:
  - {name: prod, store: here, etcd: {endpoints: [https://10.0.0.1:2379], cacert: /pki/ca.crt}, labels: {site: a}}
stores: [{name: here, directory: {path: /var/backups}}]
encryption: {recipients: [age1file], identity_files: [/keys/file]}
"""
TWO = ONE.replace("stores:", "  - {name: lab, store: here, etcd: {endpoints: [http://10.9.9.9:2379]}}\nstores:")


def config(text: str) -> Config:
    return parse_config(text, {}, subject="etcd-dr.yaml")


def test_only_cluster_of_the_file_needs_no_name() -> None:
    """With one cluster there is nothing to choose."""
    target = resolve_target(config(ONE), Overrides(), {})

    assert target.name == "prod"
    assert target.need_etcd().endpoints == ("https://10.0.0.1:2379",)
    assert target.labels == {"site": "a"}


def test_one_of_several_clusters_must_be_named() -> None:
    """No default: the wrong cluster is worse than a question."""
    with pytest.raises(UsageError, match="2 clusters: prod, lab"):
        resolve_target(config(TWO), Overrides(), {})

    assert resolve_target(config(TWO), Overrides(cluster="lab"), {}).name == "lab"
    assert resolve_target(config(TWO), Overrides(), {"ETCD_DR_CLUSTER": "lab"}).name == "lab"
    assert resolve_target(config(TWO), Overrides(cluster="prod"), {"ETCD_DR_CLUSTER": "lab"}).name == "prod"


def test_unknown_cluster_is_refused_unless_flags_describe_it() -> None:
    """A typo in --cluster is not a new cluster; with a store of its own it may be one of that store."""
    with pytest.raises(UsageError, match="is not in the configuration"):
        resolve_target(config(ONE), Overrides(cluster="prdo"), {})

    target = resolve_target(config(ONE), Overrides(cluster="gone", store="/mnt/rescue"), {})

    assert target.name == "gone"
    assert target.etcd is None


@pytest.mark.parametrize("name", ["Prod", "a/b", "..", "", "x" * 64])
def test_impossible_cluster_name_is_refused(name: str) -> None:
    """A name becomes a key in the store, so it is checked before anything else."""
    if name:
        with pytest.raises(UsageError, match="not a cluster name"):
            resolve_target(None, Overrides(cluster=name), {})
    else:
        assert resolve_target(None, Overrides(cluster=name), {}).name is None


def test_flags_lie_over_the_file_one_by_one() -> None:
    """What a flag does not say stays as the file has it."""
    overrides = Overrides(etcd=EtcdOverrides(endpoints="10.0.0.7:2379", cert="/c", key="/k"), store="/mnt/usb")

    target = resolve_target(config(ONE), overrides, {})

    assert target.need_etcd().endpoints == ("https://10.0.0.7:2379",)
    assert target.need_etcd().cacert == Path("/pki/ca.crt")
    assert target.need_etcd().cert == Path("/c")
    assert target.need_store().directory is not None


def test_environment_of_etcdctl_never_redirects_a_configured_cluster() -> None:
    """A shell that was used for another cluster must not change what the file describes."""
    environment = {"ETCDCTL_ENDPOINTS": "https://10.66.6.6:2379", "ETCDCTL_CACERT": "/other/ca.crt"}

    target = resolve_target(config(ONE), Overrides(), environment)

    assert target.need_etcd().endpoints == ("https://10.0.0.1:2379",)


def test_environment_of_etcdctl_is_enough_without_a_file() -> None:
    """Who has a working etcdctl has a working etcd-dr."""
    environment = {
        "ETCDCTL_ENDPOINTS": "10.0.0.1:2379,10.0.0.2:2379",
        "ETCDCTL_CACERT": "/pki/ca.crt",
        "ETCDCTL_CERT": "/pki/c.crt",
        "ETCDCTL_KEY": "/pki/c.key",
        "ETCDCTL_USER": "root:hunter2",
        "ETCD_DR_STORE": "/var/backups",
    }

    target = resolve_target(None, Overrides(), environment)

    assert target.need_etcd().endpoints == ("https://10.0.0.1:2379", "https://10.0.0.2:2379")
    assert target.need_etcd().username == "root"
    assert target.password == "hunter2"
    assert "hunter2" not in repr(target)
    assert target.need_store().directory is not None


def test_bare_endpoints_without_certificates_are_plain_http() -> None:
    """As etcdctl reads them."""
    target = resolve_target(None, Overrides(etcd=EtcdOverrides(endpoints="127.0.0.1:2379")), {})

    assert target.need_etcd().endpoints == ("http://127.0.0.1:2379",)


def test_what_is_missing_is_said_when_it_is_asked_for() -> None:
    """A command that needs no etcd does not ask for one."""
    target = resolve_target(None, Overrides(), {})

    with pytest.raises(ConfigError, match="no etcd endpoints") as etcd:
        target.need_etcd()
    with pytest.raises(ConfigError, match="no store") as store:
        target.need_store()

    assert "--endpoints" in etcd.value.next_step
    assert "--store" in store.value.next_step


@pytest.mark.parametrize(
    ("overrides", "environment", "kind"),
    [
        (Overrides(store="ftp://x"), {}, UsageError),
        (Overrides(), {"ETCD_DR_STORE": "ftp://x"}, ConfigError),
        (Overrides(etcd=EtcdOverrides(endpoints="nonsense:x:y")), {}, UsageError),
        (Overrides(), {"ETCDCTL_ENDPOINTS": "nonsense:x:y"}, ConfigError),
        (Overrides(etcd=EtcdOverrides(endpoints="h:1", cert="/c")), {}, UsageError),
        (Overrides(etcd=EtcdOverrides(endpoints=",")), {}, UsageError),
        (Overrides(), {"ETCDCTL_ENDPOINTS": "h:1", "ETCDCTL_PASSWORD": "x"}, ConfigError),
        (Overrides(no_encryption=True, recipients=("age1x",)), {}, UsageError),
    ],
)
def test_what_does_not_fit_is_blamed_on_whoever_said_it(
    overrides: Overrides, environment: dict[str, str], kind: type[Exception]
) -> None:
    """A flag is a usage error, a variable a configuration error."""
    with pytest.raises(kind):
        resolve_target(None, overrides, environment)


def test_recipients_of_the_command_line_replace_those_of_the_file() -> None:
    """Encrypting to somebody else as well would be a surprise; identities are only more keys to try."""
    overrides = Overrides(recipients=("age1flag",), identity_files=(Path("/keys/flag"),))

    encryption = resolve_encryption(config(ONE), overrides)

    assert encryption.recipients == ("age1flag",)
    assert encryption.identity_files == (Path("/keys/flag"),)


def test_identity_that_is_said_stands_beside_those_that_are_here(tmp_path: Path) -> None:
    """The break-glass machine has the key elsewhere; what the file names and is not there must not stop it."""
    here, gone, said = tmp_path / "here", tmp_path / "gone", tmp_path / "said"
    here.touch()
    text = ONE.replace("[/keys/file]", f"[{here}, {gone}]")

    assert resolve_encryption(config(text), Overrides()).identity_files == (here, gone)
    assert resolve_encryption(config(text), Overrides(identity_files=(said,))).identity_files == (here, said)


def test_encryption_without_recipients_is_refused_with_the_way_out() -> None:
    """Storing in clear must be said; it never happens by leaving something out."""
    with pytest.raises(ConfigError, match="no recipient") as raised:
        Target().need_recipients()

    assert "age-keygen" in raised.value.next_step
    assert "--no-encryption" in raised.value.next_step
    assert not resolve_encryption(None, Overrides(no_encryption=True)).enabled


def test_password_on_the_command_line_is_refused_without_repeating_it() -> None:
    """Every user of the machine can read it there."""
    with pytest.raises(UsageError) as raised:
        parse_user("root:hunter2")

    assert "hunter2" not in f"{raised.value} {raised.value.next_step} {raised.value.context}"
    assert parse_user("root") == "root"


def test_two_passwords_in_the_environment_are_a_contradiction() -> None:
    """Which one counts would be a guess."""
    with pytest.raises(ConfigError, match="ETCDCTL_USER"):
        etcdctl_environment({"ETCDCTL_USER": "root:a", "ETCDCTL_PASSWORD": "b"})
