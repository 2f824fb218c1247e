"""Rules on what runs: the kubelet, the container runtime, etcd itself, kube-apiserver, and ports."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from etcd_dr.domain.doctor.hosts.observation import HostObservation, HostsObservation, UnitState
from etcd_dr.domain.doctor.hosts.rule import HostRule
from etcd_dr.domain.health import Finding, Severity

_MANY_ATTEMPTS = 3
_LONGEST = 200


def kubelet(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        unit = node.kubelet
        if unit is None or seen.platform != "static-pod":
            continue
        if not unit.exists or unit.active not in ("active", "reloading"):
            said = "is not installed" if not unit.exists else f"is {unit.active or 'down'}"
            yield Finding(
                "host.kubelet",
                Severity.CRITICAL if node.is_running is False else Severity.WARNING,
                f"the kubelet {said}, and nothing else starts or stops static pods"
                + (f": {_last(node.kubelet_log)}" if node.kubelet_log else ""),
                f"Start it and see why it ended: {node.command('systemctl restart kubelet; journalctl -u kubelet -n 50')}",
                member=node.name,
                evidence={"active": unit.active, "result": unit.result or None, "restarts": unit.restarts},
            )


def runtime(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        if seen.platform != "static-pod":
            continue
        down = [u for u in node.runtime_units if u.exists and u.active not in ("active", "reloading")]
        up = [u for u in node.runtime_units if u.exists and u not in down]
        failure = node.containers.failure
        if failure is None and (up or not down):
            continue
        name = (down or up or [UnitState("containerd.service", exists=True)])[0].name
        said = failure.message if failure is not None else f"{name} is {down[0].active}"
        yield Finding(
            "host.runtime",
            Severity.CRITICAL if node.is_running is False else Severity.WARNING,
            f"the container runtime does not answer: {said[:_LONGEST]}",
            f"Containers that run go on; none is started. See it: "
            f"{node.command(f'systemctl status {name}; journalctl -u {name} -n 50; df -h /var/lib')}",
            member=node.name,
            evidence={"units": ", ".join(f"{u.name} {u.active}" for u in node.runtime_units) or None},
        )


def etcd_down(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        if not _is_meant_to_run(seen, node):
            continue
        attempts = node.attempts
        last = _last(node.log_tail)
        if node.is_running is False and attempts < _MANY_ATTEMPTS:
            yield Finding(
                "etcd.down",
                Severity.CRITICAL if not any(n.is_running for n in seen.nodes) else Severity.WARNING,
                "etcd does not run" + (f"; its log ends with: {last}" if last else ""),
                f"See why: {node.command(_see_etcd(seen, node))}",
                member=node.name,
                evidence={"attempts": attempts or None},
            )
        elif attempts >= _MANY_ATTEMPTS and (node.is_running is False or _is_restarting(seen, node)):
            yield Finding(
                "etcd.restarts",
                Severity.CRITICAL,
                f"etcd was started {attempts + 1} times and ends again" + (f": {last}" if last else ""),
                f"Its last words say why: {node.command(_see_etcd(seen, node))}",
                member=node.name,
                evidence={"attempts": attempts},
            )


def ports(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        if node.listening is None or node.etcd is None:
            continue
        for flag, word in (("listen-client-urls", "client"), ("listen-peer-urls", "peer")):
            for port in sorted({p for url in node.etcd.urls(flag) if (p := _port(url)) is not None}):
                holder = node.holders.get(port, "")
                if node.is_running and port not in node.listening:
                    yield Finding(
                        "host.port_closed",
                        Severity.WARNING,
                        f"etcd runs, and nobody listens on its {word} port {port}",
                        "It is starting, or waits for the others, or its address is not this node's any more: "
                        f"{node.command(f'ss -ltnp | grep :{port}; ip -brief address')}",
                        member=node.name,
                        about=f"{word} {port}",
                    )
                elif node.is_running is False and port in node.listening:
                    yield Finding(
                        "host.port_taken",
                        Severity.CRITICAL,
                        f"etcd does not run, and {holder or 'another program'} holds its {word} port {port}",
                        f"End what holds it, or an older etcd that was left over: "
                        f"{node.command(f'ss -ltnp | grep :{port}')}",
                        member=node.name,
                        evidence={"holder": holder or None},
                        about=f"{word} {port}",
                    )


def apiserver(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        manifest = next((m for m in node.manifests.value or () if m.pod == "kube-apiserver"), None)
        if manifest is None:
            continue
        container = node.container("kube-apiserver")
        if node.apiserver_runs is False or (container is not None and not container.is_running):
            yield Finding(
                "apiserver.down",
                Severity.WARNING,
                "kube-apiserver does not run",
                "Without etcd it cannot: mend that first. Then see it: "
                f"{node.command('crictl ps -a --name kube-apiserver; tail -n 30 /var/log/pods/kube-system_kube-apiserver-*/*/*.log')}",
                member=node.name,
                evidence={"attempts": container.attempt if container else None},
            )
        yield from _etcd_servers(seen, node, manifest.settings.get("etcd-servers", ""))


def _etcd_servers(seen: HostsObservation, node: HostObservation, said: str) -> Iterator[Finding]:
    named = {place for url in said.split(",") if (place := _place(url.strip())) is not None}
    own = {p for url in (node.etcd.urls("listen-client-urls") if node.etcd else ()) if (p := _port(url)) is not None}
    known = {place for other in seen.nodes if other.etcd is not None for url in other.etcd.urls("advertise-client-urls")
             if (place := _place(url)) is not None}  # fmt: skip
    known |= {place for member in seen.members for url in member.client_urls if (place := _place(url)) is not None}
    if not named or not (own or known):
        return
    local = {(host, port) for host, port in named if host in ("127.0.0.1", "localhost", "::1") and port in own}
    wrong = named - local - known
    if wrong:
        yield Finding(
            "apiserver.etcd_servers",
            Severity.CRITICAL if wrong == named else Severity.WARNING,
            "kube-apiserver is told of an etcd that is none of these members: "
            + ", ".join(f"{host}:{port}" for host, port in sorted(wrong)),
            f"Correct --etcd-servers in {node.manifests_dir}/kube-apiserver.yaml on this node: "
            f"{node.command(f'grep etcd-servers {node.manifests_dir}/kube-apiserver.yaml')}",
            member=node.name,
            evidence={"etcd_servers": said},
        )


def _is_meant_to_run(seen: HostsObservation, node: HostObservation) -> bool:
    if node.is_running is None:
        return False
    if seen.platform == "static-pod":
        return bool(node.etcd_manifests)
    return node.unit is not None and node.unit.exists and not node.fences


def _is_restarting(seen: HostsObservation, node: HostObservation) -> bool:
    """A unit that systemd is about to start again, or a container that is seen dead; a long life is no loop."""
    if seen.platform == "static-pod":
        container = node.container("etcd")
        return container is not None and not container.is_running
    return node.unit is not None and node.unit.active in ("activating", "failed")


def _see_etcd(seen: HostsObservation, node: HostObservation) -> str:
    if seen.platform == "static-pod":
        return "crictl ps -a --name etcd; tail -n 50 /var/log/pods/kube-system_etcd-*/etcd/*.log"
    unit = node.unit.name if node.unit else "etcd"
    return f"systemctl status {unit}; journalctl -u {unit} -n 50"


def _last(lines: tuple[str, ...]) -> str:
    return next((line.strip()[:_LONGEST] for line in reversed(lines) if line.strip()), "")


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:
        return None


def _place(url: str) -> tuple[str, int] | None:
    port = _port(url)
    return (urlsplit(url).hostname or "", port) if port is not None else None


RULES = (
    HostRule(kubelet, ("host.kubelet",)),
    HostRule(runtime, ("host.runtime",)),
    HostRule(etcd_down, ("etcd.down", "etcd.restarts")),
    HostRule(ports, ("host.port_closed", "host.port_taken")),
    HostRule(apiserver, ("apiserver.down", "apiserver.etcd_servers")),
)
