"""What a verdict on readiness is judged by comes from the cluster's configuration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from etcd_dr.bootstrap.drill import drill_max_age
from etcd_dr.bootstrap.readiness import readiness_terms
from etcd_dr.config import parse_config
from etcd_dr.config.target import resolve_all

NOW = datetime(2026, 8, 20, 3, tzinfo=UTC)
CONFIG = """
clusters:
  - name: prod
    store: main
    etcd: {endpoints: [https://10.0.0.1:2379]}
    drill: {max_age: 30d}
    objectives: {rto: 15m, rpo: 2h}
    companions: {files: [/etc/kubernetes/pki/ca.crt]}
    control_plane: {platform: static-pod, nodes: [{name: cp1, address: 10.0.0.1}]}
stores:
  - {name: main, directory: {path: /var/backups}}
"""


def test_terms_are_as_configured() -> None:
    """Objectives, the age of drills, whether files beside the database are wanted, and what the nodes are."""
    (target,) = resolve_all(parse_config(CONFIG, {}, subject="the test"))

    terms = readiness_terms(target, now=NOW, reading_interval=timedelta(minutes=10))

    assert terms.platform == "static-pod"
    assert terms.drill_max_age == timedelta(days=30)
    assert (terms.rto_objective, terms.rpo_objective) == (timedelta(minutes=15), timedelta(hours=2))
    assert terms.keeps_companions
    assert terms.reading_max_age == timedelta(minutes=40)


@pytest.mark.parametrize(
    ("said", "age"),
    [
        ("{max_age: 30d}", timedelta(days=30)),
        ('{max_age: 30d, cron: "0 4 * * *"}', timedelta(days=30)),
        ('{cron: "0 4 * * *"}', timedelta(days=2)),
        ("{}", None),
    ],
)
def test_age_of_drills_is_said_or_follows_from_their_schedule(said: str, age: timedelta | None) -> None:
    """One answer for health, readiness, kit and metrics: of a schedule's drills one may fail, two in a row may not."""
    (target,) = resolve_all(parse_config(CONFIG.replace("{max_age: 30d}", said), {}, subject="the test"))

    assert drill_max_age(target, now=NOW) == age
    assert readiness_terms(target, now=NOW).drill_max_age == age


def test_a_reading_is_given_time_however_often_it_is_asked_for() -> None:
    """A store that takes ten seconds is not unknown because somebody reads it every second."""
    (target,) = resolve_all(parse_config(CONFIG, {}, subject="the test"))

    assert readiness_terms(target, now=NOW, reading_interval=timedelta(seconds=1)).reading_max_age == timedelta(
        minutes=2
    )
