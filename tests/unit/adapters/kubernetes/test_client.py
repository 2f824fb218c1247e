"""Where the API is: files that do not say it."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubernetes.client import Configuration
from kubernetes.config import ConfigException

from etcd_dr.adapters.kubernetes.client import KubernetesApi, open_api
from etcd_dr.errors import ApiUnreachable, ConfigError


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"[a, list]",
        b"\xff\xfe\x00",
        b"a: [unclosed",
        b"apiVersion: v1\nkind: Config\nclusters: []\n",
        b"current-context: a\ncontexts: [{name: a, context: 7}]\nclusters: []\nusers: []\n",
        b"current-context: a\ncontexts: 7\nclusters: []\nusers: []\n",
    ],
)
def test_file_that_is_no_kubeconfig_is_a_mistake_of_the_configuration(tmp_path: Path, content: bytes) -> None:
    """Whatever the library trips over, a person is told the file and what to do."""
    file = tmp_path / "kubeconfig"
    file.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        open_api(kubeconfig=file)

    assert str(file) in caught.value.subject
    assert "kubernetes.kubeconfig" in caught.value.next_step


def test_token_that_can_no_longer_be_read_is_an_api_that_cannot_be_reached() -> None:
    """The library reads it anew each minute, and has an error of its own for a file that is empty just then."""

    def read_token(_: Configuration) -> None:
        raise ConfigException("Token file exists but empty.")

    configuration = Configuration(host="http://127.0.0.1:1", api_key={"authorization": "Bearer old"})
    configuration.refresh_api_key_hook = read_token

    with pytest.raises(ApiUnreachable, match="Token file exists but empty"):
        KubernetesApi(configuration, namespace="etcd-dr").get("/readyz")
