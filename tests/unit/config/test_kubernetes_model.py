"""The section of the Kubernetes API."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from etcd_dr.config.kubernetes_model import KubernetesSection


@pytest.mark.parametrize("name", ["A B", "..", "kube-system/../x", "", "-a", "a" * 64])
def test_name_that_no_namespace_can_have_is_refused(name: str) -> None:
    """It would become part of the path of every call."""
    with pytest.raises(ValidationError):
        KubernetesSection(namespace=name)


@pytest.mark.parametrize("name", ["kube-system", "a", "1", "a" * 63])
def test_name_of_a_namespace_is_taken(name: str) -> None:
    """As Kubernetes has them: RFC 1123 labels."""
    assert KubernetesSection(namespace=name).namespace == name
