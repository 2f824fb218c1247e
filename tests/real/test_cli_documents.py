"""JSON answers about a living cluster have the keys that docs/json-output.md promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from etcd_dr.adapters.local_cluster import LocalCluster
from real.etcd_command_line import command_line
from scenarios.documented_json import PAGE, differences, examples

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="the documentation is not part of this copy")


@pytest.mark.every_etcd
@pytest.mark.parametrize("name", ["snapshot save", "health", "members"])
def test_answer_has_the_documented_keys(shared_cluster: LocalCluster, tmp_path: Path, name: str) -> None:
    """Whatever version the members are."""
    done = command_line(shared_cluster, tmp_path)(*name.split(), "-o", "json")

    assert list(differences(examples()[name], done.document)) == []
