"""A node on which systemd runs etcd."""

from __future__ import annotations

from dataclasses import replace

from etcd_dr.adapters.control_planes.examination import evidence, questions
from etcd_dr.adapters.control_planes.examination.node import Interview
from etcd_dr.adapters.control_planes.flags import EtcdSettings
from etcd_dr.adapters.control_planes.systemd_unit import SystemdSettings
from etcd_dr.adapters.control_planes.unit import PROPERTIES, Unit
from etcd_dr.domain.doctor.hosts.observation import EtcdSetup, HostObservation

_LOG_LINES = "400"  # a panic's stack is long, and what it is about stands before it


class SystemdExamination:
    """Implements Platform."""

    def __init__(self, settings: SystemdSettings) -> None:
        self._settings = settings

    def examine(self, interview: Interview, *, name: str, place: str, login: str) -> HostObservation:
        settings = self._settings
        wanted = f"{PROPERTIES},Result,NRestarts"
        said = interview.ask(questions.UNITS, settings.unit, settings.drop_ins, wanted)
        seen = HostObservation(
            name=name,
            place=place,
            login=login,
            needs_sudo=bool(said.text("sudo")),
            hostname=said.text("hostname") or "",
            clock=evidence.clock_reading(said, asked_at=interview.asked_at, answered_at=interview.answered_at),
            has_swap=evidence.has_swap(said),
            fences=said.lines("fences"),
            unit=evidence.unit_state(settings.unit, said.text("unit")),
            listening=evidence.listening(said),
        )
        unit = Unit.parse(said.text("unit") or "")
        if seen.unit is not None and unit.exists:
            seen = self._with_unit(seen, unit, interview)
        journal = interview.ask(questions.JOURNAL, settings.unit, _LOG_LINES)
        return replace(
            seen,
            log_tail=journal.lines("journal") if journal.status("journal") == 0 else (),
            failure=interview.failure,
            silent_at=interview.silent_at,
        )

    def _with_unit(self, seen: HostObservation, unit: Unit, interview: Interview) -> HostObservation:
        files = interview.ask(questions.ENVIRONMENT, *unit.environment_files) if unit.environment_files else None
        _, settings = unit.settings([text.encode() for text in files.all("environment")] if files else [])
        setup = _setup(unit, settings)
        seen = replace(seen, etcd=setup, is_running=unit.main_pid != 0)
        if not setup.data_dir:
            return seen
        named = dict.fromkeys(path for flag in evidence.FILE_FLAGS if (path := setup.settings.get(flag)))
        said = interview.ask(questions.DATA, setup.data_dir, setup.settings.get("wal-dir", ""), *named)
        return replace(
            seen,
            data=evidence.data(said, directory=setup.data_dir),
            files=evidence.files(said),
            holders=evidence.holders(said),
            certificates=evidence.certificates(said, settings=setup.settings),
        )


def _setup(unit: Unit, settings: EtcdSettings) -> EtcdSetup:
    """Return how it is started; without a data directory where not even that is told."""
    is_told = not settings.problem or settings.get("data-dir") is not None
    directory = settings.launch().data_dir if is_told else ""
    if directory and not directory.startswith("/"):
        below = unit.get("WorkingDirectory").lstrip("!-") or "/"
        directory = f"{below.rstrip('/')}/{directory}"
    return EtcdSetup(settings=settings.merged(), data_dir=directory, problem=settings.problem)
