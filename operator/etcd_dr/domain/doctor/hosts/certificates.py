"""Rules on the files that etcd is started with: certificates, keys, authorities."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from etcd_dr.domain.doctor.hosts.observation import HostObservation, HostsObservation
from etcd_dr.domain.doctor.hosts.rule import HostRule
from etcd_dr.domain.health import Finding, Severity

_SOON = timedelta(days=30)
_AUTHORITY_OF = {
    "cert-file": "trusted-ca-file",
    "peer-cert-file": "peer-trusted-ca-file",
    "etcd-certfile": "trusted-ca-file",  # kube-apiserver's, which etcd has to accept
}
_URLS_OF = {"cert-file": "advertise-client-urls", "peer-cert-file": "initial-advertise-peer-urls"}
_RENEW = "kubeadm certs renew all, then restart etcd on this node by moving its manifest out for a minute and back"


def dates(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        for certificate in node.certificates:
            left = certificate.not_after - seen.taken_at
            soon = min(_SOON, (certificate.not_after - certificate.not_before) / 5)
            if left > soon and certificate.not_before <= seen.taken_at:
                continue
            if certificate.not_before > seen.taken_at:
                said = f"is not valid before {certificate.not_before:%Y-%m-%d %H:%M} UTC"
            elif left < timedelta(0):
                said = f"has expired at {certificate.not_after:%Y-%m-%d %H:%M} UTC"
            else:
                said = f"ends in {left.days} days, at {certificate.not_after:%Y-%m-%d %H:%M} UTC"
            is_over = left < timedelta(0) or certificate.not_before > seen.taken_at
            yield Finding(
                "cert.expired" if is_over else "cert.expiring",
                Severity.CRITICAL if is_over else Severity.WARNING,
                f"{certificate.path} {said}",
                "etcd reads it anew for each connection, so members that know each other go on until one restarts. "
                + (
                    "It is an authority: renewing it changes every certificate below it, so plan it."
                    if certificate.is_authority
                    else f"Renew: {_RENEW}"
                )
                + f". See: {node.command(f'openssl x509 -noout -subject -dates -in {certificate.path}')}",
                member=node.name,
                evidence={"not_after": f"{certificate.not_after:%Y-%m-%dT%H:%M:%SZ}", "flag": certificate.flag},
                about=certificate.path,
            )


def missing(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        for path in node.files:
            if not path.exists:
                yield Finding(
                    "cert.missing",
                    Severity.CRITICAL,
                    f"{path.path} is not there, and etcd or kube-apiserver is started with it",
                    "Bring it back from a snapshot's companions (etcd-dr snapshot fetch --companions), or make it "
                    f"anew: {node.command('ls -la ' + path.path.rpartition('/')[0])}",
                    member=node.name,
                    about=path.path,
                )
            elif path.path.endswith(".key") and path.mode & 0o044:
                yield Finding(
                    "cert.key_readable",
                    Severity.WARNING,
                    f"{path.path} has mode {path.mode:04o}: others may read the key",
                    f"Take their rights away: {node.command(f'chmod 600 {path.path}')}",
                    member=node.name,
                    about=path.path,
                )


def names(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        for certificate in node.certificates:
            flag = _URLS_OF.get(certificate.flag)
            if flag is None or node.etcd is None or not certificate.names:
                continue
            hosts = {urlsplit(url).hostname or "" for url in node.etcd.urls(flag)} - {""}
            lacking = sorted(host for host in hosts if not _covers(certificate.names, host))
            if lacking:
                yield Finding(
                    "cert.names",
                    Severity.CRITICAL if certificate.flag == "peer-cert-file" else Severity.WARNING,
                    f"{certificate.path} does not hold {', '.join(lacking)}, at which this member is reached",
                    "The node's address or name changed since it was made, or it was copied from another node. Make it "
                    f"anew. See what it holds: "
                    f"{node.command(f'openssl x509 -noout -ext subjectAltName -in {certificate.path}')}",
                    member=node.name,
                    evidence={"holds": ", ".join(sorted(certificate.names))[:300]},
                    about=certificate.path,
                )


def authorities(seen: HostsObservation) -> Iterator[Finding]:
    for node in seen.nodes:
        for certificate in node.certificates:
            flag = _AUTHORITY_OF.get(certificate.flag)
            signers = {c.key_id for c in node.certificates if c.flag == flag and c.key_id}
            if signers and certificate.issuer_key_id and certificate.issuer_key_id not in signers:
                yield Finding(
                    "cert.foreign",
                    Severity.CRITICAL,
                    f"{certificate.path} was not signed by the authority in --{flag}",
                    "Certificate and authority are of different makings. Compare with another node before either is "
                    f"replaced: {node.command(f'openssl x509 -noout -issuer -in {certificate.path}')}",
                    member=node.name,
                    about=certificate.path,
                )
    yield from _across_nodes(seen)


def _across_nodes(seen: HostsObservation) -> Iterator[Finding]:
    for flag in ("trusted-ca-file", "peer-trusted-ca-file"):
        told = {node.name: keys for node in seen.nodes if (keys := _keys(node, flag))}
        if len(told) > 1 and not frozenset.intersection(*told.values()):
            yield Finding(
                "cert.authorities_differ",
                Severity.CRITICAL,
                f"the nodes trust different authorities (--{flag})",
                "They cannot talk to each other. The one that most certificates are signed by is right; a node that "
                "was set up anew, or copied, has another. Compare on each: openssl x509 -noout -fingerprint -sha256 -in "
                "/etc/kubernetes/pki/etcd/ca.crt",
                evidence={name: ", ".join(sorted(keys))[:120] for name, keys in told.items()},
                about=flag,
            )


def _keys(node: HostObservation, flag: str) -> frozenset[str]:
    return frozenset(c.key_id for c in node.certificates if c.flag == flag and c.key_id)


def _covers(names_of: frozenset[str], host: str) -> bool:
    lowered = {name.lower() for name in names_of}
    host = host.lower()
    return host in lowered or f"*.{host.partition('.')[2]}" in lowered


RULES = (
    HostRule(dates, ("cert.expired", "cert.expiring")),
    HostRule(missing, ("cert.missing", "cert.key_readable")),
    HostRule(names, ("cert.names",)),
    HostRule(authorities, ("cert.foreign", "cert.authorities_differ")),
)
