"""`etcd-dr operator`: the long-running process, from the configuration file alone."""

from __future__ import annotations

import os
from dataclasses import fields

from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.operator.process import run_operator
from etcd_dr.errors import Busy, ConfigError, UsageError

_MEANT_FOR_IT = ("config", "log_level", "quiet")


def command(run: Run) -> int:
    """Take, prove, keep and watch on schedule, until stopped.

    Everything comes from the configuration file; log lines are JSON unless log.format says otherwise. SIGTERM ends
    work cleanly; exit status 75 means that something did not end within operator.shutdown_grace.
    """
    _check_options(run)
    config = run.config()
    if config is None:
        raise ConfigError(
            "no configuration file was found",
            next_step="Name it with --config FILE or ETCD_DR_CONFIG. Every key: etcd-dr docs configuration",
        )
    with stopped_by_signals() as switch:
        has_ended = run_operator(config, run.service_surroundings(switch))
    if not has_ended:
        # Python joins every thread before it exits: the one that hangs would hold the process until somebody kills it.
        run.stderr.flush()
        os._exit(Busy.exit_status)
    return 0


def _check_options(run: Run) -> None:
    said = [
        f"--{each.name.replace('_', '-')}"
        for each in fields(run.options)
        if each.name not in _MEANT_FOR_IT and getattr(run.options, each.name) not in (None, False, [])
    ]
    if said:
        raise UsageError(
            f"{', '.join(said)} is not for the operator, which serves every cluster of its file",
            next_step="Write it into the configuration file. Every key: etcd-dr docs configuration",
        )
