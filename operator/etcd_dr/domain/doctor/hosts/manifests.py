"""Rules on static pod manifests: missing, moved, twice, unreadable, or unlike those of the other nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from etcd_dr.domain.doctor.hosts.observation import EtcdSetup, HostObservation, HostsObservation
from etcd_dr.domain.doctor.hosts.rule import HostRule
from etcd_dr.domain.health import Finding, Severity


def missing(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        if node.manifests.value is None or node.etcd_manifests:
            continue
        if any(m.problem for m in node.manifests.value):
            continue  # one of those may be etcd's: told by `unreadable`
        found = node.elsewhere[0] if node.elsewhere else ""
        fenced = next((f for f in node.fences if "etcd.y" in f), "")
        if fenced:
            continue  # told by what a recovery left behind
        yield Finding(
            "pod.etcd_missing",
            Severity.CRITICAL if not _others_run(seen, node) else Severity.WARNING,
            f"no manifest in {node.manifests_dir} starts etcd" + (f"; one lies at {found}" if found else ""),
            f"Somebody moved it to stop etcd. If that is over, move it back: "
            f"{node.command(f'mv {found} {node.manifests_dir}/etcd.yaml')}"
            if found
            else "Write it anew from the cluster's configuration: "
            f"{node.command('kubeadm init phase etcd local')} (a node that was joined: kubeadm join phase "
            "control-plane-join etcd). Its --initial-cluster does not matter as long as its data is there.",
            member=node.name,
            evidence={"manifests_dir": node.manifests_dir, "elsewhere": ", ".join(node.elsewhere) or None},
        )


def several(seen: HostsObservation) -> Iterator[Finding]:
    """The kubelet starts every file that does not begin with a dot, whatever it ends with (kubelet, file source)."""
    for node in seen.nodes:
        counts = Counter(m.pod for m in node.manifests.value or () if m.pod)
        for pod, count in sorted(counts.items()):
            if count < 2:
                continue
            files = [m.file for m in node.manifests.value or () if m.pod == pod]
            extra = [name for name in files if name != f"{pod}.yaml"] or files[1:]
            yield Finding(
                "pod.twice",
                Severity.CRITICAL if pod == "etcd" else Severity.WARNING,
                f"{count} files in {node.manifests_dir} start {pod}: {', '.join(files)}",
                f"The kubelet starts every file there, copies too, and which one wins is chance. Move the copy out: "
                f"{node.command(f'mv {node.manifests_dir}/{extra[0]} /root/')}",
                member=node.name,
                evidence={"files": ", ".join(files)},
                about=pod,
            )


def unreadable(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        for manifest in node.manifests.value or ():
            if manifest.problem:
                yield Finding(
                    "pod.unreadable",
                    Severity.WARNING,
                    f"{node.manifests_dir}/{manifest.file} {manifest.problem}",
                    "The kubelet passes over what it cannot read. Compare it with another node's, or move it out: "
                    f"{node.command(f'cat {node.manifests_dir}/{manifest.file}')}",
                    member=node.name,
                    about=manifest.file,
                )


def other_directory(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        said = node.static_pod_path.rstrip("/")
        if said and node.manifests_dir and said != node.manifests_dir.rstrip("/"):
            yield Finding(
                "pod.other_directory",
                Severity.WARNING,
                f"the kubelet reads {said}, and we look at {node.manifests_dir}",
                f"Name the kubelet's directory in the configuration: control_plane.static_pod.manifests_dir: {said}. "
                f"It stands in: {node.command('grep staticPodPath /var/lib/kubelet/config.yaml')}",
                member=node.name,
            )


def differing(seen: HostsObservation) -> Iterator[Finding]:
    yield from _versions(seen)
    yield from _names(seen)
    for node in seen.nodes:
        if node.etcd is None:
            continue
        for problem in _own_problems(node.etcd, is_fresh=node.data is not None and node.data.is_empty):
            yield Finding(
                "etcd.flags",
                Severity.WARNING,
                f"its flags contradict each other: {problem}",
                f"etcd refuses to start with them where it has no data yet. See them: {node.command(_show(seen, node))}",
                member=node.name,
                about=problem,
            )


def _own_problems(etcd: EtcdSetup, *, is_fresh: bool) -> Iterator[str]:
    """Flags that etcd compares only while it has no data (embed/config.go, PeerURLsMapAndToken)."""
    if etcd.problem:
        yield etcd.problem
        return
    members = etcd.initial_members
    if not members or not is_fresh:
        return
    if etcd.name not in members:
        yield f"--name {etcd.name} is not in --initial-cluster ({', '.join(members)})"
        return
    own, said = members[etcd.name], etcd.urls("initial-advertise-peer-urls")
    if said and set(own) != set(said):
        yield f"--initial-cluster has {', '.join(own)} for it, --initial-advertise-peer-urls {', '.join(said)}"


def _versions(seen: HostsObservation) -> Iterator[Finding]:
    told = {n.name: n.etcd.version for n in seen.nodes if n.etcd is not None and n.etcd.version}
    if len(set(told.values())) > 1:
        yield Finding(
            "etcd.versions_differ",
            Severity.INFO,
            f"the nodes start {len(set(told.values()))} versions of etcd: "
            + ", ".join(f"{name} {version}" for name, version in told.items()),
            "Finish the upgrade before anything else is changed; a snapshot is restored only into the same or a newer "
            "etcd. kubeadm: kubeadm upgrade node, on each in turn.",
            evidence=dict(told),
        )


def _names(seen: HostsObservation) -> Iterator[Finding]:
    """Two nodes that claim one name or one peer URL: a copied manifest."""
    for what, claims in (
        ("the name", {n.name: {n.etcd.name} for n in seen.nodes if n.etcd is not None and n.etcd.settings}),
        (
            "the peer URL",
            {n.name: _real_urls(n.etcd) for n in seen.nodes if n.etcd is not None and n.etcd.settings},
        ),
    ):
        for value in sorted({v for values in claims.values() for v in values}):
            nodes = [name for name, values in claims.items() if value in values]
            if len(nodes) > 1:
                yield Finding(
                    "etcd.same_identity",
                    Severity.CRITICAL,
                    f"{' and '.join(nodes)} both have {what} {value}",
                    "One manifest or unit was copied from another node without its name and addresses being changed. "
                    f"Correct --name, --initial-advertise-peer-urls and --advertise-client-urls on one of: "
                    f"{', '.join(nodes)}",
                    evidence={"nodes": ", ".join(nodes), "value": value},
                    about=value,
                )


def _real_urls(etcd: EtcdSetup) -> set[str]:
    urls = etcd.urls("initial-advertise-peer-urls")
    return {url for url in urls if (urlsplit(url).hostname or "") not in ("localhost", "127.0.0.1", "::1")}


def _others_run(seen: HostsObservation, node: HostObservation) -> bool:
    return any(other.is_running for other in seen.nodes if other is not node)


def _show(seen: HostsObservation, node: HostObservation) -> str:
    if seen.platform == "static-pod":
        return f"cat {node.manifests_dir}/etcd.yaml"
    return f"systemctl cat {node.unit.name if node.unit else 'etcd'}"


RULES = (
    HostRule(missing, ("pod.etcd_missing",)),
    HostRule(several, ("pod.twice",)),
    HostRule(unreadable, ("pod.unreadable",)),
    HostRule(other_directory, ("pod.other_directory",)),
    HostRule(differing, ("etcd.flags", "etcd.versions_differ", "etcd.same_identity")),
)
