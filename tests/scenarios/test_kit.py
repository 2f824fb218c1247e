"""The break-glass kit: what it holds and does not hold, and what its check finds out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from etcd_dr.adapters.local_files import PartFiles
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.domain.kit import KitCheck, KitFacts, KitFile, KitResult, worst
from etcd_dr.domain.kit_page import recovery_page
from etcd_dr.domain.manifest import TopologyMember
from etcd_dr.errors import NodeUnreachable, StoreUnreachable, UsageError
from etcd_dr.workflows.check_kit import KitLimits, KitPorts, check_files, check_kit
from etcd_dr.workflows.make_kit import make_kit
from fakes.clock import MORNING
from fakes.codec import FakeDecoder
from fakes.control_plane import FakeControlPlane
from fakes.etcd_database import EtcdDatabase
from fakes.restorer import FakeRestorer
from fakes.throwaway_member import FakeMemberHost
from scenarios.command_line import CommandLine
from scenarios.documented_json import differences, examples
from scenarios.snapshot_world import SnapshotWorld


class KitWorld:
    """A store with one proven snapshot, a kit of it, and everything that a check talks to."""

    def __init__(self, directory: Path) -> None:
        self.world = SnapshotWorld(directory, keys=50)
        self.snapshot = self.world.take().snapshot
        self.directory = directory / "kit"
        self.restorer, self.host = FakeRestorer(), FakeMemberHost()
        self.plane = FakeControlPlane.of("cp1", "cp2")
        make_kit(self.facts(), "clusters: []\n", self.directory, sink=PartFiles())

    def facts(self) -> KitFacts:
        return KitFacts(
            cluster="prod",
            store_url="s3://bucket/backups/v1/prod/",
            made_at=MORNING,
            made_by="test",
            tool_version="1.0",
            recipients=("age1alice",),
            is_encrypted=True,
            files=(KitFile("etcd.key", "/etc/etcd-dr/client.key"),),
            server_version="3.5.30",
            snapshot_id=str(self.snapshot.id),
            topology=self.snapshot.manifest.topology,
        )

    def check(self, *, with_nodes: bool = True, limits: KitLimits | None = None) -> dict[str, KitCheck]:
        ports = KitPorts(
            store=self.world.store,
            decoder=lambda: self.world.decoder,
            restorer=self.restorer,
            host=self.host,
            clock=self.world.clock,
            cancellation=self.world.cancellation,
            open_plane=(lambda: self.plane) if with_nodes else None,
        )
        return {each.name: each for each in check_kit(self.directory, self.world.layout, ports=ports, limits=limits)}


@pytest.fixture
def kits(tmp_path: Path) -> KitWorld:
    return KitWorld(tmp_path)


def test_whole_kit_passes_but_for_the_drill_that_nobody_made(kits: KitWorld) -> None:
    """Everything a recovery would ask for answers."""
    found = kits.check()

    assert {name for name, check in found.items() if check.result is not KitResult.PASSED} == {"drill"}
    assert {"store", "key", "restore tool", "etcd for drills", "members", "node cp1", "node cp2"} < set(found)


@pytest.mark.parametrize(
    ("bend", "name", "result"),
    [
        (lambda k: k.world.store.fail("list", StoreUnreachable("no route"), times=9), "store", KitResult.FAILED),
        (lambda k: setattr(k.world, "decoder", FakeDecoder()), "key", KitResult.FAILED),
        (lambda k: setattr(k.world, "decoder", FakeDecoder(identities=("bob",))), "key", KitResult.FAILED),
        (lambda k: setattr(k.restorer, "versions", [EtcdVersion(3, 6, 1)]), "restore tool", KitResult.FAILED),
        (lambda k: setattr(k.host, "versions", []), "etcd for drills", KitResult.WARNING),
        (lambda k: k.world.clock.advance(86_401), "snapshot age", KitResult.WARNING),
        (lambda k: k.plane.node("cp2").deny(), "node cp2", KitResult.FAILED),
    ],
    ids=["store", "no key", "wrong key", "tool", "etcd", "age", "node"],
)
def test_each_lack_is_found_with_what_to_do(
    kits: KitWorld, bend: Callable[[KitWorld], object], name: str, result: KitResult
) -> None:
    """One answer hides no other: the tools are asked for even without a store."""
    bend(kits)

    found = kits.check()

    assert found[name].result is result
    assert "restore tool" in found


def test_schedule_says_what_is_too_old(kits: KitWorld) -> None:
    """An hourly schedule and a snapshot of five hours do not go together."""
    kits.world.clock.advance(5 * 3600)

    assert kits.check()["snapshot age"].result is KitResult.PASSED
    found = kits.check(limits=KitLimits(snapshot_age=timedelta(hours=2)))
    assert found["snapshot age"].result is KitResult.WARNING


def test_no_way_to_the_nodes_is_a_warning(kits: KitWorld) -> None:
    """A person can still do what a plan says."""
    assert kits.check(with_nodes=False)["nodes"].result is KitResult.WARNING


def test_members_that_changed_since_make_the_page_old(kits: KitWorld) -> None:
    """Its commands name peer URLs."""
    facts = json.loads((kits.directory / "kit.json").read_text())
    facts["peer_urls"] = ["https://old:2380"]
    (kits.directory / "kit.json").write_text(json.dumps(facts))

    assert kits.check()["members"].result is KitResult.WARNING


def test_checking_changes_nothing_in_the_store(kits: KitWorld) -> None:
    """It may be run with a credential that only reads."""
    before = {stored.key: stored.size_bytes for stored in kits.world.store.list("")}

    kits.check()

    assert {stored.key: stored.size_bytes for stored in kits.world.store.list("")} == before


def test_sums_are_those_that_sha256sum_reads(kits: KitWorld) -> None:
    """And a change of a file is told."""
    lines = (kits.directory / "SHA256SUMS").read_text().splitlines()
    assert {line.split("  ")[1]: line.split("  ")[0] for line in lines} == {
        name: hashlib.sha256((kits.directory / name).read_bytes()).hexdigest()
        for name in ("etcd-dr.yaml", "RECOVER.md", "kit.json")
    }

    untouched = next(check_files(kits.directory, ()))
    (kits.directory / "etcd-dr.yaml").write_text("clusters: [] # changed")
    changed = next(check_files(kits.directory, ()))

    assert (untouched.result, changed.result) == (KitResult.PASSED, KitResult.WARNING)


def test_named_file_that_is_not_there_fails(kits: KitWorld, tmp_path: Path) -> None:
    """A kit on another machine usually lacks the client's key."""
    _, files = check_files(kits.directory, (("etcd.key", tmp_path / "gone.key"),))

    assert files.result is KitResult.FAILED
    assert "gone.key (etcd.key)" in files.detail


def test_kit_is_never_made_over_something(kits: KitWorld) -> None:
    """Not even over an older kit."""
    with pytest.raises(UsageError):
        make_kit(kits.facts(), "", kits.directory, sink=PartFiles())


def test_page_quotes_what_came_from_a_bucket(kits: KitWorld) -> None:
    """People paste its commands as root."""
    hostile = TopologyMember(id="1", name="m1'; rm -rf /;'\n", peer_urls=("https://a",), client_urls=("|`x`",))
    page = recovery_page(KitFacts(**{**_fields(kits.facts()), "topology": (hostile,)}))

    assert "--name 'm1'\\''; rm -rf /;'\\'''" in page
    assert "rm -rf /;\n" not in page


def _fields(facts: KitFacts) -> dict[str, object]:
    return {name: getattr(facts, name) for name in KitFacts.__dataclass_fields__}


def test_page_for_an_old_etcd_has_its_own_commands(kits: KitWorld) -> None:
    """3.4 has no etcdutl, and 3.4.23 cannot raise the revision."""
    page = recovery_page(KitFacts(**{**_fields(kits.facts()), "server_version": "3.4.23"}))

    assert "ETCDCTL_API=3 etcdctl snapshot restore" in page
    assert "--bump-revision" not in page


def test_worst_answer_decides() -> None:
    """Failed before warning before passed; what was left out decides nothing."""
    answers = [KitCheck("a", result, "") for result in (KitResult.PASSED, KitResult.LEFT_OUT)]

    assert worst(answers) is KitResult.PASSED
    assert worst([*answers, KitCheck("b", KitResult.WARNING, "")]) is KitResult.WARNING
    assert worst([KitCheck("b", KitResult.FAILED, ""), KitCheck("c", KitResult.WARNING, "")]) is KitResult.FAILED


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    database = EtcdDatabase.of_keys(30).to_bytes()
    (tmp_path / "etcd.db").write_bytes(database + hashlib.sha256(database).digest())
    (tmp_path / "store").mkdir()
    (tmp_path / "password").write_text("very secret")
    (tmp_path / "etcd-dr.yaml").write_text(
        f"""
stores: [{{name: main, directory: {{path: {tmp_path}/store}}}}]
encryption: {{enabled: false}}
clusters:
  - name: prod
    store: main
    etcd:
      endpoints: ["https://10.0.0.1:2379"]
      username: root
      password_file: {tmp_path}/password
    schedule: {{cron: "@hourly"}}
    objectives: {{rto: 15m}}
"""
    )
    cli = CommandLine(tmp_path, {"PATH": ""})
    done = cli("snapshot", "import", tmp_path / "etcd.db")
    assert done.status == 0, done.err
    return cli


def test_command_makes_a_kit_whose_configuration_is_the_clusters(cli: CommandLine, tmp_path: Path) -> None:
    """The kit's own configuration makes the same kit again, and holds names of secret files only."""
    made = cli("kit", "create", tmp_path / "kit", "-o", "json")
    again = cli("--config", tmp_path / "kit" / "etcd-dr.yaml", "kit", "create", tmp_path / "kit2", "-o", "json")

    assert made.status == again.status == 0, made.err + again.err
    assert (tmp_path / "kit" / "etcd-dr.yaml").read_text() == (tmp_path / "kit2" / "etcd-dr.yaml").read_text()
    assert made.document["needed"] == [{"setting": "etcd.password_file", "path": str(tmp_path / "password")}]
    assert "very secret" not in "".join(path.read_text() for path in (tmp_path / "kit").iterdir())


def test_answers_have_the_documented_keys(cli: CommandLine, tmp_path: Path) -> None:
    """Programs are written against docs/json-output.md."""
    made = cli("kit", "create", tmp_path / "kit", "-o", "json").document
    checked = cli("kit", "check", tmp_path / "kit", "-o", "json").document

    assert list(differences(examples()["kit create"], made)) == []
    assert list(differences(examples()["kit check"], checked)) == []


def test_command_ends_with_the_worst_answer(cli: CommandLine, tmp_path: Path) -> None:
    """0, 1 or 2; here no etcdutl is at hand."""
    assert cli("kit", "create", tmp_path / "kit").status == 0

    done = cli("kit", "check", tmp_path / "kit", "-o", "json")
    table = cli("kit", "check", tmp_path / "kit")

    results = {check["name"]: check["result"] for check in done.document["checks"]}
    assert (done.status, table.status) == (2, 2)
    assert results["restore tool"] == "failed"
    assert results["store"] == results["key"] == results["files"] == "passed"
    assert "next (restore tool): Get the newest" in table.out


def test_broken_configuration_is_an_answer(cli: CommandLine, tmp_path: Path) -> None:
    """Whoever tests a kit wants a table, not an error."""
    assert cli("kit", "create", tmp_path / "kit").status == 0
    (tmp_path / "kit" / "etcd-dr.yaml").write_text("clusters: [}")

    done = cli("kit", "check", tmp_path / "kit", "-o", "json")

    results = {check["name"]: check["result"] for check in done.document["checks"]}
    assert done.status == 2
    assert results["configuration"] == "failed"


def test_node_that_vanishes_is_told(kits: KitWorld) -> None:
    """The others are asked all the same."""
    kits.plane.node("cp1").vanish("look")

    found = kits.check()

    assert found["node cp1"].result is KitResult.FAILED
    assert NodeUnreachable.__name__ not in found["node cp1"].detail
    assert found["node cp2"].result is KitResult.PASSED
