"""Commands that a next step can offer, quoted so that they can be pasted. TLS flags are left to ETCDCTL_*."""

from __future__ import annotations

import shlex
from urllib.parse import urlsplit


def etcdctl(endpoint: str, *words: str) -> str:
    """Return an etcdctl command for one endpoint."""
    return shlex.join(["etcdctl", f"--endpoints={endpoint}", *words])


def show_certificate(url: str) -> str:
    """Return a command that shows the dates and the issuer of the certificate behind a URL."""
    parts = urlsplit(url)
    place = shlex.quote(f"{parts.hostname}:{parts.port}")
    return f"openssl s_client -connect {place} </dev/null | openssl x509 -noout -subject -issuer -dates"


SEE_THE_PROCESS = "journalctl -u etcd --since -15min (kubeadm: crictl ps -a --name etcd; crictl logs ID)"
