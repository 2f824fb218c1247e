"""Scripts on a far node, over the user's own OpenSSH: their configuration, agent, jump hosts and known hosts.

Rules this module keeps:
- Nothing is asked (BatchMode), and no host is trusted that the user does not trust: StrictHostKeyChecking is theirs.
- One connection serves all calls (ControlMaster), over a socket in a directory of our own. It ends with `close`, and
  by itself soon after a command that was killed.
- ssh ends with status 255 for its own failures and for some of the far side's. So a script says that it ended, and how,
  on standard error; where that line is missing, something before or around the script failed, and ssh's words tell.
- What runs there is `sh -c SCRIPT etcd-dr ARGUMENT...`, every word quoted; the login shell must understand single
  quotes, as every Bourne shell and fish do.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from etcd_dr.adapters.control_planes.call import Called, DeadlinePassed, Feed, Write, call
from etcd_dr.adapters.control_planes.scripts import PREAMBLE
from etcd_dr.adapters.control_planes.shell import checked
from etcd_dr.errors import NodeDenied, NodeError, NodeFault, NodeUnreachable
from etcd_dr.ports.cancellation import Cancellation

Sudo = Literal["auto", "always", "never"]

_SSH_FAILED = 255
_CLOSE_SECONDS = 5.0
# A Unix socket's path may have 108 bytes (unix(7)); %C takes 40 and ssh adds 17 while it connects.
_LONGEST_SOCKET_DIRECTORY = 45

_AS_ROOT = {
    "auto": 'if [ "$(id -u)" = 0 ]; then exec sh -c "$@"; fi; exec sudo -n -- sh -c "$@"',
    "always": 'exec sudo -n -- sh -c "$@"',
    "never": 'exec sh -c "$@"',
}
_SUDO_REFUSES = re.compile(r"(^|\n)sudo: |is not in the sudoers file|is not allowed to (execute|run)")
_LOGIN_REFUSED = re.compile(
    r"permission denied \(|too many authentication failures|this account is currently not available|account has expired"
    r"|no supported authentication methods",
    re.IGNORECASE,
)
_HOST_UNKNOWN = re.compile(r"host key verification failed|remote host identification has changed", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SshSettings:
    """How nodes are logged in to. What is None is for the user's ssh configuration to say."""

    program: str = "ssh"
    user: str | None = None
    port: int | None = None
    identity_file: Path | None = None
    config_file: Path | None = None
    options: tuple[str, ...] = ()
    sudo: Sudo = "auto"
    connect_timeout_seconds: float = 10.0


class SshShell:
    """Implements Shell on a far node. One thread at a time."""

    is_here = False

    def __init__(self, node: str, *, address: str, settings: SshSettings, cancellation: Cancellation) -> None:
        if address.startswith("-") or not address:
            raise ValueError(f"{address!r} is no address")
        self.node = node
        self.place = f"ssh {settings.user + '@' if settings.user else ''}{address}"
        self._address = address
        self._settings = settings
        self._cancellation = cancellation
        self._sockets: Path | None = None

    def run(
        self,
        script: str,
        *arguments: str,
        deadline: float,
        feed: Feed | None = None,
        write: Write | None = None,
    ) -> Called:
        ended = f"etcd-dr-ended-{secrets.token_hex(8)}"
        command = [*self._ssh(), "-T", "--", self._address, self._remote(script, arguments, ended=ended)]
        try:
            called = call(command, deadline=deadline, cancellation=self._cancellation, feed=feed, write=write)
        except DeadlinePassed as error:
            raise NodeUnreachable(
                f"no answer within {deadline:.0f} s",
                subject=self.node,
                next_step=self._try_by_hand(),
                context={"said": str(error)},
            ) from error
        complaint, marker, _ = called.complaint.partition(ended)
        if not marker:
            raise self._failed(called)
        return checked(Called(called.status, called.output, complaint.strip()), node=self.node, doing=self.place)

    def close(self) -> None:
        """End the shared connection. Safe to call twice."""
        if self._sockets is None:
            return
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                [*self._ssh(), "-O", "exit", "--", self._address],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_CLOSE_SECONDS,
                check=False,
            )
        shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets = None

    def _remote(self, script: str, arguments: Sequence[str], *, ended: str) -> str:
        # The subshell may end in any way; the line after it is written in every case in which this shell lives.
        whole = f"(\n{PREAMBLE}{script})\nstatus=$?\necho {ended} >&2\nexit $status\n"
        return shlex.join(["sh", "-c", _AS_ROOT[self._settings.sudo], "sh", whole, "etcd-dr", *arguments])

    def _ssh(self) -> list[str]:
        settings = self._settings
        command = [settings.program]
        if settings.config_file is not None:
            command += ["-F", str(settings.config_file)]
        # The first value of an option counts (ssh_config(5)), so the user's options come before ours.
        command += [f"-o{option}" for option in settings.options]
        command += [
            "-oBatchMode=yes",
            f"-oConnectTimeout={max(1, round(settings.connect_timeout_seconds))}",
            "-oServerAliveInterval=5",
            "-oServerAliveCountMax=3",
            "-oLogLevel=ERROR",
            "-oControlMaster=auto",
            f"-oControlPath={self._socket_directory()}/%C",
            "-oControlPersist=30",
            "-oForwardAgent=no",
            "-oForwardX11=no",
            "-oClearAllForwardings=yes",
            "-oRemoteCommand=none",
        ]
        if settings.user is not None:
            command.append(f"-oUser={settings.user}")
        if settings.port is not None:
            command.append(f"-oPort={settings.port}")
        if settings.identity_file is not None:
            command.append(f"-oIdentityFile={settings.identity_file}")
        return command

    def _socket_directory(self) -> Path:
        if self._sockets is None:
            base = tempfile.gettempdir()
            short = base if len(base) <= _LONGEST_SOCKET_DIRECTORY - len("/edr-xxxxxxxx") else "/tmp"  # noqa: S108 - a 0700 directory is made in it
            self._sockets = Path(tempfile.mkdtemp(prefix="edr-", dir=short))
        return self._sockets

    def _failed(self, called: Called) -> NodeError:
        """Return what it means that the script did not say how it ended."""
        said = called.complaint
        last = next((line for line in reversed(said.splitlines()) if line.strip()), f"status {called.status}").strip()
        context: dict[str, str | int | float | bool | None] = {"said": said[-2000:], "status": called.status}
        if _SUDO_REFUSES.search(said):
            return NodeDenied(
                f"sudo refuses: {last}",
                subject=self.node,
                next_step="Let this user run sudo without a password on the node, or log in as root.",
                context=context,
            )
        if _LOGIN_REFUSED.search(said):
            return NodeDenied(
                f"the login is refused: {last}", subject=self.node, next_step=self._try_by_hand(), context=context
            )
        if _HOST_UNKNOWN.search(said):
            return NodeDenied(
                f"the host key is not the one that is known: {last}",
                subject=self.node,
                next_step="Compare the key's fingerprint with one that you trust, then add it to known_hosts. "
                f"{self._try_by_hand()}",
                context=context,
            )
        if called.status in (_SSH_FAILED, -9, -15):
            return NodeUnreachable(
                f"no connection: {last}", subject=self.node, next_step=self._try_by_hand(), context=context
            )
        return NodeFault(
            f"the login shell cannot run sh: {last}", subject=self.node, next_step=self._try_by_hand(), context=context
        )

    def login(self) -> str:
        """Return a command that logs in and takes one more word: what to run there."""
        return shlex.join(self._words_by_hand())

    def _try_by_hand(self) -> str:
        return f"Try it by hand: {shlex.join([*self._words_by_hand(), 'true'])}"

    def _words_by_hand(self) -> list[str]:
        settings = self._settings
        words = [settings.program]
        if settings.config_file is not None:
            words += ["-F", str(settings.config_file)]
        if settings.port is not None:
            words += ["-p", str(settings.port)]
        if settings.identity_file is not None:
            words += ["-i", str(settings.identity_file)]
        words.append(f"{settings.user}@{self._address}" if settings.user else self._address)
        return words
