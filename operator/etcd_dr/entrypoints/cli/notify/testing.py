"""`etcd-dr notify test`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from etcd_dr.bootstrap.notifications import open_notifier
from etcd_dr.config.notification_model import NotificationSection
from etcd_dr.domain.notifications.message import Notification
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.cli.tables import Cell, draw, table
from etcd_dr.errors import Cancelled, ConfigError, EtcdDrError, UsageError
from etcd_dr.ports.notifier import Notifier

_EVERYBODY = "all receivers"


def command(
    run: Run,
    *,
    receivers: Annotated[
        list[str] | None, typer.Argument(metavar="[RECEIVER]...", help="Names of receivers; none: all of them.")
    ] = None,
) -> int:
    """Send a test message to the receivers of the configuration, and say what became of it.

    Ends with the status of the first one that did not take it.
    """
    chosen = _chosen(run, receivers or [])
    with stopped_by_signals() as switch:
        now = run.surroundings(switch).clock.now()
        outcomes = [(section, _try(open_notifier(section, switch), now)) for section in chosen]
    run.answer({"receivers": [_document(*outcome) for outcome in outcomes]}, table=lambda: _table(run, outcomes))
    return next((error.exit_status for _, error in outcomes if error is not None), 0)


Outcome = tuple[NotificationSection, EtcdDrError | None]


def _chosen(run: Run, names: list[str]) -> list[NotificationSection]:
    config = run.config()
    known = {section.name: section for section in config.notifications} if config is not None else {}
    if not known:
        raise ConfigError(
            "names nobody who would get messages",
            subject="notifications",
            next_step="Describe a receiver. Every key: etcd-dr docs notifications",
        )
    if unknown := [name for name in names if name not in known]:
        raise UsageError(
            f"there is no receiver {unknown[0]!r}",
            next_step=f"Name one of: {', '.join(known)}; or none, for all of them: etcd-dr notify test",
        )
    return [known[name] for name in dict.fromkeys(names or known)]


def _try(notifier: Notifier, now: datetime) -> EtcdDrError | None:
    try:
        notifier.deliver(Notification(cluster=_EVERYBODY, at=now, items=(), is_test=True))
    except Cancelled:
        raise
    except EtcdDrError as error:
        return error
    return None


def _document(section: NotificationSection, error: EtcdDrError | None) -> dict[str, Any]:
    return {
        "name": section.name,
        "format": section.format,
        "is_delivered": error is None,
        "error_code": error.code if error is not None else None,
        "error": str(error) if error is not None else None,
        "next_step": error.next_step if error is not None else None,
    }


def _table(run: Run, outcomes: list[Outcome]) -> None:
    rows: list[tuple[Cell, ...]] = [
        (section.name, section.format, "delivered" if error is None else f"{error.code}: {error.message}")
        for section, error in outcomes
    ]
    draw(run.screen, table(("RECEIVER", "FORMAT", "RESULT"), rows))
    for _, error in outcomes:
        if error is not None:
            run.note(f"{error.subject}: {error.next_step}")
