"""The short way of `snapshot status`: the whole way's answer to the letter, and nothing where it is not sure."""

from __future__ import annotations

import gzip
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from etcd_dr.entrypoints.cli import short_way
from etcd_dr.entrypoints.cli.process import Process
from etcd_dr.entrypoints.cli.program import run
from fakes.bolt_file import BoltFile, Shape
from fakes.etcd_history import EtcdHistory


def sealed() -> bytes:
    history = EtcdHistory()
    for number in range(300):
        history.put(b"/key/%d" % (number % 70), bytes(number % 40))
    return BoltFile(history.buckets(), Shape(page_size=1024)).sealed()


def without_trailer(body: bytes) -> bytes:
    return body[:-32]


def damaged(body: bytes) -> bytes:
    return body[: 3 * 1024] + bytes(2048) + body[5 * 1024 :]


def process(stdout: io.StringIO | None = None) -> Process:
    return Process({}, io.StringIO(), stdout or io.StringIO(), io.StringIO(), usual_places=())


@pytest.mark.parametrize("form", ["table", "json", "yaml"])
@pytest.mark.parametrize("change", [bytes, without_trailer, damaged])
def test_answer_is_that_of_the_whole_way(tmp_path: Path, form: str, change: type[bytes]) -> None:
    """Output and exit status are equal, whatever the file holds and whatever form is asked for."""
    file = tmp_path / "file.db"
    file.write_bytes(change(sealed()))
    words = ["snapshot", "status", str(file), "-o", form]
    short, whole = process(), process()

    statuses = short_way.answer(words, short), run(words, whole)

    assert statuses[0] == statuses[1]
    assert short.stdout.getvalue() == whole.stdout.getvalue() != ""  # type: ignore[attr-defined]  # StringIO


@pytest.mark.parametrize(
    "words",
    [
        "snapshot status FILE",
        "snapshot status FILE -o json",
        "snapshot status --output=json FILE",
        "-w json snapshot status -q FILE",
        "snapshot status --write-out yaml --quiet FILE",
    ],
)
def test_common_words_are_understood(words: str) -> None:
    """What people type most is recognised, wherever options stand."""
    assert short_way.asked(words.split()) is not None


@pytest.mark.parametrize(
    "words",
    [
        "",
        "--help",
        "snapshot status",
        "snapshot status FILE --help",
        "snapshot status FILE --full",
        "snapshot status FILE FILE",
        "snapshot status FILE -o xml",
        "snapshot status FILE -o",
        "snapshot status FILE -ojson",
        "snapshot status FILE -o=json",
        "snapshot status FILE --identity KEY",
        "--config FILE snapshot status FILE",
        "snapshot status -- FILE",
        "snapshot verify FILE",
    ],
)
def test_other_words_go_the_whole_way(words: str) -> None:
    """Anything else is somebody else's to judge."""
    assert short_way.asked(words.split()) is None


def test_other_files_go_the_whole_way(tmp_path: Path) -> None:
    """A wrapped file, a missing one, and what is no file or no database: nothing is printed here."""
    (tmp_path / "wrapped").write_bytes(gzip.compress(sealed()))
    (tmp_path / "text").write_text("not a database")
    (tmp_path / "cut").write_bytes(sealed()[:-5])
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")

    for name in ("wrapped", "text", "cut", "empty", "pipe", "missing", "."):
        here = process()
        assert short_way.answer(["snapshot", "status", str(tmp_path / name)], here) is None
        assert here.stdout.getvalue() == here.stderr.getvalue() == ""  # type: ignore[attr-defined]  # StringIO


def test_signal_ends_it_with_a_word(tmp_path: Path) -> None:
    """SIGTERM ends the work with the status and the sentence of every command that is stopped."""

    class Interrupting(io.StringIO):
        def write(self, text: str) -> int:
            os.kill(os.getpid(), signal.SIGTERM)
            return super().write(text)

    file, here, before = tmp_path / "file.db", process(Interrupting()), signal.getsignal(signal.SIGTERM)
    file.write_bytes(sealed())

    status = short_way.answer(["snapshot", "status", str(file), "-o", "json"], here)

    assert status == 130
    said = here.stderr.getvalue()  # type: ignore[attr-defined]  # StringIO
    assert "SIGTERM" in said
    assert "Nothing was changed" in said
    assert signal.getsignal(signal.SIGTERM) is before


def test_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    """That is the point: neither what reads options, nor configuration, nor the network's libraries."""
    file = tmp_path / "file.db"
    file.write_bytes(sealed())
    code = (
        "import sys\n"
        "from etcd_dr.entrypoints.cli import short_way\n"
        "from etcd_dr.entrypoints.cli.process import Process\n"
        f"assert short_way.answer(['snapshot', 'status', {str(file)!r}, '-o', 'json'], Process.this_one()) == 0\n"
        "print(*{name.partition('.')[0] for name in sys.modules}, file=sys.stderr)\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)

    assert not {"typer", "pydantic", "rich", "yaml", "structlog", "boto3", "grpc"} & set(done.stderr.split())
