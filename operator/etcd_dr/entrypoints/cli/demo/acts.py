"""The story, act by act. Each act shows what happened and raises ProofFailed when it was not what it promises."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import RenderableType
from rich.padding import Padding

from etcd_dr.bootstrap.health import health_watch
from etcd_dr.bootstrap.snapshots import pipeline_ports, snapshot_limits, verify_ports
from etcd_dr.bootstrap.stores import layout_of
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.health import HealthReport, Severity
from etcd_dr.domain.member_health import MemberHealth, MemberRole
from etcd_dr.domain.proof import ProofLevel
from etcd_dr.domain.quorum import QuorumVerdict
from etcd_dr.domain.selection import Latest, select
from etcd_dr.entrypoints.cli.demo.disaster import Disaster
from etcd_dr.entrypoints.cli.demo.promises import promise
from etcd_dr.entrypoints.cli.demo.stage import CLUSTER, Stage, open_nodes
from etcd_dr.entrypoints.cli.health_page import SEVERITY_STYLES, finding_block
from etcd_dr.entrypoints.cli.human import size
from etcd_dr.entrypoints.cli.member_rows import member_table
from etcd_dr.entrypoints.cli.recover.session import Session
from etcd_dr.entrypoints.cli.snapshot.rows import proven_word, result_word
from etcd_dr.entrypoints.cli.tables import Cell, draw, styled, table
from etcd_dr.entrypoints.cli.terminal import Screen
from etcd_dr.entrypoints.cli.who import whoami
from etcd_dr.ports.object_store import ObjectStore
from etcd_dr.workflows.compose_manifest import SnapshotOrder
from etcd_dr.workflows.guard_member import MemberGuard
from etcd_dr.workflows.read_catalogue import read_catalogue
from etcd_dr.workflows.take_snapshot import take_snapshot
from etcd_dr.workflows.verify_snapshot import VerifyOutcome, verify_snapshot

_KEYS = [f"/registry/configmaps/demo/settings-{number:04d}" for number in range(600)]

_LINE = 54
_LOOKS = 15


class Demo:
    """One performance. `screen` shows it; nothing is kept between two of them."""

    def __init__(self, stage: Stage, store: ObjectStore, surroundings: Surroundings, screen: Screen) -> None:
        self._stage = stage
        self._target = stage.target
        self._store = store
        self._layout = layout_of(stage.target.need_store(), CLUSTER)
        self._shared = surroundings
        self._screen = screen
        self._rounds = health_watch(stage.target, surroundings, cluster=CLUSTER)

    def perform(self) -> None:
        """Play all acts. Raises ProofFailed where one ends otherwise than promised, EtcdDrError where it cannot."""
        self._show_cluster()
        older, newer = self._take_two()
        self._prove(older, newer)
        self._flip_a_bit(newer, sound=older)
        victim = self._kill_a_member()
        self._recover(victim)

    def _recover(self, victim: str) -> None:
        with open_nodes(self._stage, self._shared) as nodes:
            session = Session(
                target=self._target,
                store=self._store,
                layout=self._layout,
                control_plane=nodes,
                surroundings=self._shared,
                state_dir=self._stage.directory / "state",
            )
            disaster = Disaster(self._stage, session, title=self._title, draw=self._draw)
            disaster.recover(disaster.lose_two_members(victim))
            disaster.drill()

    def _show_cluster(self) -> None:
        self._title("1", "Three members with mutual TLS, and what etcd-dr says of them")
        self._stage.write(_KEYS, value_bytes=1024)
        report = self._report_once(lambda report: report.severity is Severity.OK)
        self._draw(styled(report.summary, SEVERITY_STYLES[report.severity]))
        self._draw(member_table(report.members, now=report.taken_at))
        promise(report.severity is Severity.OK, f"a new cluster is healthy, but: {report.summary}")

    def _report_once(self, is_settled: Callable[[HealthReport], bool]) -> HealthReport:
        """Return the first settled report, or the last one: a busy machine is slow, and holds elections of its own."""
        report = self._rounds.round()
        for _ in range(_LOOKS - 1):
            if is_settled(report):
                break
            time.sleep(1)
            report = self._rounds.round()
        return report

    def _take_two(self) -> tuple[Snapshot, Snapshot]:
        self._title("2", "Two snapshots, compressed and encrypted, into a directory")
        older = self._take()
        self._stage.write(_KEYS[:200], value_bytes=512)
        self._stage.delete(_KEYS[-50:])
        newer = self._take()
        rows = [
            (
                str(snapshot.id),
                snapshot.manifest.database.revision,
                snapshot.manifest.database.live_keys,
                size(snapshot.manifest.database.size_bytes),
                size(snapshot.manifest.stored_size_bytes),
                proven_word(snapshot),
            )
            for snapshot in (older, newer)
        ]
        headings = ("SNAPSHOT", "REVISION", "KEYS", "DATABASE", "STORED", "PROVEN")
        self._draw(table(headings, rows, right=headings[1:5]))
        for snapshot in (older, newer):
            promise(snapshot.level is ProofLevel.CONSISTENT, f"{snapshot.id} is proven against the live members")
        return older, newer

    def _take(self) -> Snapshot:
        order = SnapshotOrder(layout=self._layout, reason="on-demand", taken_by=whoami())
        ports = pipeline_ports(self._target, self._store, self._shared, guard=MemberGuard())
        return take_snapshot(order, ports=ports, limits=snapshot_limits(self._target)).snapshot

    def _prove(self, *snapshots: Snapshot) -> None:
        self._title("3", "Each read back, decrypted, and compared with the live members")
        outcomes = [self._verify(snapshot) for snapshot in snapshots]
        self._draw(table(("SNAPSHOT", "STORED", "INTACT", "CONSISTENT"), map(_proof_row, outcomes)))
        self._line(outcomes[-1].proofs[-1].detail)
        for outcome in outcomes:
            passed = {proof.level for proof in outcome.proofs if proof.passed}
            promise(ProofLevel.CONSISTENT in passed, f"{outcome.snapshot.id} has the hash of the live members")

    def _flip_a_bit(self, victim: Snapshot, *, sound: Snapshot) -> None:
        self._title("4", "One bit flipped in a stored copy")
        data = self._stage.store / self._layout.data(victim.id)
        place = flip_a_bit(data)
        self._line(f"byte {place} of {data.stat().st_size}, snapshot {victim.id}")
        outcome = self._verify(victim)
        self._draw(table(("PROOF", "RESULT", "DETAIL"), _result_rows(outcome)))
        catalogue = read_catalogue(self._store, self._layout)
        chosen = select(catalogue, Latest(verified=True)).snapshot
        self._line(f"a recovery would use {chosen.id} now")
        promise(outcome.is_damaged, "the flipped bit is found")
        promise(chosen.id == sound.id, "the damaged copy is no longer the one to recover from")

    def _kill_a_member(self) -> str:
        followers = _followers(self._report_once(lambda report: len(_followers(report)) > 1))
        promise(bool(followers), "one of three members leads, and the others follow")
        victim = followers[0]
        self._title("5", f"Member {victim.label} killed")
        self._stage.cluster.member(victim.label).kill()
        report = self._report_once(lambda report: report.quorum.verdict is QuorumVerdict.HELD_WITHOUT_TOLERANCE)
        self._draw(styled(report.summary, SEVERITY_STYLES[report.severity]))
        for finding in report.findings:
            self._draw(finding_block(finding, folds_commands=True))
        _promise_verdict(report, victim.label)
        return victim.label

    def _verify(self, snapshot: Snapshot) -> VerifyOutcome:
        ports = verify_ports(self._target, self._store, self._shared)
        return verify_snapshot(
            snapshot,
            self._layout,
            up_to=ProofLevel.CONSISTENT,
            ports=ports,
            limits=snapshot_limits(self._target),
        )

    def _title(self, number: str, text: str) -> None:
        self._screen.line()
        draw(self._screen, styled(f"{number}  {text}", "strong"))

    def _line(self, text: str) -> None:
        self._draw(styled(text, "plain"))

    def _draw(self, *drawings: RenderableType) -> None:
        draw(self._screen, *(Padding(drawing, (0, 0, 0, 3)) for drawing in drawings))


def flip_a_bit(path: Path) -> int:
    """Flip the lowest bit of the byte in the middle of a file and return that byte's place."""
    place = path.stat().st_size // 2
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(place)
        [before] = file.read(1)
        file.seek(place)
        file.write(bytes([before ^ 1]))
    return place


def _followers(report: HealthReport) -> list[MemberHealth]:
    return [member for member in report.members if member.role is MemberRole.FOLLOWER]


def _proof_row(outcome: VerifyOutcome) -> tuple[Cell, ...]:
    results: dict[ProofLevel, Cell] = {proof.level: result_word(proof.result) for proof in outcome.proofs}
    levels = (ProofLevel.STORED, ProofLevel.INTACT, ProofLevel.CONSISTENT)
    return str(outcome.snapshot.id), *(results.get(level, "not made") for level in levels)


def _result_rows(outcome: VerifyOutcome) -> Iterator[tuple[Cell, ...]]:
    for proof in outcome.proofs:
        yield proof.level.value, result_word(proof.result), _short(proof.detail)
    for missing in outcome.not_made:
        yield missing.level.value, styled("not made", "doubtful"), missing.reason


def _short(detail: str) -> str:
    return detail if len(detail) <= _LINE else f"{detail[: _LINE - 3]}..."


def _promise_verdict(report: HealthReport, victim: str) -> None:
    verdict = report.quorum.verdict
    promise(
        verdict is QuorumVerdict.HELD_WITHOUT_TOLERANCE,
        f"quorum is held without tolerance, but the verdict is {verdict}",
    )
    promise(any(finding.member == victim for finding in report.findings), f"the report names {victim}")
