"""The desk where requests are left, as the configuration has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from etcd_dr.bootstrap.surroundings import Surroundings
from etcd_dr.config.kubernetes_model import KubernetesSection
from etcd_dr.ports.request_desk import RequestDesk
from etcd_dr.workflows.answer_request import AnsweringPorts

if TYPE_CHECKING:
    from etcd_dr.adapters.kubernetes.request_desk import KubernetesRequestDesk


def answering_ports(section: KubernetesSection, surroundings: Surroundings, *, holder: str) -> AnsweringPorts:
    """Return what answering requests talks to; no call is made yet. Raises ConfigError."""
    return AnsweringPorts(
        desk=make_desk(section, surroundings, holder=holder),
        clock=surroundings.clock,
        events=surroundings.events,
        holder=holder,
    )


def personal_desk(
    kubeconfig: Path, context: str | None, namespace: str | None, surroundings: Surroundings
) -> KubernetesRequestDesk:
    """Return the desk as a person reaches it; the caller closes it. Raises ConfigError."""
    from etcd_dr.adapters.kubernetes.client import open_api  # noqa: PLC0415 - a second that only its users pay
    from etcd_dr.adapters.kubernetes.request_desk import KubernetesRequestDesk  # noqa: PLC0415 - as above

    api = open_api(kubeconfig=kubeconfig, context=context, namespace=namespace)
    return KubernetesRequestDesk(api, now=surroundings.clock.now, holder="etcd-dr request")


def make_desk(section: KubernetesSection, surroundings: Surroundings, *, holder: str) -> RequestDesk:
    """Return the desk. Raises ConfigError when nothing says where the API is."""
    from etcd_dr.adapters.kubernetes.client import open_api  # noqa: PLC0415 - a second that only its users pay
    from etcd_dr.adapters.kubernetes.request_desk import KubernetesRequestDesk  # noqa: PLC0415 - as above

    api = open_api(kubeconfig=section.kubeconfig, context=section.context, namespace=section.namespace)
    return KubernetesRequestDesk(api, now=surroundings.clock.now, holder=holder)
