"""PromQL that dashboards share: each expression is aggregated by what it is about, so two replicas are one line."""

from __future__ import annotations

from .panels import GREEN, ORANGE, RED

SELECTED = '{cluster=~"$cluster"}'
PLACE = "{{cluster}} {{store}}"
MEMBER = "{{cluster}} {{member}}"
UP_IS_GOOD = ((None, RED), (1, GREEN))
YES_NO = {"0": ("no", RED), "1": ("yes", GREEN)}
NONE_IS_GOOD = ((None, GREEN), (1, RED))


def best(metric: str, by: str = "cluster, store", **more: str) -> str:
    """Return the highest value over all processes that are scraped."""
    return f"max by ({by}) (etcd_dr_{metric}{_selector(more)})"


def worst(metric: str, by: str = "cluster, store", **more: str) -> str:
    """Return the lowest value over all processes that are scraped."""
    return f"min by ({by}) (etcd_dr_{metric}{_selector(more)})"


def increase(metric: str, by: str, **more: str) -> str:
    """Return how often something was counted in the last interval, by all processes together."""
    return f"sum by ({by}) (increase(etcd_dr_{metric}_total{_selector(more)}[$__rate_interval]))"


def age(metric: str) -> str:
    """Return the seconds since a moment; nothing where it never was."""
    return f"time() - ({best(metric)} > 0)"


def _selector(more: dict[str, str]) -> str:
    return "{" + ", ".join(['cluster=~"$cluster"', *(f'{key}="{value}"' for key, value in more.items())]) + "}"


VERDICTS = {
    "3": ("held", GREEN),
    "2": ("held, no tolerance", ORANGE),
    "1": ("lost, may return", RED),
    "0": ("cannot tell", RED),
}
VERDICT = " or ".join(
    f"({best('quorum_verdict', 'cluster', verdict=verdict)} == 1) * 0 + {number}"
    for number, verdict in ((3, "held"), (2, "held-without-tolerance"), (1, "lost-may-return"), (0, "cannot-tell"))
)
