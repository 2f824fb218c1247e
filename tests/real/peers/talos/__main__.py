"""`PYTHONPATH=tests python -m real.peers.talos --nodes 3`: a double to be spoken to by hand, until Ctrl-C.

Prints the path of a talosconfig with os:admin, and what to try; with `--ready-file` the same as JSON once all is up,
for a program that started it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from etcd_dr.adapters.local_cluster import preferred_etcd_binaries
from real.peers.talos.double import TalosDouble
from real.peers.talos.settings import TalosRelease, TalosSettings


def main() -> int:
    arguments = _arguments()
    settings = TalosSettings(
        binaries=preferred_etcd_binaries(os.environ),
        nodes=arguments.nodes,
        release=TalosRelease.parse(arguments.talos),
        start="unbootstrapped" if arguments.unbootstrapped else "formed",
    )
    ends = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ends.set())
    with (
        tempfile.TemporaryDirectory(prefix="talos-double-", ignore_cleanup_errors=True) as directory,
        TalosDouble(Path(directory), settings=settings) as double,
    ):
        _tell(double, ready_file=arguments.ready_file)
        ends.wait()
    return 0


def _tell(double: TalosDouble, *, ready_file: Path | None) -> None:
    config = double.talosconfig(nodes=double.addresses[:1])
    print(f"talosconfig: {config}")
    for machine in double.machines:
        print(f"{machine.hostname}: {machine.address} ({machine.node.machine_type})")
    print(f"try: talosctl --talosconfig {config} etcd members")
    print("Ctrl-C ends it and removes everything.", flush=True)
    if ready_file is not None:
        told = {
            "talosconfig": str(config),
            "addresses": double.addresses,
            "directory": str(double.directory),
            "etcd_endpoints": double.etcd_endpoints,
            "etcd_ca": str(double.etcd_tls.ca),
            "etcd_certificate": str(double.etcd_tls.certificate),
            "etcd_key": str(double.etcd_tls.key),
        }
        partial = ready_file.with_suffix(".new")
        partial.write_text(json.dumps(told))
        partial.replace(ready_file)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="real.peers.talos", description="Run a double of a Talos control plane.")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--talos", default="1.13.9", help="the release to be")
    parser.add_argument("--unbootstrapped", action="store_true", help="machines that nobody has bootstrapped yet")
    parser.add_argument("--ready-file", type=Path, help="write addresses and paths here, as JSON, when all is up")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
