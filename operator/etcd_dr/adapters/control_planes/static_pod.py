"""etcd as a static pod of the kubelet, the way kubeadm runs it.

- The kubelet starts what lies in its manifests directory and stops what leaves it. So stopping is moving the manifest
  into `etcd-dr-<recovery id>` beside that directory, on the same file system, and starting is moving it back.
- To join, a copy with other flags takes the manifest's place; the original waits as `etcd.yaml.original`.
- Writers are the manifests of kube-apiserver (and others that were configured): controllers write through it alone.
- A process is gone when neither crictl, where there is one, nor /proc shows it any more. Certificates, kubeconfigs and
  every other manifest are left as they are.
- "Ran before" means that the manifest was in place: the kubelet would have started it again and again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from etcd_dr.adapters.control_planes import scripts
from etcd_dr.adapters.control_planes.call import pushing, remaining
from etcd_dr.adapters.control_planes.manifest import (
    EtcdManifest,
    ManifestUnreadable,
    joining,
    program_of,
    read_manifest,
)
from etcd_dr.adapters.control_planes.service import LOG_LINES, ServiceSight
from etcd_dr.adapters.control_planes.shell import Shell
from etcd_dr.domain.recovery.sight import Launch, ProcessState, Writer
from etcd_dr.errors import NodeError, NodeFault

_GRACE_SECONDS = 2.0

# Where a manifest is now: in the directory itself, else where the latest recovery moved it. Prints that name, then the
# content.
_LOCATE = f"""\
where=$1/$2
if [ ! -f "$where" ]; then
  where=$(ls -dt -- "$3"/etcd-dr-*/ 2>/dev/null | while read -r kept; do
    for name in "$kept$2" "$kept$2.original"; do
      if [ -f "$name" ]; then printf '%s\\n' "$name"; exit 0; fi
    done
  done)
fi
if [ -z "$where" ]; then exit {scripts.IS_ABSENT}; fi
printf '%s\\n' "$where"
cat -- "$where"
"""

_MOVE_AWAY = """\
mkdir -p -- "$3"
if [ ! -e "$3/$2.ran" ]; then
  if [ -e "$1/$2" ]; then echo yes; else echo no; fi > "$3/$2.ran.part"
  settle "$3/$2.ran.part"
  mv -- "$3/$2.ran.part" "$3/$2.ran"
fi
if [ -e "$1/$2" ]; then
  older=1
  if [ -e "$3/$2" ]; then
    while [ -e "$3/$2.older-$older" ]; do older=$((older + 1)); done
    mv -- "$3/$2" "$3/$2.older-$older"
  fi
  mv -- "$1/$2" "$3/$2"
  settle "$1" "$3"
fi
cat -- "$3/$2.ran"
"""

_MOVE_BACK = f"""\
if [ -e "$1/$2" ]; then exit 0; fi
if [ ! -e "$3/$2" ]; then exit {scripts.IS_ABSENT}; fi
mv -- "$3/$2" "$1/$2"
settle "$1" "$3"
"""

# $4 is the copy that joins, written there before; the original is kept first and moved last.
_TAKE_PLACE = """\
if [ ! -e "$3/$2.original" ]; then
  cp -p -- "$3/$2" "$3/$2.original.part"
  mv -- "$3/$2.original.part" "$3/$2.original"
fi
mv -f -- "$3/$4" "$3/$2"
settle "$3"
"""

_RESTORE = """\
if [ ! -e "$3/$2.original" ]; then exit 0; fi
if [ -e "$1/$2" ]; then mv -f -- "$3/$2.original" "$1/$2"; else mv -f -- "$3/$2.original" "$3/$2"; fi
settle "$1" "$3"
"""

_RAN = 'if [ -e "$1/$2.ran" ]; then cat -- "$1/$2.ran"; fi\n'

_LOGS = """\
if command -v crictl >/dev/null 2>&1; then
  id=$(crictl ps -a -q --name "^$1\\$" --label io.kubernetes.pod.namespace=kube-system 2>/dev/null | head -n 1)
  if [ -n "$id" ]; then crictl logs --tail "$2" "$id" 2>&1; exit 0; fi
fi
newest=
for file in /var/log/pods/kube-system_"$1"-*/"$1"/*.log; do
  if [ -f "$file" ] && { [ -z "$newest" ] || [ "$file" -nt "$newest" ]; }; then newest=$file; fi
done
if [ -n "$newest" ]; then tail -n "$2" -- "$newest"; fi
"""


@dataclass(frozen=True, slots=True)
class StaticPodSettings:
    """Where the kubelet looks for manifests, and which are whose; writers in the order in which they are stopped."""

    manifests_dir: str = "/etc/kubernetes/manifests"
    manifest: str = "etcd.yaml"
    writers: tuple[str, ...] = ("kube-apiserver.yaml",)

    @property
    def beside(self) -> str:
        """The directory that holds the manifests directory."""
        return str(PurePosixPath(self.manifests_dir).parent)

    def kept(self, recovery_id: str) -> str:
        return f"{self.beside}/etcd-dr-{recovery_id}"


class StaticPodService:
    """Implements EtcdService for one node."""

    def __init__(self, shell: Shell, *, settings: StaticPodSettings) -> None:
        self._shell = shell
        self._settings = settings

    def look(self, *, until: float) -> ServiceSight:
        found = self._located(self._settings.manifest, until=until)
        manifest, problem = None, ""
        try:
            manifest = self._read(found[1]) if found is not None else None
        except NodeFault as error:
            problem = error.message
        process = ProcessState.UNKNOWN
        if manifest is not None:
            process = ProcessState.RUNNING if self._runs(manifest, until=until) else ProcessState.STOPPED
        return ServiceSight(
            process=process,
            launch=manifest.launch if manifest is not None else None,
            writers=tuple(self._writers(until=until)),
            version=manifest.version if manifest is not None else None,
            log_tail=self._log(manifest.container if manifest is not None else "etcd", until=until),
            problem=problem if found is not None else f"there is no manifest {self._settings.manifest}",
        )

    def launch(self, *, until: float) -> tuple[Launch | None, str]:
        found = self._located(self._settings.manifest, until=until)
        return (self._read(found[1]).launch if found is not None else None), ""

    def fence_writers(self, *, recovery_id: str, until: float) -> tuple[str, ...]:
        stopped = [
            file for file in self._settings.writers if self._move_away(file, recovery_id=recovery_id, until=until)
        ]
        for file in stopped:
            found = self._located(file, until=until)
            if found is not None:
                container, program = self._program(file, found[1])
                self._await_gone(program, "", container=container, until=until)
        return tuple(_name(file) for file in stopped)

    def lift_fence(self, *, recovery_id: str, until: float) -> tuple[str, ...]:
        back = []
        for file in reversed(self._settings.writers):
            ran = self._run(_RAN, self._settings.kept(recovery_id), file, until=until)
            if ran.strip() == b"yes":
                self._move_back(file, recovery_id=recovery_id, until=until)
                back.append(_name(file))
        return tuple(back)

    def stop(self, *, recovery_id: str, until: float) -> bool:
        ran = self._move_away(self._settings.manifest, recovery_id=recovery_id, until=until)
        found = self._located(self._settings.manifest, until=until)
        if found is not None:
            manifest = self._read(found[1])
            self._await_gone(manifest.program, manifest.data_dir, container=manifest.container, until=until)
        return ran

    def start(self, *, recovery_id: str, joins: Mapping[str, Sequence[str]] | None, until: float) -> None:
        found = self._located(self._settings.manifest, until=until)
        if found is None:
            raise NodeFault(
                f"there is no {self._settings.manifest} in {self._settings.manifests_dir}, nor one that was moved away",
                subject=self._shell.node,
                next_step="Put the manifest back (kubeadm init phase etcd local writes it), then run this again.",
            )
        where, text = found
        is_away = PurePosixPath(where).parent != PurePosixPath(self._settings.manifests_dir)
        if is_away:
            if joins is not None:
                self._take_place(text, joins, recovery_id=recovery_id, until=until)
            self._move_back(self._settings.manifest, recovery_id=recovery_id, until=until)
        manifest = self._read(text)
        said = self._shell.run(
            scripts.AWAIT_THERE, manifest.program, manifest.data_dir, _pauses(until), deadline=_with_grace(until)
        )
        if said.status == scripts.IS_ABSENT:
            raise NodeFault(
                "the kubelet has not started etcd in time",
                subject=self._shell.node,
                next_step="Look at it there: journalctl -u kubelet -n 50; crictl ps -a --name etcd",
                context={"said": "\n".join(self._log(manifest.container, until=until + _GRACE_SECONDS)[-10:])},
            )

    def restore_launch(self, *, recovery_id: str, until: float) -> None:
        self._run(_RESTORE, *self._places(self._settings.manifest, recovery_id), until=until)

    def _take_place(self, text: bytes, joins: Mapping[str, Sequence[str]], *, recovery_id: str, until: float) -> None:
        try:
            copy = joining(text, joins)
        except ManifestUnreadable as error:
            raise NodeFault(f"etcd cannot be started to join: {error}", subject=self._shell.node) from error
        file = self._settings.manifest
        part = f"{file}.joining"
        path = f"{self._settings.kept(recovery_id)}/{part}"
        self._shell.run(scripts.WRITE_FILE, path, "600", deadline=remaining(until), feed=pushing(copy))
        self._run(_TAKE_PLACE, *self._places(file, recovery_id), part, until=until)

    def _move_away(self, file: str, *, recovery_id: str, until: float) -> bool:
        return self._run(_MOVE_AWAY, *self._places(file, recovery_id), until=until).strip() == b"yes"

    def _move_back(self, file: str, *, recovery_id: str, until: float) -> None:
        said = self._shell.run(_MOVE_BACK, *self._places(file, recovery_id), deadline=remaining(until))
        if said.status == scripts.IS_ABSENT:
            raise NodeFault(
                f"{file} is neither in {self._settings.manifests_dir} nor where this recovery moved it",
                subject=self._shell.node,
                next_step=f"Look for it: ls {self._settings.beside}/etcd-dr-*/ ; another recovery may have moved it.",
            )

    def _places(self, file: str, recovery_id: str) -> tuple[str, str, str]:
        return self._settings.manifests_dir, file, self._settings.kept(recovery_id)

    def _located(self, file: str, *, until: float) -> tuple[str, bytes] | None:
        settings = self._settings
        said = self._shell.run(_LOCATE, settings.manifests_dir, file, settings.beside, deadline=remaining(until))
        if said.status == scripts.IS_ABSENT:
            return None
        where, _, text = said.output.partition(b"\n")
        return where.decode(), text

    def _read(self, text: bytes) -> EtcdManifest:
        try:
            return read_manifest(text)
        except ManifestUnreadable as error:
            raise self._unreadable(self._settings.manifest, error) from error

    def _program(self, file: str, text: bytes) -> tuple[str, str]:
        try:
            return program_of(text)
        except ManifestUnreadable as error:
            raise self._unreadable(file, error) from error

    def _program_or_name(self, file: str, text: bytes) -> str:
        try:
            return program_of(text)[1]
        except ManifestUnreadable:
            return _name(file)

    def _unreadable(self, file: str, error: ManifestUnreadable) -> NodeFault:
        return NodeFault(
            f"the manifest {file} {error}",
            subject=self._shell.node,
            next_step=f"Compare it with another node's: {self._settings.manifests_dir}/{file}",
        )

    def _runs(self, manifest: EtcdManifest, *, until: float) -> bool:
        return bool(self._run(scripts.FIND_PROCESS, manifest.program, manifest.data_dir, until=until).strip())

    def _writers(self, *, until: float) -> Sequence[Writer]:
        seen = []
        for file in self._settings.writers:
            found = self._located(file, until=until)
            if found is not None:
                program = self._program_or_name(file, found[1])
                runs = bool(self._run(scripts.FIND_PROCESS, program, "", until=until).strip())
                seen.append(Writer(_name(file), runs))
        return seen

    def _await_gone(self, program: str, data_dir: str, *, container: str, until: float) -> None:
        said = self._shell.run(
            scripts.AWAIT_GONE, program, data_dir, _pauses(until), container, deadline=_with_grace(until)
        )
        if said.status == scripts.STILL_RUNS:
            raise NodeFault(
                f"{program} still runs although its manifest was moved away",
                subject=self._shell.node,
                next_step="The kubelet stops it. Is the kubelet up? On the node: systemctl status kubelet. "
                "Without it: crictl stop $(crictl ps -q --name etcd)",
            )

    def _log(self, container: str, *, until: float) -> tuple[str, ...]:
        try:
            said = self._run(_LOGS, container, str(LOG_LINES), until=until)
        except NodeError:
            return ()
        return tuple(said.decode(errors="replace").splitlines()[-LOG_LINES:])

    def _run(self, script: str, *arguments: str, until: float) -> bytes:
        return self._shell.run(script, *arguments, deadline=remaining(until)).output


def _name(file: str) -> str:
    return file.removesuffix(".yaml").removesuffix(".yml").removesuffix(".json")


def _pauses(until: float) -> str:
    return str(max(0, int((remaining(until) - _GRACE_SECONDS) * scripts.PAUSES_PER_SECOND)))


def _with_grace(until: float) -> float:
    return max(remaining(until), until - time.monotonic() + _GRACE_SECONDS)
