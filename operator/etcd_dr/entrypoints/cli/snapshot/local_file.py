"""A snapshot kept as one plain file: taken and proven like any other, through a store that lasts as long as that.

The store is a hidden directory beside the file, so that a full disk shows before anything is replaced; it is removed
whatever happens, and the file appears whole or not at all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from etcd_dr.bootstrap.envelope import make_decoder
from etcd_dr.bootstrap.local_files import make_file_sink
from etcd_dr.bootstrap.stores import layout_of, open_store
from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config.companions_model import CompanionsSection
from etcd_dr.config.model import CompressionSection, EncryptionSection
from etcd_dr.config.store_url import parse_store_url
from etcd_dr.domain.manifest import Manifest
from etcd_dr.entrypoints.cli.place import NAME_FOR_THE_FIRST, Place
from etcd_dr.entrypoints.cli.run import Run
from etcd_dr.errors import FileExists, FileUnreadable, UsageError
from etcd_dr.workflows.fetch_snapshot import fetch_snapshot

_IN_CLEAR = EncryptionSection(enabled=False)


@dataclass(frozen=True, slots=True)
class Keeping:
    """Where the snapshot is taken to, and the file that it becomes."""

    place: Place
    file: Path
    overwrite: bool

    def keep(self, manifest: Manifest) -> Path:
        """Give the file its name and return it."""
        fetched = fetch_snapshot(
            self.place.store,
            self.place.layout,
            manifest,
            self.file,
            decoder=make_decoder(_IN_CLEAR),
            files=make_file_sink(),
            cancellation=self.place.surroundings.cancellation,
            progress=self.place.surroundings.progress,
            overwrite=self.overwrite,
        )
        return fetched.path


@contextmanager
def kept_as_file(run: Run, surroundings: Surroundings, file: Path, *, overwrite: bool) -> Iterator[Keeping]:
    """Lend a place for one snapshot that becomes `file`. Raises UsageError for a file that cannot be written."""
    destination = file.absolute()
    if destination.is_dir():
        raise UsageError(
            "is a directory", subject=str(file), next_step=f"Name a file in it: etcd-dr snapshot save {file}/etcd.db"
        )
    if destination.exists() and not overwrite:
        raise FileExists(
            "exists already",
            subject=str(file),
            next_step="Choose another name, or add --overwrite to replace the file.",
        )
    with _hidden_directory(destination) as directory:
        section = parse_store_url(directory)
        wanted = run.target()
        target = replace(
            wanted,
            talos=wanted.talos and wanted.talos.model_copy(update={"machine_configs": False}),
            store=section,
            encryption=_IN_CLEAR,
            compression=CompressionSection(algorithm="none"),
            companions=CompanionsSection(),  # a plain file has no place for them
        )
        cluster = target.name or NAME_FOR_THE_FIRST
        with closing(open_store(section, surroundings)) as store:
            yield Keeping(
                Place(target, cluster, store, layout_of(section, cluster), surroundings), destination, overwrite
            )


@contextmanager
def _hidden_directory(destination: Path) -> Iterator[str]:
    try:
        made = tempfile.TemporaryDirectory(prefix=".etcd-dr-save-", dir=destination.parent)
    except OSError as error:
        raise FileUnreadable(
            f"cannot be written to: {error.strerror}",
            subject=str(destination.parent),
            next_step="Name a file in a directory that exists and that you may write to.",
        ) from error
    with made as directory:
        yield directory
