"""etcd as a systemd unit.

- Stopped means stopped until this recovery starts it again, over a reboot too: a drop-in with an assertion that cannot
  hold keeps the unit down, and says why to whoever tries to start it. Masking would not do: a unit file under
  /etc cannot be masked, and a mask under /run has no force against it (systemctl(1), mask).
- To join, a drop-in starts the same command with more flags, or with variables from a file where the setting came from
  the environment (etcd refuses a flag and a variable for the same thing). `restore_launch` takes it away.
- What ran before is noted below `state_dir`, by the recovery's id. A unit that had failed counts as one that ran: it was
  meant to. One that a person had stopped stays down.
- Starting does not wait for the unit to be ready: etcd says so to systemd only once it has a quorum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etcd_dr.adapters.control_planes import scripts
from etcd_dr.adapters.control_planes.call import pushing, remaining
from etcd_dr.adapters.control_planes.flags import EtcdSettings
from etcd_dr.adapters.control_planes.service import LOG_LINES, ServiceSight
from etcd_dr.adapters.control_planes.shell import Shell
from etcd_dr.adapters.control_planes.unit import PROPERTIES, Unit, exec_start_as_written, joining_drop_in
from etcd_dr.domain.recovery.sight import Launch, ProcessState, Writer
from etcd_dr.errors import NodeError, NodeFault

_GRACE_SECONDS = 2.0
_JOIN_MARK = "zy-etcd-dr-join-"

_SHOW = 'systemctl show -p "$2" -- "$1"\n'

_CAT = 'systemctl cat -- "$1"\n'

# $1 unit, $2 recovery, $3 drop-ins, $4 state, $5 pauses.
_STOP = f"""\
ran=$4/$2/$1.ran
if [ ! -e "$ran" ]; then
  mkdir -p -- "$4/$2"
  case $(systemctl show -p ActiveState --value -- "$1") in inactive|'') echo no ;; *) echo yes ;; esac > "$ran.part"
  settle "$ran.part"
  mv -- "$ran.part" "$ran"
  settle "$4/$2"
fi
mkdir -p -- "$3/$1.d"
printf '[Unit]\\n# Written by etcd-dr: kept down by recovery %s until it ends.\\nAssertPathExists=%s\\n' \\
  "$2" "/etcd-dr-recovery-$2-keeps-this-unit-down" > "$3/$1.d/zz-etcd-dr-$2.conf.part"
mv -f -- "$3/$1.d/zz-etcd-dr-$2.conf.part" "$3/$1.d/zz-etcd-dr-$2.conf"
settle "$3/$1.d/zz-etcd-dr-$2.conf" "$3/$1.d"
systemctl daemon-reload
systemctl stop --no-block -- "$1"
left=$5
while :; do
  pid=$(systemctl show -p MainPID --value -- "$1")
  state=$(systemctl show -p ActiveState --value -- "$1")
  case $state in
    inactive|failed) if [ "${{pid:-0}}" = 0 ]; then break; fi ;;
  esac
  if [ "$left" -le 0 ]; then exit {scripts.STILL_RUNS}; fi
  if [ "$left" -eq 8 ]; then systemctl kill --signal=KILL -- "$1" || true; fi
  pause
  left=$((left - 1))
done
cat -- "$ran"
"""

# $1 unit, $2 recovery, $3 drop-ins, $4 state, $5 pauses.
_START = f"""\
rm -f -- "$3/$1.d/zz-etcd-dr-$2.conf"
for other in "$3/$1.d"/zz-etcd-dr-*.conf; do
  if [ -e "$other" ]; then printf '%s\\n' "$other"; exit {scripts.IN_THE_WAY}; fi
done
if [ -d "$3/$1.d" ]; then settle "$3/$1.d"; fi
systemctl daemon-reload
pid=$(systemctl show -p MainPID --value -- "$1")
if [ "${{pid:-0}}" != 0 ]; then exit 0; fi
systemctl reset-failed -- "$1" 2>/dev/null || true
systemctl start --no-block -- "$1"
left=$5
while :; do
  pid=$(systemctl show -p MainPID --value -- "$1")
  if [ "${{pid:-0}}" != 0 ]; then break; fi
  if [ "$left" -le 0 ]; then exit {scripts.IS_ABSENT}; fi
  pause
  left=$((left - 1))
done
"""

_RAN = 'if [ -e "$4/$2/$1.ran" ]; then cat -- "$4/$2/$1.ran"; fi\n'

_FORGET_JOINING = f"""\
if [ -e "$3/$1.d/{_JOIN_MARK}$2.conf" ]; then
  mkdir -p -- "$4/$2"
  mv -f -- "$3/$1.d/{_JOIN_MARK}$2.conf" "$4/$2/$1.joined.conf"
  settle "$3/$1.d" "$4/$2"
  systemctl daemon-reload
fi
"""

_READ_FILES = """\
for name in "$@"; do
  for file in $name; do
    if [ -f "$file" ]; then cat -- "$file"; echo; fi
  done
done
"""

_LOG = 'journalctl -u "$1" -n "$2" --no-pager -o cat 2>/dev/null\n'


@dataclass(frozen=True, slots=True)
class SystemdSettings:
    """Which units; writers in the order in which they are stopped. `drop_ins` is where systemd reads drop-ins."""

    unit: str = "etcd.service"
    writers: tuple[str, ...] = ("kube-apiserver.service",)
    drop_ins: str = "/etc/systemd/system"
    state_dir: str = "/var/lib/etcd-dr"


class SystemdService:
    """Implements EtcdService for one node."""

    def __init__(self, shell: Shell, *, settings: SystemdSettings) -> None:
        self._shell = shell
        self._settings = settings

    def look(self, *, until: float) -> ServiceSight:
        unit = self._shown(self._settings.unit, until=until)
        launch, program = None, ""
        problem = "" if unit.exists else f"there is no unit {self._settings.unit}"
        if unit.exists:
            program, settings = self._settings_of(unit, until=until)
            launch = _launch(unit, settings)
            problem = "" if launch is not None else settings.problem
        writers = []
        for name in self._settings.writers:
            writer = self._shown(name, until=until)
            if writer.exists:
                writers.append(Writer(name.removesuffix(".service"), writer.main_pid != 0))
        return ServiceSight(
            process=_state(unit),
            launch=launch,
            writers=tuple(writers),
            version=self._version(program, until=until) if program and launch is not None else None,
            log_tail=self._log(until=until),
            problem=problem,
        )

    def launch(self, *, until: float) -> tuple[Launch | None, str]:
        unit = self._shown(self._settings.unit, until=until)
        if not unit.exists:
            return None, ""
        _, settings = self._settings_of(unit, until=until)
        return _launch(unit, settings), unit.owner

    def fence_writers(self, *, recovery_id: str, until: float) -> tuple[str, ...]:
        return tuple(
            name.removesuffix(".service")
            for name in self._settings.writers
            if self._shown(name, until=until).exists and self._stop(name, recovery_id=recovery_id, until=until)
        )

    def lift_fence(self, *, recovery_id: str, until: float) -> tuple[str, ...]:
        back = []
        for name in reversed(self._settings.writers):
            ran = self._run(_RAN, *self._places(name, recovery_id), until=until).strip()
            if ran == b"yes":
                self._start(name, recovery_id=recovery_id, until=until)
                back.append(name.removesuffix(".service"))
            elif ran == b"no":
                self._unfence(name, recovery_id=recovery_id, until=until)
        return tuple(back)

    def stop(self, *, recovery_id: str, until: float) -> bool:
        return self._stop(self._settings.unit, recovery_id=recovery_id, until=until)

    def start(self, *, recovery_id: str, joins: Mapping[str, Sequence[str]] | None, until: float) -> None:
        unit = self._shown(self._settings.unit, until=until)
        if not unit.exists:
            raise NodeFault(f"there is no unit {self._settings.unit}", subject=self._shell.node)
        if joins is not None and unit.main_pid == 0:
            self._write_joining(unit, joins, recovery_id=recovery_id, until=until)
        self._start(self._settings.unit, recovery_id=recovery_id, until=until)

    def restore_launch(self, *, recovery_id: str, until: float) -> None:
        self._run(_FORGET_JOINING, *self._places(self._settings.unit, recovery_id), until=until)

    def _write_joining(self, unit: Unit, joins: Mapping[str, Sequence[str]], *, recovery_id: str, until: float) -> None:
        name = self._settings.unit
        _, settings = self._settings_of(unit, until=until)
        if settings.problem:
            raise NodeFault(f"etcd cannot be started to join: {settings.problem}", subject=self._shell.node)
        how = settings.joining(joins)
        cat = self._run(_CAT, name, until=until).decode(errors="replace")
        variables = None
        if how.environment:
            variables = f"{self._settings.state_dir}/{recovery_id}/{name}.joining.env"
            body = "".join(f'{key}="{value}"\n' for key, value in how.environment.items())
            self._write(variables, body, until=until)
        drop_in = joining_drop_in(exec_start_as_written(cat, without=_JOIN_MARK), how.flags, environment_file=variables)
        self._write(f"{self._settings.drop_ins}/{name}.d/{_JOIN_MARK}{recovery_id}.conf", drop_in, until=until)

    def _write(self, path: str, text: str, *, until: float) -> None:
        self._shell.run(scripts.WRITE_FILE, path, "644", deadline=remaining(until), feed=pushing(text.encode()))

    def _stop(self, name: str, *, recovery_id: str, until: float) -> bool:
        said = self._shell.run(
            _STOP, *self._places(name, recovery_id), _pauses(until), deadline=remaining(until) + _GRACE_SECONDS
        )
        if said.status == scripts.STILL_RUNS:
            raise NodeFault(
                f"{name} does not stop",
                subject=self._shell.node,
                next_step=f"Look at it there: systemctl status {name}; journalctl -u {name} -n 50",
            )
        return said.output.strip() == b"yes"

    def _start(self, name: str, *, recovery_id: str, until: float) -> None:
        said = self._shell.run(
            _START, *self._places(name, recovery_id), _pauses(until), deadline=remaining(until) + _GRACE_SECONDS
        )
        if said.status == scripts.IN_THE_WAY:
            raise NodeFault(
                f"{name} is kept down by another recovery: {said.output.decode().strip()}",
                subject=self._shell.node,
                next_step="Finish or abort that one first: etcd-dr recover status",
            )
        if said.status == scripts.IS_ABSENT:
            raise NodeFault(
                f"{name} was started and has no process",
                subject=self._shell.node,
                next_step=f"Look at it there: systemctl status {name}; journalctl -u {name} -n 50",
                context={"said": "\n".join(self._log(until=until + _GRACE_SECONDS)[-10:])},
            )

    def _unfence(self, name: str, *, recovery_id: str, until: float) -> None:
        script = 'rm -f -- "$3/$1.d/zz-etcd-dr-$2.conf"; systemctl daemon-reload\n'
        self._run(script, *self._places(name, recovery_id), until=until)

    def _places(self, name: str, recovery_id: str) -> tuple[str, str, str, str]:
        return name, recovery_id, self._settings.drop_ins, self._settings.state_dir

    def _shown(self, name: str, *, until: float) -> Unit:
        return Unit.parse(self._run(_SHOW, name, PROPERTIES, until=until).decode(errors="replace"))

    def _settings_of(self, unit: Unit, *, until: float) -> tuple[str, EtcdSettings]:
        files = [self._run(_READ_FILES, name, until=until) for name in unit.environment_files]
        return unit.settings(files)

    def _version(self, program: str, *, until: float) -> str | None:
        try:
            said = self._run('"$1" --version\n', program, until=until).decode(errors="replace")
        except NodeError:
            return None
        return said.partition("\n")[0].rpartition(" ")[2].strip() or None

    def _log(self, *, until: float) -> tuple[str, ...]:
        try:
            said = self._run(_LOG, self._settings.unit, str(LOG_LINES), until=until)
        except NodeError:
            return ()
        return tuple(said.decode(errors="replace").splitlines()[-LOG_LINES:])

    def _run(self, script: str, *arguments: str, until: float) -> bytes:
        return self._shell.run(script, *arguments, deadline=remaining(until)).output


def _state(unit: Unit) -> ProcessState:
    if not unit.exists:
        return ProcessState.UNKNOWN
    return ProcessState.RUNNING if unit.main_pid else ProcessState.STOPPED


def _launch(unit: Unit, settings: EtcdSettings) -> Launch | None:
    """Return how it is started; None where not even its data directory is known."""
    if settings.problem and settings.get("data-dir") is None:
        return None
    launch = settings.launch()
    below = unit.get("WorkingDirectory").lstrip("!-") or "/"
    if launch.data_dir.startswith("/"):
        return launch
    return settings.launch(data_dir=f"{below.rstrip('/')}/{launch.data_dir}")


def _pauses(until: float) -> str:
    return str(max(0, int((remaining(until) - _GRACE_SECONDS) * scripts.PAUSES_PER_SECOND)))
