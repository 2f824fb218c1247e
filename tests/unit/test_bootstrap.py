"""The composition root: every configured value arrives where it acts."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.local_files import DirectoryScratch, MemoryScratch
from etcd_dr.adapters.stores.directory import DirectoryObjectStore
from etcd_dr.adapters.stores.s3 import S3ObjectStore
from etcd_dr.adapters.stores.settings import (
    ChainCredentials,
    CredentialsFile,
    KeyFiles,
    ObjectLock,
    SseCustomer,
    SseKms,
    SseS3,
)
from etcd_dr.bootstrap.envelope import make_decoder, make_encoder
from etcd_dr.bootstrap.etcd import etcd_access
from etcd_dr.bootstrap.health import probe_files
from etcd_dr.bootstrap.local_files import make_scratch
from etcd_dr.bootstrap.schedules import cron_schedule, retention_policy
from etcd_dr.bootstrap.snapshots import pipeline_ports, snapshot_limits, verify_ports
from etcd_dr.bootstrap.stores import layout_of, open_store, s3_settings
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.config.cluster_model import RetentionSection, ScheduleSection, SnapshotSection
from etcd_dr.config.etcd_model import EtcdSection
from etcd_dr.config.model import CompressionSection, EncryptionSection
from etcd_dr.config.store_model import S3Section, StoreSection
from etcd_dr.errors import ConfigError
from etcd_dr.workflows.guard_member import MemberGuard
from fakes.clock import CountingTokens, FakeClock
from fakes.events import RecordingEvents, RecordingProgress

RECIPIENT = "age1zz2gkz8jlxxk46fkmndsvzg2n3yv07668dytmh996k4lvd8a9ezqxj9tw2"


def surroundings() -> Surroundings:
    return Surroundings(
        clock=FakeClock(),
        tokens=CountingTokens(),
        events=RecordingEvents(),
        progress=RecordingProgress(),
        cancellation=CancellationSwitch(),
    )


def s3(**fields: object) -> S3Section:
    return S3Section.model_validate({"bucket": "backups", **fields})


def test_bucket_settings_arrive_at_the_adapter() -> None:
    """Field by field: a setting that is parsed and lost is worse than one that is refused."""
    settings = s3_settings(
        s3(
            endpoint="https://s3.example:9000",
            region="eu-1",
            path_style=False,
            ca_file="/pki/ca.crt",
            storage_class="STANDARD_IA",
            tags={"team": "a", "cost": "b"},
            checksums="md5",
            part_size_bytes=8 << 20,
            upload_threads=5,
            connect_timeout="2s",
            read_timeout="1m",
            attempts=7,
        ),
        prefix="etcd/prod",
    )

    assert (settings.bucket, settings.endpoint, settings.region) == ("backups", "https://s3.example:9000", "eu-1")
    assert settings.path_style is False
    assert settings.ca_bundle == Path("/pki/ca.crt")
    assert settings.storage_class == "STANDARD_IA"
    assert settings.tags == (("cost", "b"), ("team", "a"))
    assert settings.checksum == "md5"
    assert (settings.part_bytes, settings.upload_threads, settings.attempts) == (8 << 20, 5, 7)
    assert (settings.connect_timeout_seconds, settings.read_timeout_seconds) == (2.0, 60.0)
    assert settings.probe_below == "etcd/prod"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ChainCredentials()),
        ({"profile": "backup"}, ChainCredentials("backup")),
        ({"credentials_file": "/c"}, CredentialsFile(Path("/c"))),
        ({"credentials_file": "/c", "profile": "p"}, CredentialsFile(Path("/c"), "p")),
        ({"access_key_file": "/a", "secret_key_file": "/s"}, KeyFiles(Path("/a"), Path("/s"))),
        (
            {"access_key_file": "/a", "secret_key_file": "/s", "session_token_file": "/t"},
            KeyFiles(Path("/a"), Path("/s"), Path("/t")),
        ),
    ],
)
def test_credentials_come_from_where_they_are_configured(fields: dict[str, object], expected: object) -> None:
    """Files before the chain; the chain where nothing is said."""
    assert s3_settings(s3(**fields), prefix="").credentials == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"sse": "AES256"}, SseS3()),
        ({"sse": "aws:kms"}, SseKms(None)),
        ({"sse": "aws:kms", "sse_kms_key_id": "k"}, SseKms("k")),
        ({"sse": "customer", "sse_customer_key_file": "/k"}, SseCustomer(Path("/k"))),
    ],
)
def test_encryption_at_rest_is_as_configured(fields: dict[str, object], expected: object) -> None:
    """Each of the three kinds, or none."""
    assert s3_settings(s3(**fields), prefix="").encryption == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"object_lock_mode": "COMPLIANCE", "object_lock_for": "30d"}, ObjectLock("COMPLIANCE", 30)),
        ({"object_lock_legal_hold": True}, ObjectLock(legal_hold=True)),
        (
            {"object_lock_mode": "GOVERNANCE", "object_lock_for": "1d", "object_lock_legal_hold": True},
            ObjectLock("GOVERNANCE", 1, legal_hold=True),
        ),
    ],
)
def test_object_lock_is_as_configured(fields: dict[str, object], expected: object) -> None:
    """Retention, legal hold, both, or none."""
    assert s3_settings(s3(**fields), prefix="").object_lock == expected


def test_store_is_of_the_configured_kind(tmp_path: Path) -> None:
    """Opening makes no call yet."""
    directory = StoreSection.model_validate({"name": "a", "directory": {"path": tmp_path}, "prefix": "x/y"})
    bucket = StoreSection.model_validate({"name": "b", "s3": {"bucket": "backups", "region": "eu-1"}})

    assert isinstance(open_store(directory, surroundings()), DirectoryObjectStore)
    assert isinstance(open_store(bucket, surroundings()), S3ObjectStore)
    assert layout_of(directory, "prod").root == "x/y/v1/prod/"
    assert layout_of(bucket, "prod").root == "v1/prod/"


def test_etcd_settings_arrive_at_both_of_its_adapters() -> None:
    """gRPC and the HTTP probe trust and show the same files."""
    section = EtcdSection.model_validate(
        {
            "endpoints": "https://h:2379",
            "cacert": "/ca",
            "cert": "/c",
            "key": "/k",
            "server_name": "etcd",
            "username": "root",
            "password_file": "/p",
        }
    )

    access, probe = etcd_access(section), probe_files(section)

    assert access.endpoints == ("https://h:2379",)
    assert (access.ca_file, access.cert_file, access.key_file) == (Path("/ca"), Path("/c"), Path("/k"))
    assert (access.server_name, access.username, access.password_file) == ("etcd", "root", Path("/p"))
    assert (probe.ca_file, probe.cert_file, probe.key_file) == (Path("/ca"), Path("/c"), Path("/k"))
    assert probe.server_name == "etcd"


def test_envelope_is_as_configured(tmp_path: Path) -> None:
    """Compressed and encrypted by default, each switched off by saying so."""
    listed = tmp_path / "recipients"
    listed.write_text(f"# the safe\n{RECIPIENT}\n")
    clear = EncryptionSection(enabled=False, recipients=(RECIPIENT,))

    both = make_encoder(EncryptionSection(recipients_files=(listed,)), CompressionSection(level=3))
    neither = make_encoder(clear, CompressionSection(algorithm="none"))

    assert [(stage.name, stage.parameters) for stage in both.stages] == [
        ("zstd", {"level": 3}),
        ("age", {"recipients": (RECIPIENT,)}),
    ]
    assert neither.stages == ()
    assert not make_decoder(clear).has_identities


def test_limits_of_a_run_are_as_configured() -> None:
    """Durations become seconds; an unset total stays unset, so that it grows with the database."""
    said = SnapshotSection.model_validate(
        {"stall_timeout": "10s", "total_timeout": "1h", "attempts": 2, "hash_live_members": False, "hash_max_bytes": 5}
    )
    etcd = EtcdSection.model_validate({"endpoints": "http://h:1", "request_timeout": "7s"})

    limits = snapshot_limits(Target(etcd=etcd, snapshot=said))

    assert (limits.call_deadline, limits.stall_deadline, limits.total_deadline) == (7.0, 10.0, 3600.0)
    assert (limits.attempts, limits.hash_live_members, limits.hash_max_bytes) == (2, False, 5)
    assert snapshot_limits(Target()).total_deadline is None


def test_schedule_and_retention_are_as_configured() -> None:
    """Every rule of the file is a rule of the policy."""
    schedule = cron_schedule(
        ScheduleSection.model_validate({"cron": "@daily", "time_zone": "Europe/Berlin", "jitter": "5m"}), cluster="prod"
    )
    policy = retention_policy(
        RetentionSection.model_validate(
            {
                "keep_last": 1,
                "keep_hourly": 2,
                "keep_daily": 3,
                "keep_weekly": 4,
                "keep_monthly": 5,
                "keep_yearly": 6,
                "keep_within": "7d",
                "min_restore_points": 2,
                "time_zone": "Europe/Berlin",
            }
        )
    )

    assert (schedule.fields, schedule.time_zone, schedule.name) == ("0 0 * * *", "Europe/Berlin", "prod")
    assert schedule.jitter == timedelta(minutes=5)
    counts = (policy.keep_last, policy.keep_hourly, policy.keep_daily, policy.keep_weekly, policy.keep_monthly)
    assert counts == (1, 2, 3, 4, 5)
    assert (policy.keep_yearly, policy.keep_within, policy.min_restore_points) == (6, timedelta(days=7), 2)
    assert policy.time_zone == ZoneInfo("Europe/Berlin")
    assert retention_policy(RetentionSection()).is_empty


def test_scratch_is_where_it_was_configured(tmp_path: Path) -> None:
    """A directory, or memory where a container has no disk to use."""
    in_directory = make_scratch(Target(scratch_dir=tmp_path))
    in_memory = make_scratch(Target(scratch=False, scratch_memory_bytes=1 << 20))

    assert isinstance(in_directory, DirectoryScratch)
    assert in_directory.place == str(tmp_path)
    assert isinstance(in_memory, MemoryScratch)


def test_pipeline_refuses_to_begin_without_endpoints_or_recipients(tmp_path: Path) -> None:
    """Before anything is connected or written."""
    shared = surroundings()
    store = open_store(StoreSection.model_validate({"name": "a", "directory": {"path": tmp_path}}), shared)
    etcd = EtcdSection.model_validate({"endpoints": "http://h:1"})

    with pytest.raises(ConfigError, match="endpoints"):
        pipeline_ports(Target(), store, shared, guard=MemberGuard())
    with pytest.raises(ConfigError, match="recipient"):
        pipeline_ports(Target(etcd=etcd), store, shared, guard=MemberGuard())


def test_verification_does_without_members(tmp_path: Path) -> None:
    """With the bucket alone it goes as far as that allows."""
    shared = surroundings()
    store = open_store(StoreSection.model_validate({"name": "a", "directory": {"path": tmp_path}}), shared)

    assert verify_ports(Target(), store, shared).connector is None
    etcd = EtcdSection.model_validate({"endpoints": "http://h:1"})
    assert verify_ports(Target(etcd=etcd), store, shared).connector is not None
