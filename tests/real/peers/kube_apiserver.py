"""A real kube-apiserver over a real etcd of its own: RBAC, client certificates, service account tokens.

- One program and one etcd member; no controllers and no kubelet, so namespaces are not finalised and pods stay pending.
- It may be killed, stopped in its tracks (SIGSTOP: it accepts connections and answers nothing) and started again on
  the same port over the same data.
- `kubeconfig` files are how everybody gets in: the administrator (group system:masters), and service accounts by a
  token that the server itself issued.
- Both 1.20 and current releases start with these flags.
"""

from __future__ import annotations

import functools
import os
import re
import signal
import ssl
import subprocess
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from etcd_dr.adapters.local_cluster import ClusterSettings, EtcdBinaries, LocalAuthority, LocalCluster, TlsFiles
from etcd_dr.adapters.local_cluster.child import free_ports, log_tail, stand_still, start_child
from real.peers.s3_server import ServerEndedEarly, wait_until
from tools import envtest

_FORMING_ATTEMPTS = 3
_READY_SECONDS = 120.0
_ISSUER = "https://kubernetes.default.svc"


@functools.cache
def find_kube_apiserver() -> Path | None:
    """Return the program, or None; see tools/envtest.py for where it is looked for."""
    return envtest.find(os.environ)


class KubeApiserver:
    """A server that may run or not; `with KubeApiserver(...)` starts it and ends it and its etcd."""

    def __init__(self, directory: Path, *, program: Path, etcd_binaries: EtcdBinaries) -> None:
        self.directory = directory
        self.log = directory / "kube-apiserver.log"
        self.port = 0
        self.etcd = LocalCluster(directory / "etcd", binaries=etcd_binaries, settings=ClusterSettings(size=1))
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        now = datetime.now(UTC)
        self._authority = LocalAuthority(
            directory / "pki", valid_from=now - timedelta(hours=1), valid_until=now + timedelta(days=2)
        )
        self._server_tls = self._authority.issue("apiserver")
        self.admin_tls = self._authority.issue("admin", organization="system:masters", serves=False)
        self._token_key = directory / "pki" / "tokens.key"
        self._token_key.write_bytes(_rsa_key())

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def ca(self) -> Path:
        return self._server_tls.ca

    @functools.cached_property
    def release(self) -> tuple[int, int]:
        """Major and minor as the program says them, such as (1, 20)."""
        said = subprocess.run([self._program, "--version"], capture_output=True, text=True, check=True, timeout=60)
        found = re.search(r"v(\d+)\.(\d+)", said.stdout)
        assert found is not None, said.stdout
        return int(found[1]), int(found[2])

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        self.etcd.__enter__()
        try:
            self._form()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.etcd.kill()

    def start(self, *, deadline_seconds: float = _READY_SECONDS) -> None:
        """Start on the same port as before, and return once it is ready, its own roles included. No-op while it runs."""
        if self.is_running:
            return
        self._process = start_child(self._command_line(), log=self.log)
        wait_until(self.is_ready, process=self._process, log=self.log, deadline_seconds=deadline_seconds)

    def kill(self) -> None:
        """End it as a power cut would, paused or not, and wait for it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def pause(self) -> None:
        """Stop it in its tracks: connections are accepted by the kernel and nothing is answered."""
        assert self._process is not None, "it was never started"
        stand_still(self._process)

    def resume(self) -> None:
        assert self._process is not None, "it was never started"
        self._process.send_signal(signal.SIGCONT)

    def is_ready(self) -> bool:
        """Whether /readyz says so to the administrator, and the first namespace is there, which comes a moment later."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.load_cert_chain(self.admin_tls.certificate, self.admin_tls.key)
        try:
            for path in ("/readyz", "/api/v1/namespaces/default"):
                with urllib.request.urlopen(f"{self.url}{path}", timeout=5, context=context):
                    pass
        except OSError:  # refused, silent, or an answer that is no success
            return False
        return True

    @functools.cached_property
    def admin_kubeconfig(self) -> Path:
        """A kubeconfig file that may do everything."""
        user = {"client-certificate": str(self.admin_tls.certificate), "client-key": str(self.admin_tls.key)}
        return self._kubeconfig("admin", user, namespace="default")

    def service_account_kubeconfig(self, namespace: str, name: str, *, seconds: int = 3600) -> Path:
        """Return a kubeconfig file of a service account, which must exist, with a token that the server issued."""
        with self.client() as api:
            token = _issue_token(api, namespace, name, seconds=seconds)
        return self._kubeconfig(f"{namespace}-{name}", {"token": token}, namespace=namespace)

    def make_namespace(self, name: str) -> str:
        """Create a namespace, if it is not there yet, and return its name."""
        from kubernetes.client import ApiException, CoreV1Api  # noqa: PLC0415 - a second of work that only users of the server pay

        with self.client() as api:
            try:
                CoreV1Api(api).create_namespace({"metadata": {"name": name}}, _request_timeout=60)
            except ApiException as refusal:
                if refusal.status != 409:
                    raise
        return name

    def client(self, kubeconfig: Path | None = None) -> Any:
        """Return a kubernetes ApiClient, the administrator's unless told otherwise; the caller closes it."""
        from kubernetes import config  # noqa: PLC0415 - a second of work that only users of the server pay

        return config.new_client_from_config(str(kubeconfig or self.admin_kubeconfig))

    def _form(self) -> None:
        for attempt in range(1, _FORMING_ATTEMPTS + 1):
            [self.port] = free_ports(1)
            try:
                self.start()
            except ServerEndedEarly:
                self.kill()
                if attempt == _FORMING_ATTEMPTS or "address already in use" not in log_tail(self.log, lines=50):
                    raise
            else:
                return

    def _command_line(self) -> list[str | Path]:
        etcd: TlsFiles = self.etcd.client_tls
        return [
            self._program,
            f"--etcd-servers={','.join(self.etcd.endpoints)}",
            f"--etcd-cafile={etcd.ca}",
            f"--etcd-certfile={etcd.certificate}",
            f"--etcd-keyfile={etcd.key}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self.directory / 'pki'}",
            f"--tls-cert-file={self._server_tls.certificate}",
            f"--tls-private-key-file={self._server_tls.key}",
            f"--client-ca-file={self._server_tls.ca}",
            "--authorization-mode=RBAC",
            f"--service-account-issuer={_ISSUER}",
            f"--service-account-signing-key-file={self._token_key}",
            f"--service-account-key-file={self._token_key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            # Loopback is no address for the Service of the API, and nobody asks for that Service here.
            "--endpoint-reconciler-type=none",
            # No controller makes the token Secrets and the default accounts that this plug-in waits for.
            "--disable-admission-plugins=ServiceAccount",
            "--profiling=false",
        ]

    def _kubeconfig(self, name: str, user: dict[str, str], *, namespace: str) -> Path:
        path = self.directory / f"{name}.kubeconfig"
        context = {"cluster": "test", "user": name, "namespace": namespace}
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": self.url, "certificate-authority": str(self.ca)}}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "test", "context": context}],
            "current-context": "test",
        }
        path.write_text(yaml.safe_dump(content))
        path.chmod(0o600)
        return path


def _issue_token(api: Any, namespace: str, name: str, *, seconds: int) -> str:
    from kubernetes import client  # noqa: PLC0415 - a second of work that only users of the server pay

    asked = {"spec": {"audiences": [_ISSUER], "expirationSeconds": seconds}}
    answer = client.CoreV1Api(api).create_namespaced_service_account_token(name, namespace, asked, _request_timeout=60)
    return str(answer.status.token)


def _rsa_key() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
