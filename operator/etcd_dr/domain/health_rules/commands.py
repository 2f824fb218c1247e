"""Commands that a next step can offer, quoted so that they can be pasted, as the cluster's platform has them.

| platform | etcd's own command | what a node says |
| --- | --- | --- |
| `talos` | talosctl, on that node; what Talos' API lacks is said instead | talosctl service, talosctl logs |
| `static-pod` | etcdctl in etcd's container, by crictl on a node, with kubeadm's certificates | crictl, the kubelet's journal |
| `systemd` | etcdctl; TLS flags are left to ETCDCTL_* | the unit's journal |
| empty or `local` | the same | both, for whoever reads it to choose |
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from etcd_dr.domain.certificate import CertificateRole

_IN_CONTAINER = (
    "crictl exec $(crictl ps -q --name '^etcd$') etcdctl --cacert=/etc/kubernetes/pki/etcd/ca.crt "
    "--cert=/etc/kubernetes/pki/etcd/server.crt --key=/etc/kubernetes/pki/etcd/server.key"
)
_TALOS: Mapping[tuple[str, ...], str] = {
    ("defrag",): "defrag",
    ("alarm", "disarm"): "alarm disarm",
    ("alarm", "list"): "alarm list",
    ("endpoint", "status"): "status",
    ("member", "list"): "members",
}


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands for one platform: `talos`, `static-pod`, `systemd`, `local`; empty: nobody said which."""

    platform: str = ""

    def etcdctl(self, endpoint: str, *words: str) -> str:
        """Return etcd's command for one endpoint."""
        if self.platform == "talos":
            host = _host(endpoint)
            known = next((done for asked, done in _TALOS.items() if words[: len(asked)] == asked), None)
            if known is not None:
                return _talosctl(host, f"etcd {known}")
            if words[:2] == ("endpoint", "hashkv"):
                # Talos' API has no HashKV; the files of two members at one revision say the same.
                return f"{_talosctl(host, f'etcd snapshot {host}.db')}; etcd-dr snapshot status {host}.db"
        if self.platform == "static-pod":
            return f"{_IN_CONTAINER} {shlex.join([f'--endpoints={endpoint}', *words])}"
        return shlex.join(["etcdctl", f"--endpoints={endpoint}", *words])

    def remove_member(self, member_id: str) -> str:
        if self.platform == "talos":
            return f"talosctl -n NODE etcd remove-member {member_id}"
        return self._anywhere(f"member remove {member_id}")

    def add_member(self) -> str:
        if self.platform == "talos":
            return "another control plane node of the same configuration joins by itself: talosctl apply-config -n NODE -f FILE"
        if self.platform == "static-pod":
            return "kubeadm join ... --control-plane, on the new node"
        return "etcdctl member add NAME --learner --peer-urls=URL"

    def promote(self, member_id: str) -> str:
        """Return sentences: Talos offers no such call (machine API, EtcdMember*)."""
        if self.platform == "talos":
            return (
                "Talos promotes it by itself within ten minutes after it joined, and never later: then remove it and wipe "
                f"its node, which joins anew: {self.remove_member(member_id)}; talosctl -n NODE reset --graceful=false "
                "--reboot --system-labels-to-wipe=EPHEMERAL"
            )
        return f"Promote it once it has caught up: {self._anywhere(f'member promote {member_id}')}"

    def see_the_process(self, endpoint: str | None = None) -> str:
        """Return what shows whether etcd runs on a node, and what it says; where an endpoint is named, on that node."""
        if self.platform == "talos":
            host = _host(endpoint) if endpoint else "NODE"
            return f"{_talosctl(host, 'service etcd')}; {_talosctl(host, 'logs etcd --tail 50')}"
        if self.platform == "static-pod":
            return "crictl ps -a --name etcd; tail -n 50 /var/log/pods/kube-system_etcd-*/etcd/*.log; journalctl -u kubelet -n 50"
        if self.platform == "systemd":
            return "systemctl status etcd; journalctl -u etcd --since -15min"
        return "journalctl -u etcd --since -15min (kubeadm: crictl ps -a --name etcd; crictl logs ID)"

    def see_the_nodes(self) -> str:
        """Return what looks at every node, where there is such a thing."""
        return "etcd-dr doctor" if self.platform in ("talos", "static-pod", "systemd") else ""

    def renew(self, role: CertificateRole) -> str:
        """Return how a certificate is renewed, without the full stop."""
        if self.platform == "talos" and role in (CertificateRole.SERVER, CertificateRole.PEER):
            return "Talos renews it by itself: a node whose clock is wrong does not. Look: talosctl -n NODE time"
        return _RENEW[role] if self.platform in ("", "static-pod") else _RENEW[role].partition("; on kubeadm")[0]

    def _anywhere(self, words: str) -> str:
        return f"{_IN_CONTAINER} {words}" if self.platform == "static-pod" else f"etcdctl {words}"


_RENEW = {
    CertificateRole.SERVER: "Renew it and restart nothing else meanwhile; on kubeadm: kubeadm certs renew etcd-server",
    CertificateRole.PEER: "Renew it before any peer has to reconnect; on kubeadm: kubeadm certs renew etcd-peer",
    CertificateRole.CLIENT: "Issue a new client certificate and put it in the same place; it is read afresh each time",
    CertificateRole.CA: "Plan a rotation: bring the new authority into every bundle first, then new certificates",
}


def show_certificate(url: str) -> str:
    """Return a command that shows the dates and the issuer of the certificate behind a URL."""
    parts = urlsplit(url)
    place = shlex.quote(f"{parts.hostname}:{parts.port}")
    return f"openssl s_client -connect {place} </dev/null | openssl x509 -noout -subject -issuer -dates"


def _talosctl(host: str, words: str) -> str:
    return f"talosctl -e {host} -n {host} {words}"


def _host(endpoint: str) -> str:
    """Return the host of a URL, or of the `host:port` that Talos' nodes are known by."""
    text = endpoint if "://" in endpoint else f"//{endpoint}"
    return urlsplit(text).hostname or endpoint
