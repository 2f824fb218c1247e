"""The file and the environment: every mistake is named, no typo is passed over."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from etcd_dr.config import Config, load_config, parse_config
from etcd_dr.errors import ConfigError

WHOLE = """
clusters:
  - name: prod
    store: here
    etcd:
      endpoints: [https://10.0.0.1:2379, https://10.0.0.2:2379]
      cacert: /pki/ca.crt
    schedule: {cron: "@hourly", time_zone: Europe/Berlin, jitter: 2m}
    retention: {keep_last: 3, keep_daily: 7}
stores:
  - name: here
    prefix: /backups/
    directory: {path: /var/backups}
encryption: {recipients: [age1abc]}
"""


def parse(text: str, **environment: str) -> Config:
    return parse_config(text, environment, subject="etcd-dr.yaml")


def refused(text: str, **environment: str) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        parse(text, **environment)
    return raised.value


def test_whole_file_is_read_into_values() -> None:
    """Durations, zones, cron aliases and prefixes are parsed once, here."""
    config = parse(WHOLE)

    [cluster] = config.clusters
    assert cluster.schedule is not None
    assert cluster.schedule.cron == "0 * * * *"
    assert cluster.schedule.jitter == timedelta(minutes=2)
    assert cluster.retention.keep_daily == 7
    assert config.store("here").prefix == "backups"
    assert config.encryption.enabled


def test_empty_file_is_a_configuration_without_clusters() -> None:
    """Flags may say the rest."""
    assert parse("").clusters == ()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (WHOLE.replace("keep_daily", "keep_dayly"), "clusters.0.retention.keep_dayly: is not a known key"),
        (WHOLE.replace("retention:", "retension:"), "clusters.0.retension: is not a known key"),
        (WHOLE + "nonsense: 1\n", "nonsense: is not a known key"),
        (WHOLE.replace("2m}", "120}"), "clusters.0.schedule.jitter"),
        (WHOLE.replace("2m}", "soon}"), "clusters.0.schedule.jitter"),
        (WHOLE.replace("@hourly", "61 * * * *"), "clusters.0.schedule.cron"),
        (WHOLE.replace("@hourly", "0 0 31 2 *"), "clusters.0.schedule.cron"),
        (WHOLE.replace("@hourly", "* * * *"), "clusters.0.schedule.cron"),
        (WHOLE.replace("Europe/Berlin", "Europe/Atlantis"), "clusters.0.schedule.time_zone"),
        (WHOLE.replace("Europe/Berlin", "../../etc/passwd"), "clusters.0.schedule.time_zone"),
        (WHOLE.replace("name: prod", "name: Prod!"), "clusters.0.name"),
        (WHOLE.replace("name: prod", "name: a..b"), "clusters.0.name"),
        (WHOLE.replace("store: here", "store: there"), "store 'there' is not under stores (here)"),
        (WHOLE.replace("https://10.0.0.2:2379", "https://10.0.0.1:2379"), "an endpoint is listed twice"),
        (WHOLE.replace("https://10.0.0.2:2379", "10.0.0.2:2379"), "write it as https://host:port"),
        (WHOLE.replace("https://10.0.0.2:2379", "https://u:p@10.0.0.2:2379"), "must not hold credentials"),
        (WHOLE.replace("cacert: /pki/ca.crt", "cert: /pki/c.crt"), "cert and key go together"),
        (WHOLE.replace("cacert: /pki/ca.crt", 'cacert: ""'), "clusters.0.etcd.cacert"),
        (WHOLE.replace("cacert: /pki/ca.crt", "cacert: ~nobody-of-this-name/ca"), "clusters.0.etcd.cacert"),
        (WHOLE.replace("cacert: /pki/ca.crt", "password_file: /p"), "password_file is given without username"),
        (WHOLE.replace("directory: {path: /var/backups}", "{}"), ""),
        (WHOLE.replace("/backups/", "a/../b"), "stores.0.prefix"),
        (WHOLE.replace("keep_last: 3", "keep_last: -1"), "clusters.0.retention.keep_last"),
        (WHOLE.replace("encryption:", "encryption: []\nlog:"), "encryption"),
    ],
)
def test_every_mistake_is_named_with_its_place(text: str, place: str) -> None:
    """The message says where in the file the mistake is."""
    error = refused(text)

    assert place in error.message
    assert error.exit_status == 78


def test_all_mistakes_are_named_at_once() -> None:
    """Whoever repairs a file at night should not have to start it five times."""
    error = refused(WHOLE.replace("keep_daily", "keep_dayly").replace("2m}", "soon}"))

    assert "2 mistakes" in error.message
    assert "keep_dayly" in error.message
    assert "jitter" in error.message


def test_values_are_never_shown_in_a_complaint() -> None:
    """A secret in the wrong place is not repeated in a log."""
    error = refused(WHOLE + "secret_key: hunter2-in-clear\n")

    assert "hunter2" not in str(error)


@pytest.mark.parametrize(
    "text", ["a: [", "- 1", "just words", "a: !!python/object:os.system {}", "\0", "a: " + "[" * 5000]
)
def test_what_is_no_mapping_in_yaml_is_a_config_error(text: str) -> None:
    """Broken or hostile YAML ends in one clear line."""
    assert "\n" not in refused(text).message


def test_key_that_stands_twice_is_an_error() -> None:
    """YAML keeps the last of two equal keys without a word."""
    error = refused("log: {level: debug}\nencryption: {}\nlog: {level: info}\n")

    assert "'log' stands twice, the second time in line 3" in error.message


@pytest.mark.parametrize("section", ["clusters", "stores"])
def test_names_must_differ(section: str) -> None:
    """Two clusters or stores of one name cannot be told apart."""
    twin = {
        "clusters": WHOLE.replace("stores:", "  - {name: prod, store: here, etcd: {endpoints: [http://h:1]}}\nstores:"),
        "stores": WHOLE.replace("encryption:", "  - {name: here, directory: {path: /x}}\nencryption:"),
    }

    assert "name used twice" in refused(twin[section]).message


def test_environment_lies_over_the_file() -> None:
    """A field is named by its path; an entry of a list by its name or index."""
    config = parse(
        WHOLE,
        ETCD_DR_LOG__LEVEL="debug",
        ETCD_DR_CLUSTERS__PROD__ETCD__CACERT="/other/ca.crt",
        ETCD_DR_CLUSTERS__0__RETENTION__KEEP_LAST="9",
        ETCD_DR_ENCRYPTION__ENABLED="false",
        ETCD_DR_SCRATCH_DIR="/scratch",
    )

    assert config.log.level == "debug"
    assert config.clusters[0].etcd.cacert == Path("/other/ca.crt")
    assert config.clusters[0].retention.keep_last == 9
    assert not config.encryption.enabled
    assert config.scratch_dir == Path("/scratch")


def test_mistake_may_lie_in_the_environment_and_is_counted_once() -> None:
    """Nobody finds in the file what a variable of the pod has written over it."""
    error = refused(
        WHOLE,
        ETCD_DR_PAGE__ENABLED="true",
        ETCD_DR_PAGE__PROXY="{trusted_addresses: [nonsense]}",
    )

    assert "has a mistake: page.proxy.trusted_addresses.0" in error.message
    assert "ETCD_DR_PAGE__ENABLED, ETCD_DR_PAGE__PROXY" in error.next_step


@pytest.mark.parametrize(
    "name",
    ["ETCD_DR_LOGG__LEVEL", "ETCD_DR_CLUSTERS__STAGING__STORE", "ETCD_DR_CLUSTERS__7__STORE", "ETCD_DR_X"],
)
def test_environment_that_leads_nowhere_is_an_error(name: str) -> None:
    """A typo in a variable must not silently change nothing."""
    with pytest.raises(ConfigError) as raised:
        parse(WHOLE, **{name: "x"})

    assert raised.value.subject == name


@pytest.mark.parametrize(
    "name",
    [
        "ETCD_DR_SERVICE_HOST",
        "ETCD_DR_SERVICE_PORT_HTTP",
        "ETCD_DR_PORT",
        "ETCD_DR_PORT_9379_TCP_ADDR",
        "ETCD_DR_METRICS_SERVICE_HOST",
        "ETCD_DR_METRICS_PORT_80_TCP",
        "ETCD_DR_CONFIG",
        "ETCD_DR_STORE",
        "ETCD_DR_TOOLS_DIR",
        "ETCDCTL_ENDPOINTS",
    ],
)
def test_variables_of_others_are_left_alone(name: str) -> None:
    """Kubernetes sets some for a Service called etcd-dr; they are no typos of ours."""
    assert parse(WHOLE, **{name: "tcp://10.1.2.3:9379"}) == parse(WHOLE)


@pytest.mark.parametrize("kind", ["missing", "directory", "not utf-8", "too large"])
def test_file_that_cannot_be_read_says_why(tmp_path: Path, kind: str) -> None:
    """The error names the file and the reason."""
    path = tmp_path / "etcd-dr.yaml"
    if kind == "directory":
        path.mkdir()
    elif kind == "not utf-8":
        path.write_bytes(b"\xff\xfe\x00")
    elif kind == "too large":
        path.write_bytes(b"#" * (5 << 20))

    with pytest.raises(ConfigError) as raised:
        load_config(path, {})

    assert raised.value.subject == str(path)


def test_s3_fields_that_go_together_are_checked_together() -> None:
    """Half of a pair is a mistake, not a default."""
    for half in (
        "object_lock_mode: GOVERNANCE",
        "object_lock_for: 30d",
        "access_key_file: /k",
        "session_token_file: /t",
        "sse: customer",
        "sse_kms_key_id: abc",
        "object_lock_mode: GOVERNANCE, object_lock_for: 36h",
        "credentials_file: /c, access_key_file: /k, secret_key_file: /s",
        "endpoint: s3.example.com",
        "part_size_bytes: 1000",
    ):
        error = refused(f"stores: [{{name: s, s3: {{bucket: backups, {half}}}}}]")
        assert "stores.0.s3" in error.message, half


def test_unknown_threshold_is_named_in_the_file() -> None:
    """A rule's limit that does not exist would never fire."""
    text = WHOLE.replace("    retention:", "    health: {thresholds: {leader_changes_per_minute: 1}}\n    retention:")

    assert "leader_changes_per_minute" in refused(text).message
