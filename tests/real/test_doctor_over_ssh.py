"""The doctor on nodes behind real sshd: a good site, one thing wrong at a time, and nodes that hang."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from etcd_dr.domain.doctor.hosts import HOST_CODES
from real.peers import systemctl
from real.peers.control_planes import Plane
from real.slow_machine import SLOWNESS_IS_NO_FINDING
from scenarios.command_line import CommandLine
from scenarios.documented_json import differences, examples

PATIENT = ("--timeout", "20s")
SETTLED_SECONDS = 40.0
HASTY = ("--timeout", "4s")
HASTY_END_SECONDS = 15.0
"""What hangs here hangs for two minutes or for ever."""
PATIENT_END_SECONDS = 60.0


class Doctor:
    """The command beside one control plane."""

    def __init__(self, plane: Plane, directory: Path) -> None:
        self.plane = plane
        self.seconds = 0.0
        self.last: list[dict[str, Any]] = []
        tls = plane.cluster.client_tls
        etcd = {
            "endpoints": list(plane.cluster.endpoints),
            "cacert": str(tls.ca),
            "cert": str(tls.certificate),
            "key": str(tls.key),
        }
        health = {"timeout": "10s", "thresholds": SLOWNESS_IS_NO_FINDING}
        cluster = {"name": "prod", "control_plane": plane.section(), "store": "here", "etcd": etcd, "health": health}
        document = {
            "clusters": [cluster],
            "stores": [{"name": "here", "directory": {"path": str(directory / "store")}}],
            "encryption": {"enabled": False},
        }
        self.config = directory / "etcd-dr.yaml"
        self.config.write_text(json.dumps(document))
        self.cli = CommandLine(directory, {"PATH": os.environ["PATH"]})

    def __call__(self, *words: object) -> dict[str, Any]:
        begun = time.monotonic()
        done = self.cli("doctor", "--config", self.config, "--no-snapshots", "-o", "json", *words)
        self.seconds = time.monotonic() - begun
        assert done.out, done.err
        assert done.status == done.document["exit_status"]
        self.last = done.document["findings"]
        return done.document

    @property
    def unreachable(self) -> set[str]:
        """The nodes that the last look did not reach."""
        return {f["member"] for f in self.last if f["code"] == "host.unreachable"}

    @property
    def by_code(self) -> dict[str, dict[str, Any]]:
        """The first finding of each code, of the last look."""
        return {finding["code"]: finding for finding in reversed(self.last)}

    def findings(self, *words: object) -> dict[str, dict[str, Any]]:
        """Return the first finding of each code."""
        self(*words)
        return self.by_code

    def settled(self, *codes: str) -> dict[str, Any]:
        """Return the first look that found these alone, or the last one in time: elections pass, and are findings."""
        end = time.monotonic() + SETTLED_SECONDS
        while True:
            document = self(*PATIENT)
            if set(self.by_code) == set(codes) or time.monotonic() > end:
                return document
            time.sleep(0.1)

    def found(self, *codes: str) -> dict[str, dict[str, Any]]:
        """Return what one look found that saw all of these; an etcd that ends again and again runs in between."""
        end = time.monotonic() + SETTLED_SECONDS
        while True:
            found = self.findings(*PATIENT)
            if set(codes) <= set(found) or time.monotonic() > end:
                assert set(codes) <= set(found), [(code, each["summary"]) for code, each in found.items()]
                return found
            time.sleep(0.1)


@pytest.fixture
def pods(static_pod_control_plane: Callable[..., Plane], tmp_path: Path) -> Doctor:
    return Doctor(static_pod_control_plane(size=3), tmp_path)


def manifests(doctor: Doctor, name: str) -> Path:
    return doctor.plane.directory / name / "kubernetes" / "manifests"


def test_good_site_then_one_trouble_after_the_other(pods: Doctor) -> None:
    """Nothing is found where nothing is wrong; each symptom is found with its remedy."""
    document = pods.settled()
    assert [f["summary"] for f in document["findings"]] == []
    assert document["has_quorum"] is True
    assert {node["etcd_running"] for node in document["nodes"]} == {True}
    assert all(node["member_id"] for node in document["nodes"])
    assert list(differences(examples()["doctor over ssh"], document)) == []
    assert [node["name"] for node in pods(*PATIENT, "--node", "m2")["nodes"]] == ["m2"]

    plane = pods.plane
    (manifests(pods, "m2") / "etcd.yaml.bak").write_bytes((manifests(pods, "m2") / "etcd.yaml").read_bytes())
    (plane.directory / "m1" / "kubelet" / "crictl-fails").write_text('dial unix containerd.sock: connect: refused"')
    plane.cluster.member("m3").data_dir.chmod(0o755)
    pods.settled("pod.twice", "host.runtime", "data.mode")
    found = pods.by_code

    assert {"pod.twice", "host.runtime", "data.mode"} == set(found) <= set(HOST_CODES)
    assert "etcd.yaml.bak" in found["pod.twice"]["next_step"]
    assert "containerd.sock" in found["host.runtime"]["summary"]
    assert found["data.mode"]["next_step"].endswith(f"'chmod 700 {plane.cluster.member('m3').data_dir}'")


def test_manifest_that_was_moved_and_a_database_that_is_damaged(pods: Doctor) -> None:
    """The first is found where it lies; the second is told by the log's own words."""
    plane = pods.plane
    away = manifests(pods, "m3").parent / "etcd.yaml"
    (manifests(pods, "m3") / "etcd.yaml").rename(away)

    found = pods.found("pod.etcd_missing", "quorum.no_tolerance")

    assert "mv /mnt/kubernetes/etcd.yaml /mnt/kubernetes/manifests/etcd.yaml" in found["pod.etcd_missing"]["next_step"]
    assert found["quorum.no_tolerance"]["severity"] == "warning"

    member = plane.cluster.member("m1")
    with (member.data_dir / "member" / "snap" / "db").open("r+b") as file:
        file.write(b"\xff" * 16384)
    member.kill()

    damaged = pods.found("log.database_damaged", "quorum.lost")["log.database_damaged"]

    assert "invalid database" in damaged["evidence"]["line"]
    assert "etcd-dr recover plan --config" in damaged["next_step"]


def test_answer_comes_within_seconds_when_nodes_hang(pods: Doctor) -> None:
    """One node is frozen, one has a runtime that hangs, one is gone: the deadline and a little more."""
    plane = pods.plane
    (plane.directory / "m1" / "kubelet" / "crictl-hangs").touch()
    plane.hosts["m3"].cut()

    with plane.hosts["m2"].frozen():
        pods(*HASTY)
        hasty_seconds, hasty = pods.seconds, pods.unreachable
        found = pods.findings(*PATIENT)

    assert hasty_seconds < HASTY_END_SECONDS
    assert hasty >= {"m2", "m3"}  # m1 may be too slow for four seconds on a busy machine
    assert pods.seconds < PATIENT_END_SECONDS
    assert pods.unreachable == {"m2", "m3"}
    assert "did not answer in time" in found["host.runtime"]["summary"]


@pytest.mark.matrix
def test_units_and_what_befalls_them(systemd_control_plane: Callable[..., Plane], tmp_path: Path) -> None:
    """A good site; then a fence that a recovery left, and a unit that ends again and again for its flags."""
    plane = systemd_control_plane(size=3)
    doctor = Doctor(plane, tmp_path)
    assert [f["summary"] for f in doctor.settled()["findings"]] == []

    plane.control.nodes[0].stop_etcd(recovery_id="r7", deadline=20)
    unit = plane.directory / "m2" / "units" / "etcd.service"
    unit.write_text(unit.read_text().replace("\nRestart", " --wrong=1\nRestart"))
    systemctl.ask(str(plane.directory / "m2" / "manager" / "systemd.sock"), ["systemctl", "daemon-reload"])
    plane.cluster.member("m2").kill()

    found = doctor.found("recovery.fence", "log.flag_unknown", "quorum.lost")

    assert "recover abort --config" in found["recovery.fence"]["next_step"]
    assert found["recovery.fence"]["member"] == "m1"
    assert found["log.flag_unknown"]["member"] == "m2"
    assert found["quorum.lost"]["severity"] == "critical"
