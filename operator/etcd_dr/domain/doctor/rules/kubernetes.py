"""Rules on what stands on etcd: kubelet, static pods, the API server's port, manifests.

Lines that Talos' controllers log while a cluster comes up, such as `control plane is not self-hosted` or `error
refreshing pod status`, are no symptom and are not looked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from etcd_dr.domain.doctor.observation import TalosObservation
from etcd_dr.domain.doctor.rules.rule import DoctorRule, items, mapping, talosctl
from etcd_dr.domain.health import Finding, Severity

_PODS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


def kubelet(seen: TalosObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        service = node.service("kubelet")
        log = node.kubelet_log.value or ""
        if "Could not process manifest file" in log:
            yield Finding(
                "kubelet.manifest",
                Severity.WARNING,
                "kubelet cannot read a static pod's manifest",
                f"Correct machine.pods or the extra arguments: {talosctl(node.host, 'logs', 'kubelet', '--tail', '50')}",
                member=node.address,
            )
        if "candidate authority certificate" in log and "kubernetes" in log:
            yield Finding(
                "kubernetes.foreign_endpoint",
                Severity.CRITICAL,
                "the cluster's endpoint shows a certificate of another cluster, or this node was not wiped",
                "Check where cluster.controlPlane.endpoint leads, and whether the node belonged to another cluster: "
                f"{talosctl(node.host, 'get', 'endpoints')}",
                member=node.address,
            )
        if service is not None and (service.state in ("Failed", "Waiting") or service.is_healthy is False):
            newest = service.newest.message if service.newest else ""
            yield Finding(
                "kubelet.down",
                Severity.WARNING,
                f"kubelet is not healthy: {service.last_message or newest or service.state}",
                f"See its log: {talosctl(node.host, 'logs', 'kubelet', '--tail', '50')}",
                member=node.address,
            )


def static_pods(seen: TalosObservation) -> Iterator[Finding]:
    for node in seen.control_planes:
        service = node.service("etcd")
        files = node.static_pods.value
        if files is None or service is None or not service.is_healthy:
            continue  # Talos writes them once etcd is healthy
        missing = [pod for pod in _PODS if not any(pod in entry.name for entry in files)]
        if missing:
            yield Finding(
                "kubernetes.static_pods",
                Severity.WARNING,
                f"etcd is healthy, but there is no static pod for {', '.join(missing)}",
                f"See why Talos does not write it: {talosctl(node.host, 'logs', 'controller-runtime', '--tail', '100')}",
                member=node.address,
            )


def pods_not_ready(seen: TalosObservation) -> Iterator[Finding]:
    for node in seen.control_planes:
        service = node.service("etcd")
        if service is None or not service.is_healthy:
            continue
        bad = [row.id for row in node.pod_statuses.value or () if not _is_ready(row.spec)]
        if bad:
            yield Finding(
                "kubernetes.pod_not_ready",
                Severity.WARNING,
                f"not ready: {', '.join(bad)}",
                "Look at their containers and logs: "
                f"{talosctl(node.host, 'containers', '-k')}; {talosctl(node.host, 'logs', '-k', 'ID')}",
                member=node.address,
            )


def api_server(seen: TalosObservation) -> Iterator[Finding]:
    for node in seen.control_planes:
        service = node.service("etcd")
        answer = node.kubernetes_authority
        if answer.failure is not None and service is not None and service.is_healthy:
            yield Finding(
                "kubernetes.api_server",
                Severity.WARNING,
                f"port 6443 does not answer: {answer.failure.message}",
                "Early after a bootstrap this is normal. Else see: "
                f"{talosctl(node.host, 'containers', '-k')}, and the load balancer or VIP of the cluster's endpoint.",
                member=node.address,
            )
    signers = Counter(n.kubernetes_authority.value for n in seen.control_planes if n.kubernetes_authority.value)
    if len(signers) > 1:
        odd = signers.most_common()[-1][0]
        for node in seen.control_planes:
            if node.kubernetes_authority.value == odd:
                yield Finding(
                    "kubernetes.foreign_authority",
                    Severity.CRITICAL,
                    "its API server's certificate is signed by another authority than the others'",
                    "The node belongs to another cluster, or was recycled without a wipe. Compare: "
                    f"openssl s_client -connect {node.host}:6443 </dev/null | openssl x509 -noout -issuer -dates",
                    member=node.address,
                )


def trustd(seen: TalosObservation) -> Iterator[Finding]:
    for node in seen.control_planes:
        if node.trustd.value is False and node.answers:
            yield Finding(
                "node.trustd",
                Severity.WARNING,
                "port 50001 (trustd) does not answer: workers get no certificate for their API from this node",
                f"See its service: {talosctl(node.host, 'service', 'trustd')}",
                member=node.address,
            )


def manifests(seen: TalosObservation) -> Iterator[Finding]:
    if not seen.has_quorum:
        return
    for node in seen.control_planes:
        for row in node.manifests.value or ():
            if mapping(row.spec) and not items(mapping(row.spec).get("manifestsApplied")):
                yield Finding(
                    "kubernetes.manifests",
                    Severity.INFO,
                    "Talos has not applied its bootstrap manifests",
                    "It repeats that by itself once the cluster's endpoint answers: "
                    f"{talosctl(node.host, 'logs', 'controller-runtime', '--tail', '100')}",
                    member=node.address,
                )


def _is_ready(spec: object) -> bool:
    told = [c for c in map(mapping, items(mapping(spec).get("conditions"))) if c.get("type") == "Ready"]
    return not told or str(told[0].get("status")) == "True"


RULES = (
    DoctorRule(kubelet, ("kubelet.down", "kubelet.manifest", "kubernetes.foreign_endpoint")),
    DoctorRule(static_pods, ("kubernetes.static_pods",)),
    DoctorRule(pods_not_ready, ("kubernetes.pod_not_ready",)),
    DoctorRule(api_server, ("kubernetes.api_server", "kubernetes.foreign_authority")),
    DoctorRule(trustd, ("node.trustd",)),
    DoctorRule(manifests, ("kubernetes.manifests",)),
)
