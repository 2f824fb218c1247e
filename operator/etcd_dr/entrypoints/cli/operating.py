"""`etcd-dr operator`: the long-running process, told to stop by a signal."""

from __future__ import annotations

import os

from etcd_dr.adapters.event_log import EventLog
from etcd_dr.adapters.system_clock import SystemClock, SystemTokens
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config import Config
from etcd_dr.entrypoints.cli.progress import NoProgress
from etcd_dr.entrypoints.cli.run import CONFIG_VARIABLE, Run
from etcd_dr.entrypoints.cli.stopping import stopped_by_signals
from etcd_dr.entrypoints.operator.process import run_operator
from etcd_dr.errors import ConfigError
from etcd_dr.ports.cancellation import Cancellation

_OVERDUE_STATUS = 1


def command(run: Run) -> int:
    """Watch, save, verify and prune on schedule, until told to stop.

    Needs a configuration file. Serves /metrics, /healthz and /readyz, and logs one JSON object a line.
    """
    config = run.config()
    if config is None:
        raise ConfigError(
            "there is no configuration, and the operator needs one",
            next_step=f"Name a file with --config or {CONFIG_VARIABLE}; every key is in docs/configuration.md.",
        )
    with stopped_by_signals() as switch:
        if not run_operator(config, _surroundings(run, config, switch)):
            # Threads that did not end within the grace would hold the interpreter until the next kill.
            run.stderr.flush()
            os._exit(_OVERDUE_STATUS)
    return 0


def _surroundings(run: Run, config: Config, cancellation: Cancellation) -> Surroundings:
    clock = SystemClock()
    level = run.options.log_level or config.log.level
    return Surroundings(
        clock=clock,
        tokens=SystemTokens(),
        events=EventLog(run.stderr, level=level, format=config.log.format, clock=clock),
        progress=NoProgress(),
        cancellation=cancellation,
    )
