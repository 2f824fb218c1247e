"""The last door of every job of one cluster: what fails is counted and told, and never ends the process."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from etcd_dr.entrypoints.operator.keeper_parts import KeeperParts
from etcd_dr.errors import Cancelled, EtcdDrError
from etcd_dr.ports.events import EventSink, Level


class JobDoor:
    """Carries out the jobs of one cluster; safe from any thread."""

    def __init__(self, parts: KeeperParts) -> None:
        self._parts = parts

    @contextmanager
    def job(self, name: str, *, on_failure: Callable[[EtcdDrError], None] | None = None) -> Iterator[None]:
        """Carry out a job; an error of ours is counted and told, and ends here."""
        failing = self._parts.metrics.failing.labels(cluster=self._parts.cluster, task=name)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the last door of a job: the process protects the other clusters
            ours = as_ours(error)
            failing.set(not isinstance(ours, Cancelled))
            self._tell_failure(name, ours)
            if on_failure is not None:
                on_failure(ours)
        else:
            failing.set(0)

    def _tell_failure(self, job: str, error: EtcdDrError) -> None:
        parts = self._parts
        parts.metrics.errors.labels(cluster=parts.cluster, task=job, code=error.code).inc()
        level: Level = "info" if isinstance(error, Cancelled) else "error"
        tell_failure(
            parts.surroundings.events,
            f"{job}.failed",
            error,
            level=level,
            cluster=parts.cluster,
            store=parts.store_name,
        )


def tell_failure(events: EventSink, event: str, error: Exception, *, level: Level = "error", **place: str) -> None:
    """Tell an error whole, with its next step and its evidence; `place` says whose it is."""
    ours = as_ours(error)
    evidence = {f"context_{key}": value for key, value in ours.context.items()}
    events.emit(
        event, level=level, **place, error_code=ours.code, error=str(ours), next_step=ours.next_step, **evidence
    )


def as_ours(error: Exception) -> EtcdDrError:
    """Return an error that nobody foresaw as one that can be counted and told, with where it happened."""
    if isinstance(error, EtcdDrError):
        return error
    return EtcdDrError(
        f"unexpected {type(error).__name__}: {error}",
        next_step="This is a bug in etcd-dr. Report it with this line; the other jobs go on.",
        context={"trace": "".join(traceback.format_exception(error))},
    )
