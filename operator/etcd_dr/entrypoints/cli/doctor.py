"""`etcd-dr doctor`: what is wrong with a control plane, with the evidence and a command to paste."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated

import typer

from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Target
from etcd_dr.config.duration import parse_duration
from etcd_dr.config.talos_model import TalosSection
from etcd_dr.domain.answer import Failure
from etcd_dr.domain.doctor import EXPLANATIONS, DoctorReport, Explanation, diagnose
from etcd_dr.domain.doctor.hosts import HOST_EXPLANATIONS, diagnose_hosts
from etcd_dr.domain.doctor.report import doctor_document
from etcd_dr.domain.health_rules import CODES as HEALTH_CODES
from etcd_dr.domain.snapshot_facts import SnapshotFacts
from etcd_dr.entrypoints.cli.doctor_page import doctor_page, explanation_page
from etcd_dr.entrypoints.cli.place import NAME_FOR_THE_FIRST, open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.cli.tables import draw
from etcd_dr.errors import ConfigError, StoreError, UsageError
from etcd_dr.workflows.read_catalogue import read_catalogue

_TIMEOUT = timedelta(seconds=5)
_OF_HEALTH = Explanation(
    symptom="A finding of the health round that the doctor makes beside its look at the nodes.",
    checked="What the members themselves answer: etcd-dr health.",
    remedy="Its next step says what to do. Each code with its evidence and its remedy: etcd-dr docs health",
)


def command(
    run: Run,
    *,
    node: Annotated[
        list[str] | None, typer.Option("--node", metavar="NODE", help="Look at this node only; repeatable.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="TIME", help="Deadline for each node (5s), such as 3s.")
    ] = None,
    explain: Annotated[
        str | None, typer.Option("--explain", metavar="CODE", help="Say what a finding's code means, and end.")
    ] = None,
    snapshots: Annotated[
        bool, typer.Option("--snapshots/--no-snapshots", help="Judge the age and proofs of stored snapshots, too.")
    ] = True,
) -> int:
    """Find out what is wrong with a control plane, node by node.

    Talos is asked through its API, kubeadm's static pods and systemd's units over ssh. Answers within seconds, whatever hangs. Exit status 0 is ok, 1 warning, 2 critical, 3 unknown, as Nagios has it.
    """
    if explain is not None:
        return _explain(run, explain)
    target, deadline = _reachable(run.target()), _deadline(timeout)
    with stopped_by_signals() as switch:
        shared = run.surroundings(switch, with_events=False)
        begun = shared.clock.monotonic()
        stored = _stored(run, target, shared) if snapshots and target.store is not None else None
        look = _look_at_talos if target.talos is not None else _look_at_hosts
        report = look(target, shared, nodes=node or (), deadline=deadline, stored=stored)
        report = replace(report, seconds=shared.clock.monotonic() - begun)
    findings = (replace(each, next_step=run.paste.completed(each.next_step)) for each in report.findings)
    report = replace(report, findings=tuple(findings))
    run.answer(doctor_document(report), table=lambda: draw(run.screen, doctor_page(report)))
    return report.exit_status


def _look_at_talos(
    target: Target, shared: Surroundings, *, nodes: Sequence[str], deadline: float, stored: SnapshotFacts | None
) -> DoctorReport:
    from etcd_dr.bootstrap.doctor import look_at_talos  # noqa: PLC0415 - imports gRPC, which --explain needs not

    seen = look_at_talos(target, shared, nodes=nodes, deadline=deadline, stored=stored)
    return diagnose(seen, cluster=target.name or NAME_FOR_THE_FIRST)


def _look_at_hosts(
    target: Target, shared: Surroundings, *, nodes: Sequence[str], deadline: float, stored: SnapshotFacts | None
) -> DoctorReport:
    from etcd_dr.bootstrap.doctor import look_at_hosts  # noqa: PLC0415 - as above

    cluster = target.name or NAME_FOR_THE_FIRST
    seen, health = look_at_hosts(target, shared, cluster=cluster, nodes=nodes, deadline=deadline, stored=stored)
    return DoctorReport(cluster, seen, diagnose_hosts(seen, health=health), 0.0)


def _explain(run: Run, code: str) -> int:
    known_codes = {**dict.fromkeys(HEALTH_CODES, _OF_HEALTH), **HOST_EXPLANATIONS, **EXPLANATIONS}
    explanation = known_codes.get(code)
    if explanation is None:
        near = [known for known in known_codes if code.rpartition(".")[2] in known or known.startswith(code)]
        raise UsageError(
            "is not the code of a finding",
            subject=code[:80],
            next_step=f"Perhaps one of: {', '.join(near or known_codes)}",
        )
    document = {
        "code": code,
        "symptom": explanation.symptom,
        "checked": explanation.checked,
        "remedy": explanation.remedy,
    }
    run.answer(document, table=lambda: draw(run.screen, explanation_page(code, explanation)))
    return 0


def _reachable(target: Target) -> Target:
    """Return the target with a way to its nodes; where nothing is said, talosctl's usual places are looked at."""
    if target.talos is not None or target.control_plane is not None:
        return target
    if target.etcd is not None:
        raise ConfigError(
            "nothing says how the nodes are reached, and the doctor looks at nodes",
            next_step="Name them in a file given by --config: control_plane for ssh (etcd-dr docs control-planes), talos for "
            "Talos, or --talosconfig FILE. For etcd alone: etcd-dr health",
        )
    return replace(target, talos=TalosSection())


def _stored(run: Run, target: Target, shared: Surroundings) -> SnapshotFacts:
    """Read the catalogue; a store that fails is a fact too."""
    section = target.need_store()
    try:
        with open_place(run, shared) as place:
            catalogue = read_catalogue(place.store, place.layout)
            return SnapshotFacts.from_catalogue(catalogue, store=place.store.url(), interval=None)
    except (StoreError, UsageError) as error:
        return SnapshotFacts(store=section.name, failure=Failure.of(error))


def _deadline(text: str | None) -> float:
    if text is None:
        return _TIMEOUT.total_seconds()
    try:
        said = parse_duration(text).total_seconds()
    except ValueError as error:
        raise UsageError(str(error), subject="--timeout") from error
    if not 0 < said <= 600:
        raise UsageError("must be between 0 and 10 minutes", subject="--timeout")
    return said
