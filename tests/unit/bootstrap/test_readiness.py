"""What a verdict on readiness is judged by comes from the cluster's configuration."""

from __future__ import annotations

from datetime import timedelta

from etcd_dr.bootstrap.readiness import readiness_terms
from etcd_dr.config import parse_config
from etcd_dr.config.target import resolve_all

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

    terms = readiness_terms(target, reading_interval=timedelta(minutes=10))

    assert terms.platform == "static-pod"
    assert terms.drill_max_age == timedelta(days=30)
    assert (terms.rto_objective, terms.rpo_objective) == (timedelta(minutes=15), timedelta(hours=2))
    assert terms.keeps_companions
    assert terms.reading_max_age == timedelta(minutes=40)


def test_a_reading_is_given_time_however_often_it_is_asked_for() -> None:
    """A store that takes ten seconds is not unknown because somebody reads it every second."""
    (target,) = resolve_all(parse_config(CONFIG, {}, subject="the test"))

    assert readiness_terms(target, reading_interval=timedelta(seconds=1)).reading_max_age == timedelta(minutes=2)
