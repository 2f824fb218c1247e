"""What it costs to know the stores."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_boto3_is_imported_only_for_a_bucket() -> None:
    """`etcd-dr --help` and a directory store never pay for boto3."""
    program = (
        "import sys, pathlib\n"
        "from etcd_dr.adapters.stores import DirectorySettings, open_store\n"
        "open_store(DirectorySettings(pathlib.Path('/nowhere')), clock=None, tokens=None)\n"
        "print(sorted(m for m in sys.modules if m in {'boto3', 'botocore', 'urllib3', 'crc32c'}))\n"
    )
    source = Path(__file__).parents[4] / "operator"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(source)}
    )

    assert done.stdout == "[]\n"
