"""A node whose kubelet runs etcd from a manifest, as kubeadm sets it up."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from etcd_dr.adapters.control_planes.examination import evidence, questions
from etcd_dr.adapters.control_planes.examination.evidence import Process
from etcd_dr.adapters.control_planes.examination.node import Interview
from etcd_dr.adapters.control_planes.examination.sections import Sections
from etcd_dr.adapters.control_planes.flags import EtcdSettings
from etcd_dr.adapters.control_planes.manifest import (
    EtcdManifest,
    ManifestUnreadable,
    describe_pod,
    read_manifest,
)
from etcd_dr.adapters.control_planes.static_pod import StaticPodSettings
from etcd_dr.domain.answer import Answer, Failure
from etcd_dr.domain.doctor.hosts.observation import ContainerSight, EtcdSetup, HostObservation, PodManifest
from etcd_dr.errors import NodeFault, NodeUnreachable

_LOG_LINES = "400"  # a panic's stack is long, and what it is about stands before it
_KUBELET = "kubelet.service"
_RUNTIMES = ("containerd.service", "crio.service", "cri-docker.service")
_TIMED_OUT = (124, 137, 143)


class StaticPodExamination:
    """Implements Platform."""

    def __init__(self, settings: StaticPodSettings) -> None:
        self._settings = settings

    def examine(self, interview: Interview, *, name: str, place: str, login: str) -> HostObservation:
        settings = self._settings
        said = interview.ask(questions.PODS, settings.manifests_dir, settings.beside, settings.manifest)
        manifests = _manifests(said)
        text = said.text(f"manifest:{settings.manifest}")
        manifest, setup = _setup(text)
        running = evidence.processes(said)
        seen = HostObservation(
            name=name,
            place=place,
            login=login,
            needs_sudo=bool(said.text("sudo")),
            hostname=said.text("hostname") or "",
            clock=evidence.clock_reading(said, asked_at=interview.asked_at, answered_at=interview.answered_at),
            has_swap=evidence.has_swap(said),
            manifests=manifests,
            manifests_dir=settings.manifests_dir,
            static_pod_path=(said.text("staticPodPath") or "").strip("'\" "),
            elsewhere=said.lines("elsewhere"),
            fences=said.lines("fences"),
            etcd=setup,
            listening=evidence.listening(said),
        )
        if said.text("staticPodPath") is not None:  # the processes were all told
            seen = replace(
                seen, **_running(running, manifest, manifests, data_dir=manifest.data_dir if manifest else "")
            )
        if setup is not None and setup.data_dir:
            seen = _with_data(seen, interview, setup, wal_dir=(manifest.launch.wal_dir or "") if manifest else "")
        seen = _with_runtime(seen, interview.ask(questions.RUNTIME, _container(manifest), _LOG_LINES, _KUBELET))
        return replace(seen, failure=interview.failure, silent_at=interview.silent_at)


def _manifests(said: Sections) -> Answer[tuple[PodManifest, ...]]:
    if said.text("manifests") is None:
        return Answer()
    found = []
    for file, text in said.below("manifest:"):
        if file.startswith("."):
            continue
        try:
            pod, program, image, words = describe_pod(text.encode())
        except ManifestUnreadable as error:
            found.append(PodManifest(file, problem=str(error)))
        else:
            found.append(PodManifest(file, pod, program, image, EtcdSettings(words, {}).flags))
    return Answer(tuple(found))


def _setup(text: str | None) -> tuple[EtcdManifest | None, EtcdSetup | None]:
    if text is None:
        return None, None
    try:
        manifest = read_manifest(text.encode())
    except ManifestUnreadable:
        return None, None  # the manifest itself is a finding
    return manifest, EtcdSetup(
        settings=manifest.settings.merged(),
        data_dir=manifest.launch.data_dir,
        version=manifest.version,
        problem=manifest.settings.problem,
    )


def _running(
    found: tuple[Process, ...],
    manifest: EtcdManifest | None,
    manifests: Answer[tuple[PodManifest, ...]],
    *,
    data_dir: str,
) -> dict[str, Any]:
    etcd = next((p for p in found if p.program == "etcd" and p.flags.get("data-dir") == data_dir), None)
    apiserver = next((m for m in manifests.value or () if m.pod == "kube-apiserver"), None)
    return {
        "is_running": None if manifest is None else etcd is not None,
        "process_uid": etcd.uid if etcd is not None else None,
        "apiserver_runs": None if apiserver is None else any(p.program == apiserver.program for p in found),
    }


def _with_data(seen: HostObservation, interview: Interview, setup: EtcdSetup, *, wal_dir: str) -> HostObservation:
    named = {**_client_files(seen), **{f: p for f in evidence.FILE_FLAGS if (p := setup.settings.get(f))}}
    said = interview.ask(questions.DATA, setup.data_dir, wal_dir, *dict.fromkeys(named.values()))
    return replace(
        seen,
        data=evidence.data(said, directory=setup.data_dir),
        files=evidence.files(said),
        holders=evidence.holders(said),
        certificates=evidence.certificates(said, settings=named),
    )


def _client_files(seen: HostObservation) -> dict[str, str]:
    """Return the files with which kube-apiserver reaches etcd, by its flags."""
    manifest = next((m for m in seen.manifests.value or () if m.pod == "kube-apiserver"), None)
    said = manifest.settings if manifest is not None else {}
    return {flag: path for flag in evidence.CLIENT_FLAGS if (path := said.get(flag))}


def _with_runtime(seen: HostObservation, said: Sections) -> HostObservation:
    units = (evidence.unit_state(unit, said.text(f"runtime:{unit}")) for unit in _RUNTIMES)
    log = said.lines("log") or said.lines("crictl_log")
    return replace(
        seen,
        kubelet=evidence.unit_state(_KUBELET, said.text("kubelet")),
        kubelet_log=said.lines("kubelet_log") if said.status("kubelet_log") == 0 else (),
        runtime_units=tuple(unit for unit in units if unit is not None and unit.exists),
        containers=_containers(said),
        log_tail=log,
    )


def _containers(said: Sections) -> Answer[tuple[ContainerSight, ...]]:
    text, status = said.text("containers"), said.status("containers")
    if text is None or status is None:
        return Answer()
    if status in _TIMED_OUT:
        return Answer.failed(Failure(NodeUnreachable.code, "crictl did not answer in time"))
    try:
        listed = json.loads(text)["containers"] if status == 0 else None
    except (ValueError, KeyError, TypeError):
        listed = None
    if not isinstance(listed, list):
        last = next((line for line in reversed(text.splitlines()) if line.strip()), f"crictl ended with {status}")
        return Answer.failed(Failure(NodeFault.code, last.strip()))
    return Answer(tuple(_container_sight(each) for each in listed if isinstance(each, dict)))


def _container_sight(listed: dict[str, Any]) -> ContainerSight:
    metadata = listed.get("metadata")
    told = metadata if isinstance(metadata, dict) else {}
    attempt = told.get("attempt")
    return ContainerSight(
        name=str(told.get("name", "")),
        state=str(listed.get("state", "")),
        attempt=attempt if isinstance(attempt, int) else 0,
    )


def _container(manifest: EtcdManifest | None) -> str:
    return manifest.container if manifest is not None else "etcd"
