"""`etcd-dr kit check`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.bootstrap.kit import kit_limits, kit_ports
from etcd_dr.config.shareable import named_files
from etcd_dr.domain.kit import CONFIG_NAME, KitCheck, KitResult, worst
from etcd_dr.entrypoints.cli.place import open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.cli.tables import Cell, draw, styled, table
from etcd_dr.errors import Cancelled, EtcdDrError
from etcd_dr.workflows.check_kit import check_files, check_kit

_STATUSES = {KitResult.PASSED: 0, KitResult.WARNING: 1, KitResult.FAILED: 2}
_STYLES = {
    KitResult.PASSED: "good",
    KitResult.WARNING: "doubtful",
    KitResult.FAILED: "bad",
    KitResult.LEFT_OUT: "weak",
}


def command(
    run: Run,
    *,
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="The kit.", readable=False)] = Path(),
) -> int:
    """Test a break-glass kit where it would be used.

    Files, store, key, tools and nodes are asked for what a recovery would ask of them. Nothing is changed.
    """
    kit = directory.absolute()
    with stopped_by_signals() as switch:
        own = Run(replace(run.options, config=kit / CONFIG_NAME), run.process)
        checks = [*_configuration(own, kit), *_parts(own, kit, switch)]
    run.answer(_document(kit, checks), table=lambda: _table(run, checks))
    return _STATUSES[worst(checks)]


def _configuration(run: Run, kit: Path) -> Sequence[KitCheck]:
    try:
        target = run.target()
    except EtcdDrError as error:
        return [KitCheck("configuration", KitResult.FAILED, str(error), error.next_step), *check_files(kit, ())]
    told = f"{kit / CONFIG_NAME} describes {target.name or 'one cluster'}"
    return [KitCheck("configuration", KitResult.PASSED, told), *check_files(kit, named_files(target))]


def _parts(run: Run, kit: Path, switch: CancellationSwitch) -> Sequence[KitCheck]:
    try:
        with open_place(run, run.surroundings(switch)) as place:
            ports = kit_ports(place.target, place.store, place.surroundings, run.environment)
            limits = kit_limits(place.target, place.surroundings)
            return list(check_kit(kit, place.layout, ports=ports, limits=limits))
    except Cancelled:
        raise
    except EtcdDrError as error:
        return [KitCheck("store", KitResult.FAILED, str(error), error.next_step)]


def _document(kit: Path, checks: Sequence[KitCheck]) -> dict[str, object]:
    return {
        "directory": str(kit),
        "result": worst(checks).value,
        "checks": [
            {
                "name": check.name,
                "result": check.result.value,
                "detail": check.detail,
                "next_step": check.next_step,
            }
            for check in checks
        ],
    }


def _table(run: Run, checks: Sequence[KitCheck]) -> None:
    draw(run.screen, table(("CHECK", "RESULT", "DETAIL"), map(_row, checks)))
    for check in checks:
        if check.next_step and check.result in (KitResult.FAILED, KitResult.WARNING):
            run.screen.line(f"next ({check.name}): {check.next_step}")
    words = {
        KitResult.PASSED: "this kit would do",
        KitResult.WARNING: "this kit would do; somebody should look at the warnings",
        KitResult.FAILED: "a recovery would not begin with this kit",
    }
    run.screen.line(words[worst(checks)])


def _row(check: KitCheck) -> tuple[Cell, ...]:
    word = check.result.value.upper() if check.result is KitResult.FAILED else check.result.value
    return check.name, styled(word, _STYLES[check.result]), check.detail
