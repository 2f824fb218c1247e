"""A real OpenSSH server on loopback: keys of its own, one login, and what a node needs on its PATH.

- sshd run by root wants a user `sshd` and /run/sshd. Both are made in a mount namespace of its own (unshare(1)), so
  the machine stays as it is.
- The processes that serve connections outlive a killed listener; `cut` ends them all, as a power cut would.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from etcd_dr.adapters.local_cluster.child import free_ports, log_tail, start_child

_IN_NAMESPACE = """\
set -eu
mount --make-rprivate /
cat /etc/passwd > "$1/passwd"
grep -q '^sshd:' "$1/passwd" || echo 'sshd:x:64111:65534::/run/sshd:/usr/sbin/nologin' >> "$1/passwd"
mount --bind "$1/passwd" /etc/passwd
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/sshd
shift
while [ "$1" != -- ]; do
  mount --bind "$2" "$1"
  shift 2
done
shift
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class SshdProgram:
    """The server program and where libraries are that this machine may lack."""

    path: Path
    libraries: Path | None


def find_sshd(environ: Mapping[str, str]) -> SshdProgram | None:
    """Return the one that `make tools` fetched, else the machine's, None where there is none."""
    tools = Path(environ.get("ETCD_DR_TOOLS_DIR") or ".tools").absolute()
    if (tools / "bin" / "sshd").is_file():
        return SshdProgram(tools / "bin" / "sshd", tools / "lib")
    found = shutil.which("sshd", path=f"{environ.get('PATH', '')}:/usr/sbin:/sbin")
    return SshdProgram(Path(found), None) if found else None


def why_not(environ: Mapping[str, str]) -> str:
    """Say why sshd cannot run here, empty where it can."""
    if find_sshd(environ) is None:
        return "no sshd at hand: run `make tools`, or install openssh-server"
    if shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        return "no ssh client at hand: install openssh-client"
    if os.geteuid() != 0:
        return "the nodes' directories are mounted, which only root may do"
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        return "sshd as root needs unshare(1), which this container forbids"
    return ""


class Sshd:
    """One server; `start`, `cut` and `start` again keep its port and keys. `environment` is what logins see."""

    def __init__(
        self,
        directory: Path,
        program: SshdProgram,
        *,
        environment: Mapping[str, str],
        mounts: Mapping[str, Path] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.log = directory / "sshd.log"
        self.port = 0
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.identity = directory / "client_key"
        self.host_key = directory / "host_key"
        self.client_config = directory / "ssh_config"
        self._program = program
        self._environment = dict(environment)
        self._mounts = dict(mounts or {})
        self._process: subprocess.Popen[bytes] | None = None
        for key in (self.identity, self.host_key):
            if not key.exists():
                _keygen(key)
        self.authorized = directory / "authorized_keys"
        self.authorize(self.identity)

    def __enter__(self) -> Self:
        for attempt in range(3):
            self.port = free_ports(1)[0]
            self._write_files()
            try:
                self.start()
            except RuntimeError:
                self.cut()
                if attempt == 2:
                    raise
            else:
                break
        return self

    def __exit__(self, *failure: object) -> None:
        self.cut()

    def authorize(self, identity: Path) -> None:
        """Let this key log in, and no other."""
        self.authorized.write_text(identity.with_name(identity.name + ".pub").read_text())
        self.authorized.chmod(0o600)

    def start(self) -> None:
        """Start on the port chosen before and return once it greets."""
        command: list[str | Path] = [self._program.path, "-D", "-e", "-f", self.directory / "sshd_config"]
        if os.geteuid() == 0:
            mounts = [word for pair in self._mounts.items() for word in pair]
            command = ["unshare", "-m", "sh", "-c", _IN_NAMESPACE, "sh", self.directory, *mounts, "--", *command]
        libraries = {"LD_LIBRARY_PATH": str(self._program.libraries)} if self._program.libraries else {}
        self._process = start_child(command, log=self.log, environ={"PATH": os.environ.get("PATH", ""), **libraries})
        deadline = time.monotonic() + 60
        while not self._greets():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"sshd did not start\n{log_tail(self.log)}")
            time.sleep(0.02)

    def cut(self) -> None:
        """End the server and everything that it serves, at once."""
        if self._process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            server = psutil.Process(self._process.pid)
            server.suspend()  # it must not let somebody in between the look and the end
            everything = server.children(recursive=True)
            self._process.kill()
            for process in everything:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self._process.wait()

    def cut_connections(self) -> int:
        """End what serves connections and leave the server; return how many processes that were."""
        ended = 0
        if self._process is not None:
            for process in psutil.Process(self._process.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
                    ended += 1
        return ended

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the server and everything that it serves stand still: connections are taken and nothing is said."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        everything = [server, *server.children(recursive=True)]
        for process in everything:
            process.suspend()
        try:
            yield
        finally:
            for process in everything:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def _greets(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            return connection.recv(4) == b"SSH-"
        return False

    def _write_files(self) -> None:
        environment = " ".join(f'{name}="{value}"' for name, value in self._environment.items())
        (self.directory / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.host_key}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.authorized}\nStrictModes no\nPasswordAuthentication no\n"
            f"KbdInteractiveAuthentication no\nPermitRootLogin yes\nMaxStartups 100\nPrintMotd no\nSetEnv {environment}\n"
        )
        public = " ".join(self.host_key.with_name("host_key.pub").read_text().split()[:2])
        known = self.directory / "known_hosts"
        known.write_text(f"[127.0.0.1]:{self.port} {public}\n")
        self.client_config.write_text(f"Host *\n{self.client_options()}")

    def client_options(self) -> str:
        """Return what a client needs, as lines of an ssh configuration; the address is 127.0.0.1."""
        return (
            f"  User {self.user}\n  Port {self.port}\n  IdentityFile {self.identity}\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.directory / 'known_hosts'}\n  GlobalKnownHostsFile none\n"
            "  StrictHostKeyChecking yes\n"
        )


def make_key(path: Path) -> Path:
    """Return a new key pair's private file."""
    _keygen(path)
    return path


def _keygen(path: Path) -> None:
    command: Sequence[str | Path] = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "etcd-dr test", "-f", path]
    subprocess.run(command, check=True, capture_output=True)
