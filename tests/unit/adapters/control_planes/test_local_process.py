"""What the local service knows of etcd's program."""

from __future__ import annotations

import json
import time
from pathlib import Path

from etcd_dr.adapters.cancellation import CancellationSwitch
from etcd_dr.adapters.control_planes.local_process import LocalProcessService
from etcd_dr.adapters.control_planes.local_shell import LocalShell

_SECONDS = 20.0


def test_program_is_asked_for_its_version_once_until_it_is_replaced(tmp_path: Path) -> None:
    """A recovery looks at each node several times, and an upgrade in between is still seen."""
    program = tmp_path / "etcd"
    _write(program, "3.5.30", asked=tmp_path / "asked")
    service = _service(tmp_path, program)

    before = [service.look(until=time.monotonic() + _SECONDS).version for _ in range(3)]
    program.unlink()
    _write(program, "3.6.1100", asked=tmp_path / "asked")
    after = service.look(until=time.monotonic() + _SECONDS).version

    assert (before, after) == (["3.5.30"] * 3, "3.6.1100")
    assert (tmp_path / "asked").read_text() == "3.5.30\n3.6.1100\n"


def test_program_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    """No answer is not kept as one."""
    program = tmp_path / "etcd"
    program.write_text("#!/bin/sh\n[ -e answers ] || exit 1\n".replace("answers", str(tmp_path / "answers")))
    with program.open("a") as file:
        file.write("echo 'etcd Version: 3.5.30'\n")
    program.chmod(0o755)
    service = _service(tmp_path, program)

    silent = service.look(until=time.monotonic() + _SECONDS).version
    (tmp_path / "answers").touch()

    assert silent is None
    assert service.look(until=time.monotonic() + _SECONDS).version == "3.5.30"


def _service(directory: Path, program: Path) -> LocalProcessService:
    command = [str(program), "--name=m1", f"--data-dir={directory / 'data'}"]
    (directory / "node.json").write_text(json.dumps({"etcd": command, "log": str(directory / "log")}))
    switch = CancellationSwitch()
    shell = LocalShell("m1", place=str(directory), cancellation=switch)
    return LocalProcessService(directory, shell=shell, cancellation=switch)


def _write(program: Path, version: str, *, asked: Path) -> None:
    program.write_text(f"#!/bin/sh\necho {version} >> {asked}\necho 'etcd Version: {version}'\n")
    program.chmod(0o755)
