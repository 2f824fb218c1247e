"""How long things take, from what was measured, so that each way back can say when it will be done.

The defaults are medians on two noisy cores with a database of 1.3 GB (docs/benchmarks.md): fetching and proving,
`etcdutl snapshot restore`, etcd's start, which rebuilds its index key by key. What a cluster's own manifests say
replaces them where it can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from etcd_dr.domain.catalogue import Snapshot

_TELLING_BYTES = 10_000_000  # a smaller transfer says more about round trips than about throughput
_RECENT = 5


@dataclass(frozen=True, slots=True)
class Rates:
    """Bytes per second, seconds per gigabyte (of a thousand million bytes), seconds per key, and plain seconds."""

    download_bytes_per_second: float = 60e6
    decode_bytes_per_second: float = 250e6
    verify_bytes_per_second: float = 900e6
    restore_seconds_per_gigabyte: float = 5.0
    place_bytes_per_second: float = 80e6
    start_seconds_per_key: float = 7e-6
    defragment_bytes_per_second: float = 100e6
    snapshot_bytes_per_second: float = 80e6
    fence_seconds: float = 10.0
    stop_seconds: float = 10.0
    start_seconds: float = 10.0
    election_seconds: float = 5.0

    @classmethod
    def observed(cls, snapshots: Sequence[Snapshot], *, platform: str = "") -> Rates:
        """Return the defaults for a platform, corrected by what the newest manifests took. Oldest first."""
        rates = _PLATFORMS.get(platform, cls())
        telling = [s.manifest for s in snapshots[-_RECENT:]]
        paces = [
            m.database.size_bytes / m.duration_seconds
            for m in telling
            if m.database.size_bytes >= _TELLING_BYTES and m.duration_seconds > 0
        ]
        return replace(rates, snapshot_bytes_per_second=median(paces)) if paces else rates

    def fetch_seconds(self, *, stored_bytes: int, plain_bytes: int) -> float:
        """Return how long a snapshot takes to arrive, to be decoded, and to be proven."""
        arriving = max(stored_bytes / self.download_bytes_per_second, plain_bytes / self.decode_bytes_per_second)
        return arriving + plain_bytes / self.verify_bytes_per_second

    def build_seconds(self, *, plain_bytes: int, members: int) -> float:
        """Return how long building all data directories takes; two at a time."""
        return self.restore_seconds_per_gigabyte * plain_bytes / 1e9 * ((members + 1) // 2)

    def serve_seconds(self, *, keys: int | None) -> float:
        """Return how long etcd takes from its start until it serves."""
        return self.start_seconds + (keys or 0) * self.start_seconds_per_key + self.election_seconds


_PLATFORMS = {
    "local": Rates(place_bytes_per_second=400e6, fence_seconds=1, stop_seconds=1, start_seconds=1, election_seconds=2),
    "systemd": Rates(fence_seconds=5, stop_seconds=5, start_seconds=3),
    # the kubelet looks at its manifests every 20 seconds (kubelet, --file-check-frequency)
    "static-pod": Rates(fence_seconds=30, stop_seconds=30, start_seconds=25),
}
