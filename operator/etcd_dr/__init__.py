"""etcd-dr keeps etcd recoverable: proven snapshots, a watch over quorum, a guided recovery."""

__version__ = "0.1.0"
