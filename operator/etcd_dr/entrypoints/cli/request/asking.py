"""`etcd-dr request snapshot` and `etcd-dr request drill`."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from etcd_dr.bootstrap.requests import personal_desk
from etcd_dr.domain.request import (
    NAMESPACE_PATTERN,
    DrillAnswer,
    Request,
    RequestKind,
    RequestPhase,
    SnapshotAnswer,
    Wish,
)
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.tables import draw, facts
from etcd_dr.entrypoints.cli.who import home_directory
from etcd_dr.errors import Busy, ProofFailed, RequestFailed, UsageError
from etcd_dr.workflows.await_request import await_request

Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", metavar="NAME", help="Where the operator is; else the context's.")
]
Kubeconfig = Annotated[
    str | None, typer.Option("--kubeconfig", metavar="FILE", help="How to reach the API [env: KUBECONFIG].")
]
KubeContext = Annotated[str | None, typer.Option("--kube-context", metavar="NAME", help="Context of that file.")]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="Name of the resource; else one is made up.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the answer.")]
Timeout = Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long to wait.")]


def snapshot(
    run: Run,
    *,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why; kept in the manifest.")] = "",
    pin: Annotated[bool, typer.Option("--pin", help="Keep it from retention until it is unpinned.")] = False,
    name: Name = "",
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    kube_context: KubeContext = None,
    wait: Wait = True,
    timeout: Timeout = 1800.0,
) -> int:
    """Ask the operator for a snapshot now.

    Creates an EtcdSnapshot; with this command called as kubectl-etcd_dr, `kubectl etcd-dr request snapshot` is the same.
    """
    wish = Wish(RequestKind.SNAPSHOT, _cluster(run), name, note=note, wants_pin=pin)
    return _ask(run, wish, (kubeconfig, kube_context, namespace), seconds=timeout if wait else 0.0)


def drill(
    run: Run,
    *,
    snapshot: Annotated[
        str, typer.Option("--snapshot", metavar="ID", help="An id, latest-verified, or fresh; else as it can be.")
    ] = "",
    name: Name = "",
    namespace: Namespace = None,
    kubeconfig: Kubeconfig = None,
    kube_context: KubeContext = None,
    wait: Wait = True,
    timeout: Timeout = 3600.0,
) -> int:
    """Ask the operator to rehearse a recovery now.

    Creates an EtcdDrill. Unless a snapshot is named, the newest proven one is drilled where the operator can open it,
    and else one that is taken for it.
    """
    wish = Wish(RequestKind.DRILL, _cluster(run), name, selector=snapshot)
    return _ask(run, wish, (kubeconfig, kube_context, namespace), seconds=timeout if wait else 0.0)


def _cluster(run: Run) -> str:
    """Return the cluster that is named, or the only one of the configuration."""
    named = run.options.cluster or run.environment.get("ETCD_DR_CLUSTER")
    if named:
        return named
    config = run.config()
    names = [each.name for each in config.clusters] if config is not None else []
    if len(names) != 1:
        raise UsageError(
            "which cluster is meant is not said",
            subject="--cluster",
            next_step="Name it as the operator's configuration does: --cluster NAME",
        )
    return names[0]


def _ask(run: Run, wish: Wish, place: tuple[str | None, str | None, str | None], *, seconds: float) -> int:
    kubeconfig, context, namespace = place
    if namespace is not None and not re.match(NAMESPACE_PATTERN, namespace):
        raise UsageError(f"{namespace!r} is not the name of a namespace", subject="--namespace")
    named = kubeconfig or run.environment.get("KUBECONFIG")
    file = Path(named) if named else home_directory(instead="Name a file: --kubeconfig FILE") / ".kube" / "config"
    surroundings = run.surroundings()
    with closing(personal_desk(file, context, namespace, surroundings)) as desk:
        left = desk.leave(wish)
        run.note(f"created {left.kind} {left.name}")
        answered = await_request(
            left,
            desk=desk,
            clock=surroundings.clock,
            seconds=seconds,
            on_news=lambda request: run.note(_news(request)),
        )
    run.answer(_document(answered), table=lambda: _table(run, answered))
    return _status(answered, waited=seconds > 0)


def _news(request: Request) -> str:
    return f"{request.name}: {request.phase.value if request.phase else 'waits for an operator'}"


def _status(request: Request, *, waited: bool) -> int:
    """Return the exit status, or raise what the operator said."""
    if request.failure is not None:
        raise RequestFailed(
            request.failure.message,
            subject=f"{request.kind} {request.name}",
            next_step=request.failure.next_step,
            context={"code": request.failure.code, "phase": request.phase.value if request.phase else ""},
        )
    if request.phase is not RequestPhase.COMPLETED:
        if waited:
            raise Busy(
                "is not answered yet",
                subject=f"{request.kind} {request.name}",
                next_step=f"See whether an operator has it: kubectl describe {request.kind.value.lower()} {request.name}",
            )
        return 0
    answer = request.answer
    is_good = answer is not None and (
        answer.result == "passed" if isinstance(answer, DrillAnswer) else answer.proven not in ("no", "damaged")
    )
    return 0 if is_good else ProofFailed.exit_status


def _document(request: Request) -> dict[str, Any]:
    answer = request.answer
    return {
        "kind": request.kind.value,
        "name": request.name,
        "uid": request.uid,
        "cluster": request.cluster,
        "phase": request.phase.value if request.phase else None,
        "claimed_by": request.claimed_by or None,
        "started_at": _time(request.started_at),
        "finished_at": _time(request.finished_at),
        "snapshot": _snapshot_document(answer) if isinstance(answer, SnapshotAnswer) else None,
        "drill": _drill_document(answer) if isinstance(answer, DrillAnswer) else None,
    }


def _snapshot_document(answer: SnapshotAnswer) -> dict[str, Any]:
    return {
        "id": answer.snapshot_id,
        "taken_at": _time(answer.taken_at),
        "revision": answer.revision,
        "size_bytes": answer.size_bytes,
        "stored_bytes": answer.stored_bytes,
        "store": answer.store,
        "proven": answer.proven,
        "is_pinned": answer.is_pinned,
    }


def _drill_document(answer: DrillAnswer) -> dict[str, Any]:
    return {
        "snapshot_id": answer.snapshot_id,
        "result": answer.result,
        "rto_seconds": answer.rto_seconds,
        "objective_seconds": answer.objective_seconds,
        "checks": [{"name": each.name, "result": each.result, "detail": each.detail} for each in answer.checks],
    }


def _table(run: Run, request: Request) -> None:
    document = _document(request)
    said = document["snapshot"] or document["drill"] or {}
    rows = {key: value for key, value in {**document, **said}.items() if key not in ("snapshot", "drill", "checks")}
    draw(run.screen, facts((key.replace("_", " "), value) for key, value in rows.items() if value is not None))


def _time(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else None
