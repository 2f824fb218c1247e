"""Bad input, one row each: a clear error, the right exit status, never a traceback.

What needs a living etcd (wrong CA, a foreign cluster, missing rights) is in tests/real/test_cli_bad_etcd.py, what needs
a living S3 server in tests/real/test_cli_s3.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.etcd_database import EtcdDatabase
from scenarios.command_line import CommandLine, Done

CONFIG = """
clusters: [{name: prod, store: here, etcd: {endpoints: ["http://127.0.0.1:1"]}}]
stores: [{name: here, directory: {path: %s}}]
encryption: {enabled: false}
"""

RECIPIENT = "age1zz2gkz8jlxxk46fkmndsvzg2n3yv07668dytmh996k4lvd8a9ezqxj9tw2"


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    database = EtcdDatabase.of_keys(50).to_bytes()
    (tmp_path / "etcd.db").write_bytes(database + hashlib.sha256(database).digest())
    (tmp_path / "text.db").write_text("not a database\n")
    (tmp_path / "empty.db").touch()
    (tmp_path / "odd.yaml").write_text("clusters: []\nretension: {}\n")
    (tmp_path / "not.yaml").write_text("a: [")
    (tmp_path / "good.yaml").write_text(CONFIG % (tmp_path / "store"))
    (tmp_path / "cron.yaml").write_text((CONFIG % "/x").replace("prod,", 'prod, schedule: {cron: "61 * * * *"},'))
    (tmp_path / "duration.yaml").write_text((CONFIG % "/x").replace("prod,", "prod, snapshot: {stall_timeout: 30},"))
    (tmp_path / "jitter.yaml").write_text(
        (CONFIG % "/x").replace("prod,", 'prod, schedule: {cron: "@hourly", jitter: 2h},')
    )
    (tmp_path / "empty.yaml").write_text((CONFIG % "/x").replace('["http://127.0.0.1:1"]', "[]"))
    (tmp_path / "lacks.yaml").write_text((CONFIG % "/x").replace("store: here, ", ""))
    (tmp_path / "key").write_text("this is no key\n")
    return CommandLine(tmp_path)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nothing listens, held so that nothing else takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def assert_is_clear(done: Done, *, status: int, says: str) -> None:
    assert done.status == status, done.err
    assert says.lower() in done.err.lower()
    assert done.err.splitlines()[0].startswith("error: ")
    assert "Traceback" not in done.err + done.out
    assert "this is a bug" not in done.err
    assert done.out == ""


CASES = [
    # the configuration file
    ("--config missing.yaml snapshot list", 78, "missing.yaml: cannot be read: No such file"),
    ("--config . snapshot list", 78, "is a directory"),
    ("--config odd.yaml snapshot list", 78, "retension: is not a known key"),
    ("--config not.yaml snapshot list", 78, "is not YAML"),
    ("--config etcd.db snapshot list", 78, "is not UTF-8"),
    ("--config cron.yaml snapshot list", 78, "schedule.cron"),
    ("--config duration.yaml snapshot list", 78, "has no unit"),
    ("--config jitter.yaml snapshot list", 78, "jitter of 2h is not shorter than the 1h between two runs"),
    ("--config empty.yaml snapshot list", 78, "needs at least 1 entry"),
    ("--config lacks.yaml snapshot list", 78, "is missing"),
    ("--config good.yaml --cluster lab snapshot list", 64, "cluster lab: is not in the configuration"),
    ("--config good.yaml --cluster ../.. snapshot list", 64, "is not a cluster name"),
    # the store
    ("snapshot list", 78, "no store is known"),
    ("snapshot list --store nowhere", 78, "the directory does not exist"),
    ("snapshot list --store etcd.db", 78, "etcd.db: is a file"),
    ("snapshot list --store ftp://host/x", 64, "knows no stores of kind 'ftp'"),
    ("snapshot list --store s3://", 64, "write a bucket as s3://bucket"),
    ("snapshot list --store s3://key:secret@bucket", 64, "must not hold credentials"),
    ("snapshot list --store s3://bucket?acl=public", 64, "unknown parameters: acl"),
    # selectors
    ("snapshot show --store store", 66, "there is no committed snapshot"),
    ("snapshot show nonsense! --store store", 64, "is no snapshot id"),
    ("snapshot show abc --store store", 64, "too short"),
    ("snapshot show 20260820T030000Z-0123456789ab --store store", 66, "no snapshot begins with"),
    ("snapshot show latest-verified --store store", 66, "there is no committed snapshot"),
    ("snapshot show --at yesterday --store store", 64, "is not a time"),
    ("snapshot show --at 2026-08-20T03:00:00Z --store store", 66, "no snapshot was taken"),
    ("snapshot show --revision -1 --store store", 64, "--revision"),
    ("snapshot show --revision 7 --store store", 66, "no snapshot has a revision"),
    ("snapshot show latest --revision 7 --store store", 64, "in two ways"),
    ("snapshot delete --yes --store store", 64, "no snapshot is named"),
    ("snapshot verify --all --store store", 66, "there is no committed snapshot"),
    ("snapshot verify --all latest --store store", 64, "--all"),
    ("snapshot verify --level certain --store store", 64, "--level"),
    ("snapshot fetch --store store --to x.db", 66, "there is no committed snapshot"),
    # retention
    ("snapshot prune --keep-within soon --store store", 64, "keep_within"),
    ("snapshot prune --keep-last -1 --store store", 64, "--keep-last"),
    # files
    ("snapshot status missing.db", 66, "missing.db: cannot be read"),
    ("snapshot status .", 66, "is a directory"),
    ("snapshot status text.db", 65, "text"),
    ("snapshot status empty.db", 65, "empty"),
    ("snapshot verify ./missing.db", 66, "cannot be read"),
    ("snapshot import missing.db --no-encryption --store store", 66, "cannot be read"),
    ("snapshot import text.db --no-encryption --store store", 65, "text"),
    ("snapshot import --no-encryption --store store", 64, "no file is named"),
    ("snapshot import etcd.db --label nonsense --no-encryption --store store", 64, "is not KEY=VALUE"),
    ("snapshot import etcd.db --taken-at 2099-01-01T00:00:00Z --no-encryption --store store", 64, "lies in the future"),
    ("snapshot import etcd.db --taken-at soon --no-encryption --store store", 64, "is not a time"),
    # keys
    ("snapshot import etcd.db --store store", 78, "no recipient to encrypt to"),
    ("snapshot import etcd.db --recipient age1nonsense --store store", 78, "not a recipient"),
    ("snapshot import etcd.db --recipients-file missing --store store", 66, "cannot be read"),
    ("snapshot import etcd.db --recipients-file key --store store", 78, "not a recipient"),
    (f"snapshot import etcd.db --recipient {RECIPIENT} --no-encryption --store store", 64, "contradicts"),
    ("snapshot status etcd.db --identity missing", 66, "missing: cannot be read"),
    ("snapshot status etcd.db --identity key", 78, "is not an identity"),
    # etcd
    ("snapshot save --no-encryption --store store", 78, "no etcd endpoints are known"),
    ("members", 78, "no etcd endpoints are known"),
    ("members --endpoints http://127.0.0.1", 64, "write it as https://host:port"),
    ("members --endpoints https://h:1 --cert key", 64, "cert and key go together"),
    ("members --endpoints https://127.0.0.1:1 --cacert missing", 78, "missing"),
    ("members --endpoints https://127.0.0.1:1 --cacert text.db", 78, "text.db"),
    ("members --endpoints https://127.0.0.1:1 --cert text.db --key key", 78, "text.db"),
    ("members --endpoints http://h:1 --user root:hunter2", 64, "can be read by every user"),
    ("members --endpoints http://h:1 --user root --password-file missing", 78, "missing"),
    ("snapshot save --endpoints http://h:1 --no-encryption store", 64, "is a directory"),
    ("snapshot save --endpoints http://h:1 --no-encryption etcd.db", 73, "exists already"),
    ("snapshot save --endpoints http://h:1 --no-encryption nowhere/x.db", 66, "cannot be written to"),
    ("snapshot save --endpoints http://h:1 --store nowhere --no-encryption", 78, "the directory does not exist"),
    # health is a Nagios plugin: 3, unknown
    ("health", 3, "no etcd endpoints are known"),
    ("health --config odd.yaml", 3, "is not a known key"),
    ("health --nonsense", 3, "no such option"),
    ("health --endpoints http://127.0.0.1:1 --watch --interval soon", 3, "is not a duration"),
    ("health --endpoints http://127.0.0.1:1 --watch --interval 0s", 3, "longer than 0s"),
    # the operator and the demo
    ("operator", 78, "no configuration file was found"),
    ("operator --config odd.yaml", 78, "is not a known key"),
    ("operator --config good.yaml --store store", 64, "is not for the operator"),
    ("demo --etcd-dir .", 69, "holds no etcd and etcdctl"),
    ("demo -o json", 64, "the demo is for people"),
]


@pytest.mark.parametrize(("words", "status", "says"), CASES, ids=[words for words, _, _ in CASES])
def test_bad_input_ends_in_one_clear_error(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, words: str, status: int, says: str
) -> None:
    """What is wrong, with which word, and the status of its kind."""
    monkeypatch.chdir(cli.directory)

    done = cli(*words.split())

    if words == "demo -o json":
        assert (done.status, done.error["code"]) == (status, "usage")
        return
    assert_is_clear(done, status=status, says=says)
    assert "hunter2" not in done.err


def test_unreachable_members_are_named_with_their_reasons(cli: CommandLine, closed_port: int) -> None:
    """A snapshot cannot be had; the error says of each endpoint why."""
    done = cli(
        *f"snapshot save --endpoints 127.0.0.1:{closed_port} --no-encryption --log-level error --store".split(),
        cli.store,
    )

    assert_is_clear(done, status=69, says="refused")
    assert "etcd-dr health" in done.err


def test_members_that_do_not_answer_are_an_answer(cli: CommandLine, closed_port: int) -> None:
    """`members` shows them and ends with 69; `health` says that it cannot tell and ends with 3."""
    members = cli("members", "--endpoints", f"127.0.0.1:{closed_port}")
    health = cli("health", "--endpoints", f"127.0.0.1:{closed_port}", "-o", "json")

    assert members.status == 69
    assert "connection refused" in members.out
    assert health.document["quorum"]["verdict"] == "cannot-tell"
    assert health.status == health.document["exit_status"]
    assert health.status in (2, 3)


def import_one(cli: CommandLine) -> Path:
    """Import a snapshot and return its folder."""
    done = cli("snapshot", "import", cli.directory / "etcd.db", "--no-encryption", "--store", cli.store, "-o", "json")
    found = done.document["imported"][0]["snapshot"]["id"]
    return cli.directory / "store" / "v1" / "default" / "snapshots" / found


def test_manifest_of_a_newer_version_is_named_and_left_alone(cli: CommandLine) -> None:
    """An older etcd-dr neither shows it as something it is not nor hides the others."""
    manifest = import_one(cli) / "manifest.json"
    document = json.loads(manifest.read_bytes())
    manifest.chmod(0o600)
    manifest.write_text(json.dumps({**document, "version": 2}))

    listed = cli("snapshot", "list", "--store", cli.store)
    shown = cli("snapshot", "show", manifest.parent.name, "--store", cli.store)

    assert listed.status == 0
    assert "has format version 2, this etcd-dr reads version 1" in listed.out
    assert_is_clear(shown, status=65, says="its manifest cannot be read")
    assert cli("snapshot", "verify", "--all", "--store", cli.store).status in (1, 65, 66)


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"version": "1"}', '{"version": 1}', "[" * 100_000])
def test_manifest_that_does_not_parse_is_reported(cli: CommandLine, body: str) -> None:
    """Whatever somebody put there."""
    manifest = import_one(cli) / "manifest.json"
    manifest.chmod(0o600)
    manifest.write_text(body)

    listed = cli("snapshot", "list", "--store", cli.store)

    assert listed.status == 0
    assert f"unreadable: {manifest.parent.name}" in listed.out


def test_names_from_a_foreign_store_cannot_rewrite_the_terminal(cli: CommandLine) -> None:
    """A folder may be called anything by whoever can write to the store."""
    hostile = cli.directory / "store" / "v1" / "default" / "snapshots" / "\x1b[2Jall is well"
    hostile.mkdir(parents=True)
    (hostile / "manifest.json").write_text("{}")

    done = cli("snapshot", "list", "--store", cli.store, "--cluster", "default")

    assert done.status == 0
    assert "\x1b" not in done.out + done.err


def test_foreign_files_in_the_store_are_no_clusters(cli: CommandLine) -> None:
    """A bucket that others use, too, shows nothing of theirs."""
    for name in ("v1/NOT A NAME/x", "v2/prod/x", "readme.txt", "v1/file"):
        path = cli.directory / "store" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")

    assert cli("snapshot", "list", "--store", cli.store, "-o", "json").document["cluster"] == "default"


def test_existing_file_is_not_replaced_unless_asked(cli: CommandLine) -> None:
    """Somebody's last copy may have that name."""
    import_one(cli)
    target = cli.directory / "mine.db"
    target.write_text("precious")

    refused = cli("snapshot", "fetch", "--to", target, "--store", cli.store)
    kept = target.read_text()
    done = cli("snapshot", "fetch", "--to", target, "--overwrite", "--store", cli.store)

    assert_is_clear(refused, status=73, says="exists")
    assert kept == "precious"
    assert done.status == 0


def without_privileges(*words: str, directory: Path) -> Done:
    """Call the command as a user whom file permissions concern: root gives up its right to pass them over."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() == 0 and setpriv is None:
        pytest.skip("root may read everything, and there is no setpriv to give that up")
    giving_up = [setpriv, "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 and setpriv else []
    done = subprocess.run(
        [*giving_up, sys.executable, "-m", "etcd_dr.entrypoints.cli", *words],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("locked", "words", "status"),
    [
        ("good.yaml", "--config good.yaml snapshot list", 78),
        ("etcd.db", "snapshot status etcd.db", 66),
        ("key", "snapshot status etcd.db --identity key", 66),
        ("store", "snapshot list --store store", 77),
    ],
)
def test_missing_rights_are_said(cli: CommandLine, locked: str, words: str, status: int) -> None:
    """With the file that they are missing for."""
    (cli.directory / locked).chmod(0)

    done = without_privileges(*words.split(), directory=cli.directory)

    (cli.directory / locked).chmod(0o700)
    assert_is_clear(done, status=status, says=locked)
