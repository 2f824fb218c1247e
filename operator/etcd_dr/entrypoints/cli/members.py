"""`etcd-dr members`: what `etcdctl endpoint status --cluster` shows, and more."""

from __future__ import annotations

from etcd_dr.bootstrap.health import health_watch
from etcd_dr.bootstrap.members import check_members
from etcd_dr.domain.cluster import id_text
from etcd_dr.domain.health import HealthReport
from etcd_dr.domain.health_document import member_document
from etcd_dr.entrypoints.cli.member_rows import member_table, silences
from etcd_dr.entrypoints.cli.place import NAME_FOR_THE_FIRST
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.tables import draw
from etcd_dr.errors import NoUsableMember


def command(run: Run) -> int:
    """Show every member as it sees itself.

    Role, revision, size, how far it is behind, and when its certificates end; raft indexes and more with -o json.
    """
    target, shared = run.target(), run.surroundings(with_events=False)
    check_members(target, shared)
    report = health_watch(target, shared, cluster=target.name or NAME_FOR_THE_FIRST).round()
    run.answer(_document(report), table=lambda: _table(run, report))
    return 0 if any(member.answers for member in report.members) else NoUsableMember.exit_status


def _document(report: HealthReport) -> dict[str, object]:
    return {
        "cluster": report.cluster,
        "cluster_id": None if report.cluster_id is None else id_text(report.cluster_id),
        "members": [member_document(member) for member in report.members],
    }


def _table(run: Run, report: HealthReport) -> None:
    draw(run.screen, member_table(report.members, now=report.taken_at))
    for line in silences(report.members):
        run.screen.line(line)
