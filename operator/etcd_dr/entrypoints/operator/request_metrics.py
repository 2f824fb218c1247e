"""Metrics of requests and records (docs/metrics.md)."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class RequestMetrics:
    """Counters and gauges on the operator's registry; made only where the Kubernetes API is spoken to."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.answered = Counter(
            "etcd_dr_requests_answered",
            "Requests of the Kubernetes API by their last phase: Completed, Failed, Refused, Pending (given back)",
            ("cluster", "kind", "phase"),
            registry=registry,
        )
        self.unreported = Gauge(
            "etcd_dr_requests_unreported",
            "Requests that were carried out and whose answer could not be written yet",
            registry=registry,
        )
        self.followed = Gauge(
            "etcd_dr_requests_followed",
            "Whether requests are heard of: 0 while the Kubernetes API cannot be listed or watched",
            ("kind",),
            registry=registry,
        )
        self.failures = Counter(
            "etcd_dr_kubernetes_call_failures",
            "Calls for requests and records that failed, by error code",
            ("code",),
            registry=registry,
        )
