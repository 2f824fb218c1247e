"""A busy client: writes all kinds of records into a live cluster from a thread, until it is told to stop.

Puts of up to 9 KB and now and then of a quarter megabyte, deletes, range deletes, transactions of several operations,
leases that are granted, attached, revoked and left to expire, and compactions where asked for. The order of
operations follows from the seed; what revision each gets does not. Members that go away and elections are survived by
asking the next one; a refusal by etcd ends the load and shows when it is stopped.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from etcd_dr.adapters.local_cluster import EtcdGateway, LocalCluster
from etcd_dr.adapters.local_cluster.gateway import encoded, may_pass, revision_of
from etcd_dr.errors import EtcdError

_LARGE_BYTES = 256 * 1024


class LoadWriter:
    """`with LoadWriter(cluster, seed=1) as load:` writes until the block ends, and raises there what went wrong.

    `keys` bounds how many different keys there are. With `keeps` it also compacts now and then, down to so many
    revisions; a busy machine writes some 50 of them in a tenth of a second, and may pause for longer.
    """

    def __init__(self, cluster: LocalCluster, *, seed: int, keys: int = 300, keeps: int | None = None) -> None:
        self._cluster = cluster
        self._random = random.Random(seed)
        self._keys = keys
        self._keeps = keeps
        self._leases: list[str] = []
        self._stops = threading.Event()
        self._progress = threading.Condition()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"load-{seed}", daemon=True)
        self.operations = 0
        self.compactions = 0
        self.revision = 0
        self._kinds: list[tuple[Callable[[EtcdGateway], Any], int]] = [
            (self._put, 50),
            (self._put_large, 1),
            (self._delete, 10),
            (self._delete_range, 2),
            (self._transact, 20),
            (self._grant, 3),
            (self._put_with_lease, 10),
            (self._revoke, 1),
            (self._compact, 0 if keeps is None else 2),
        ]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stops.set()
        self._thread.join(30)
        if self._failure is not None and error is None:
            raise self._failure

    def wait_for(self, operations: int, *, deadline_seconds: float = 60.0) -> int:
        """Block until this many more operations went through; return the revision then. Raises what ended the load."""
        wanted = self.operations + operations
        return self._wait(lambda: self.operations >= wanted, deadline_seconds)

    def wait_until_compacted(self, *, deadline_seconds: float = 180.0) -> int:
        """Block until the first compaction of its own is through, and go on as `wait_for` does."""
        return self._wait(lambda: self.compactions > 0, deadline_seconds)

    def _wait(self, is_there: Callable[[], bool], deadline_seconds: float) -> int:
        with self._progress:
            arrived = self._progress.wait_for(lambda: is_there() or self._failure is not None, deadline_seconds)
        if self._failure is not None:
            raise self._failure
        if not arrived:
            raise TimeoutError(
                f"only {self.operations} operations, {self.compactions} of them compactions, were there "
                f"after {deadline_seconds:g} s"
            )
        return self.revision

    def _run(self) -> None:
        try:
            while not self._stops.is_set():
                self._write_through_one_member()
        except Exception as failure:  # noqa: BLE001 - shown to the test's own thread by wait_for and __exit__
            self._failure = failure
            with self._progress:
                self._progress.notify_all()

    def _write_through_one_member(self) -> None:
        running = [member for member in self._cluster.members if member.is_running and not member.settings.is_learner]
        if not running:
            self._stops.wait(0.05)
            return
        operations = [operation for operation, _ in self._kinds]
        weights = [weight for _, weight in self._kinds]
        with self._random.choice(running).gateway() as gateway:
            try:
                while not self._stops.is_set():
                    [operation] = self._random.choices(operations, weights)
                    self._record(operation(gateway))
            except EtcdError as failure:
                if not may_pass(failure):
                    raise
                self._stops.wait(0.05)

    def _record(self, answer: dict[str, Any] | None) -> None:
        with self._progress:
            if answer is not None:
                self.revision = max(self.revision, revision_of(answer))
            self.operations += 1
            self._progress.notify_all()

    def _key(self) -> bytes:
        return b"/load/%05d" % self._random.randrange(self._keys)

    def _value(self, largest: int = 9000) -> bytes:
        # Mostly small, as Kubernetes objects are; random, so that nothing compresses away.
        return self._random.randbytes(int(largest * self._random.random() ** 3))

    def _put(self, gateway: EtcdGateway) -> dict[str, Any]:
        return gateway.call("/v3/kv/put", {"key": encoded(self._key()), "value": encoded(self._value())})

    def _put_large(self, gateway: EtcdGateway) -> dict[str, Any]:
        value = self._random.randbytes(_LARGE_BYTES)
        return gateway.call("/v3/kv/put", {"key": encoded(b"/load/large"), "value": encoded(value)})

    def _delete(self, gateway: EtcdGateway) -> dict[str, Any]:
        return gateway.call("/v3/kv/deleterange", {"key": encoded(self._key())})

    def _delete_range(self, gateway: EtcdGateway) -> dict[str, Any]:
        first = self._random.randrange(self._keys)
        start, end = b"/load/%05d" % first, b"/load/%05d" % (first + 5)
        return gateway.call("/v3/kv/deleterange", {"key": encoded(start), "range_end": encoded(end)})

    def _transact(self, gateway: EtcdGateway) -> dict[str, Any]:
        # etcd refuses a transaction that writes one key twice, so the keys are drawn without repetition.
        numbers = self._random.sample(range(self._keys), 5)
        puts = [
            {"requestPut": {"key": encoded(b"/load/%05d" % number), "value": encoded(self._value(500))}}
            for number in numbers[:4]
        ]
        removal = {"requestDeleteRange": {"key": encoded(b"/load/%05d" % numbers[4])}}
        return gateway.call("/v3/kv/txn", {"success": [*puts, removal]})

    def _grant(self, gateway: EtcdGateway) -> dict[str, Any]:
        # Two seconds expire while a test runs; an hour does not.
        answer = gateway.call("/v3/lease/grant", {"TTL": str(self._random.choice([2, 3600]))})
        self._leases.append(str(answer["ID"]))
        return answer

    def _put_with_lease(self, gateway: EtcdGateway) -> dict[str, Any] | None:
        if not self._leases:
            return None
        lease = self._random.choice(self._leases)
        body = {"key": encoded(self._key()), "value": encoded(self._value(500)), "lease": lease}
        return self._unless_lease_is_gone(lease, lambda: gateway.call("/v3/kv/put", body))

    def _revoke(self, gateway: EtcdGateway) -> dict[str, Any] | None:
        if not self._leases:
            return None
        lease = self._leases.pop(self._random.randrange(len(self._leases)))
        return self._unless_lease_is_gone(lease, lambda: gateway.call("/v3/lease/revoke", {"ID": lease}))

    def _unless_lease_is_gone(self, lease: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        """Carry out a call that names a lease, which may have expired in the meantime: that is part of the load."""
        try:
            return call()
        except EtcdError as refusal:
            if "lease not found" not in refusal.message:
                raise
            if lease in self._leases:
                self._leases.remove(lease)
            return None

    def _compact(self, gateway: EtcdGateway) -> dict[str, Any] | None:
        assert self._keeps is not None
        revision = self.revision - self._keeps
        if revision <= 10:
            return None
        try:
            answer = gateway.call("/v3/kv/compaction", {"revision": str(revision)})
        except EtcdError as refusal:
            # Two writers compact at their own pace; the slower one finds the work done.
            if "has been compacted" not in refusal.message:
                raise
            return None
        self.compactions += 1
        return answer
