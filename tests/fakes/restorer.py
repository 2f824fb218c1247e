"""A restorer that makes no database: it notes what was ordered, and fails when it is told to.

A whole data directory is recognised by `member/snap/db`, which holds the source's bytes, and by `order.txt`.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from etcd_dr.domain.etcd_programs import choose_version
from etcd_dr.domain.etcd_version import EtcdVersion
from etcd_dr.errors import Cancelled, EtcdDrError, FileUnreadable, SnapshotDamaged, ToolMissing, UsageError
from etcd_dr.ports.cancellation import Cancellation
from etcd_dr.ports.restorer import RestoreOrder

DAMAGED = b"damaged"


class FakeRestorer:
    """Implements ports.restorer.Restorer. `failures` are raised by the next calls, one each; None is success."""

    def __init__(self, versions: Sequence[str] = ("3.5.30",)) -> None:
        self.versions = [version for version in map(EtcdVersion.parse, versions) if version]
        self.orders: list[RestoreOrder] = []
        self.failures: list[EtcdDrError | None] = []

    def version_for(self, server: EtcdVersion | None, *, must_bump: bool = False) -> EtcdVersion:
        chosen = choose_version(self.versions, server, must_bump=must_bump)
        if chosen is None:
            raise ToolMissing("no etcdutl of that minor was found", subject="etcdutl", next_step="Get one.")
        return chosen

    def restore(self, order: RestoreOrder, *, server: EtcdVersion | None, cancellation: Cancellation) -> None:
        self.version_for(server, must_bump=order.bump_revision > 0)
        if not order.source.is_file():
            raise FileUnreadable("is not a file that can be read", subject=str(order.source))
        if order.data_dir.is_dir() and any(order.data_dir.iterdir()):
            raise UsageError("exists already", subject=str(order.data_dir))
        if cancellation.is_cancelled:
            raise Cancelled(f"stopped: {cancellation.reason}")
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            raise failure
        if order.source.read_bytes() == DAMAGED:
            raise SnapshotDamaged("its database cannot be read", subject=str(order.source))
        self._make(order)

    def _make(self, order: RestoreOrder) -> None:
        self.orders.append(order)
        snap = order.data_dir / "member" / "snap"
        snap.mkdir(parents=True)
        order.data_dir.chmod(0o700)
        shutil.copyfile(order.source, snap / "db")
        (order.data_dir / "order.txt").write_text(f"{order.name} {order.token} {order.bump_revision}\n")
