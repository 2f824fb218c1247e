"""Settings of leases with which two replicas could lead at once are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from etcd_dr.config.kubernetes_model import KubernetesSection
from etcd_dr.config.lease_model import LeaseSection
from etcd_dr.domain.leadership import LeaseTimings, lease_name


def test_naming_kubernetes_is_enough_for_leases() -> None:
    """Two replicas without them would take every snapshot twice, so they are on unless said otherwise."""
    assert KubernetesSection().leases.enabled


def test_the_defaults_are_those_of_the_rules() -> None:
    """What is documented, what is tested and what runs are the same numbers."""
    said = LeaseSection()
    seconds = (said.duration, said.renew_deadline, said.retry_period, said.request_timeout)

    assert LeaseTimings(*(each.total_seconds() for each in seconds)) == LeaseTimings()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"duration": "20s"}, id="a leader goes on for as long as the others wait"),
        pytest.param({"request_timeout": "5s"}, id="a call on its way could arrive too late"),
        pytest.param({"retry_period": "11s"}, id="one failed renewal costs the lease"),
        pytest.param({"name": "Etcd_DR"}, id="no name for an object"),
    ],
)
def test_settings_that_cannot_keep_leaders_apart_are_refused(said: dict[str, str]) -> None:
    """At the start, not in the first outage."""
    with pytest.raises(ValidationError):
        LeaseSection.model_validate(said)


@pytest.mark.parametrize("cluster", ["prod_1", "prod-.a", "a" * 63, "a_b"])
def test_every_cluster_has_a_lease_of_its_own(cluster: str) -> None:
    """Names that Kubernetes does not allow are changed, and never into those of another cluster."""
    name = lease_name("etcd-dr", cluster)

    assert all(each.isalnum() or each in "-." for each in name)
    assert name != lease_name("etcd-dr", cluster.replace("_", "-").replace(".", "-") + "-")
    assert len({lease_name("etcd-dr", each) for each in ("a_b", "a-b", "a.b")}) == 3
