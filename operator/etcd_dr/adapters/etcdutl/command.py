"""The command line of a restore. Everything that etcd could read another way is refused before it is run."""

from __future__ import annotations

from pathlib import Path

from etcd_dr.errors import UsageError
from etcd_dr.ports.etcd_programs import EtcdProgram
from etcd_dr.ports.restorer import RestoreOrder


def restore_command(tool: EtcdProgram, order: RestoreOrder, *, data_dir: Path) -> list[str]:
    """Return the program with its arguments. Raises UsageError for names and URLs that etcd would take apart."""
    _check(order)
    initial_cluster = ",".join(f"{name}={url}" for name, urls in order.initial_cluster.items() for url in urls)
    command = [
        str(tool.path),
        "snapshot",
        "restore",
        str(order.source.absolute()),
        f"--data-dir={data_dir}",
        f"--name={order.name}",
        f"--initial-advertise-peer-urls={','.join(order.peer_urls)}",
        f"--initial-cluster={initial_cluster}",
        f"--initial-cluster-token={order.token}",
    ]
    if order.skip_hash_check:
        command.append("--skip-hash-check=true")
    if order.bump_revision:
        command += [f"--bump-revision={order.bump_revision}", "--mark-compacted=true"]
    return command


def _check(order: RestoreOrder) -> None:
    names = (order.name, *order.initial_cluster)
    urls = (*order.peer_urls, *(url for urls in order.initial_cluster.values() for url in urls))
    wrong = [name for name in names if not name or "," in name or "=" in name] + [url for url in urls if "," in url]
    if wrong:
        raise UsageError(
            "cannot be written into --initial-cluster: a name has neither a comma nor an equals sign, a URL no comma",
            subject=repr(wrong[0][:80]),
        )
    if set(order.initial_cluster.get(order.name, ())) != set(order.peer_urls):
        raise UsageError(
            "its peer URLs are not those that the initial cluster has for it",
            subject=order.name,
            context={"peer_urls": ",".join(order.peer_urls)},
        )
