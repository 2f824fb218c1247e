"""`etcd-dr kit create`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etcd_dr import __version__
from etcd_dr.bootstrap.envelope import make_encoder
from etcd_dr.bootstrap.local_files import make_file_sink
from etcd_dr.config import Target
from etcd_dr.config.shareable import named_files, shareable_yaml
from etcd_dr.domain.catalogue import Snapshot
from etcd_dr.domain.kit import KitFacts, KitFile
from etcd_dr.entrypoints.cli.place import Place, open_place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.entrypoints.cli.tables import draw, facts
from etcd_dr.entrypoints.cli.who import whoami
from etcd_dr.workflows.make_kit import make_kit
from etcd_dr.workflows.read_catalogue import read_catalogue


def command(
    run: Run,
    *,
    directory: Annotated[
        Path, typer.Argument(metavar="DIRECTORY", help="A new directory for the kit.", readable=False)
    ],
) -> None:
    """Make the break-glass kit of a cluster.

    Its configuration without secrets, one page of instructions, and checksums: what belongs onto the stick beside the
    key, outside the cluster.
    """
    with open_place(run) as place:
        kit = _facts(place)
        configuration = shareable_yaml(place.target, cluster=place.cluster)
    written = make_kit(kit, configuration, directory.absolute(), sink=make_file_sink())
    run.answer(
        {
            "cluster": kit.cluster,
            "directory": str(directory.absolute()),
            "files": [str(path) for path in written],
            "needed": [{"setting": file.setting, "path": file.path} for file in kit.files],
            "recipients": list(kit.recipients),
            "snapshot_id": kit.snapshot_id,
        },
        table=lambda: _table(run, kit, directory, written),
    )


def _facts(place: Place) -> KitFacts:
    target = place.target
    newest = read_catalogue(place.store, place.layout).newest_proven
    plane = target.control_plane
    return KitFacts(
        cluster=place.cluster,
        store_url=place.store.url(place.layout.root),
        made_at=place.surroundings.clock.now(),
        made_by=whoami(),
        tool_version=__version__,
        recipients=_recipients(target, newest),
        is_encrypted=newest.manifest.is_encrypted if newest else target.encryption.enabled,
        files=tuple(KitFile(key, str(path)) for key, path in named_files(target)),
        server_version=newest.manifest.source.etcd_version if newest else None,
        snapshot_id=str(newest.id) if newest else None,
        topology=newest.manifest.topology if newest else (),
        nodes=tuple(f"{node.name} ({node.address or node.name})" for node in plane.nodes) if plane else (),
        companions=_companions(newest),
    )


def _recipients(target: Target, newest: Snapshot | None) -> tuple[str, ...]:
    """Return the public keys that snapshots are encrypted to: as the newest says, else as the configuration does."""
    stages = newest.manifest.stages if newest else ()
    if newest is None and target.encryption.enabled:
        stages = make_encoder(target.need_recipients(), target.compression).stages
    told = [stage.parameters.get("recipients") for stage in stages if stage.name == "age"]
    return tuple(recipient for each in told if isinstance(each, tuple) for recipient in each)


def _companions(newest: Snapshot | None) -> tuple[str, ...]:
    kept = newest.manifest.companions if newest else None
    return tuple(entry.name for entry in kept.files) if kept else ()


def _table(run: Run, kit: KitFacts, directory: Path, written: tuple[Path, ...]) -> None:
    rows: list[tuple[str, str]] = [("cluster", kit.cluster)]
    rows += [("written", str(path)) for path in written]
    rows += [("bring too", f"{file.path} ({file.setting})") for file in kit.files]
    rows += [("and the key of", recipient) for recipient in kit.recipients]
    draw(run.screen, facts(rows))
    run.screen.line(f"test it where it would be used: etcd-dr kit check {directory}")
