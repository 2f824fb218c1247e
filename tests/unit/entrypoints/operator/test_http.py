"""The HTTP answers of the operator, over a real socket on loopback."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Gauge

from etcd_dr.entrypoints.operator.http import Answer, HttpServer, bind, build_app
from etcd_dr.errors import ConfigError


@pytest.fixture
def server() -> Iterator[HttpServer]:
    registry = CollectorRegistry()
    Gauge("etcd_dr_example", "An example", registry=registry).set(3)
    app = build_app(
        registry=registry,
        healthz=lambda: Answer(True, ("scheduler: running",)),
        readyz=lambda: Answer(False, ("prod: not looked at yet",)),
    )
    server = HttpServer(app, bind("127.0.0.1:0"))
    server.start()
    yield server
    server.stop()


def get(server: HttpServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_metrics_are_what_the_registry_holds(server: HttpServer) -> None:
    """Prometheus reads its text format."""
    status, body = get(server, "/metrics")

    assert status == 200
    assert "etcd_dr_example 3.0" in body


def test_probes_answer_with_a_status_and_a_reason(server: HttpServer) -> None:
    """A kubelet reads the status, a person the line."""
    assert get(server, "/healthz") == (200, "scheduler: running\n")
    assert get(server, "/readyz") == (503, "prod: not looked at yet\n")


def test_there_is_nothing_else(server: HttpServer) -> None:
    """The port shows no more than it must."""
    assert get(server, "/")[0] == 404


def test_stopping_twice_is_safe(server: HttpServer) -> None:
    """Shutdown code runs on more than one path."""
    server.stop()
    server.stop()


@pytest.mark.parametrize("listen", ["127.0.0.1:nonsense", "127.0.0.1:70000", "256.0.0.1:80"])
def test_an_address_that_cannot_be_used_is_a_configuration_error(listen: str) -> None:
    """The operator ends at once with the address in its error."""
    with pytest.raises(ConfigError) as caught:
        bind(listen)

    assert listen in str(caught.value)


def test_a_taken_port_is_said() -> None:
    """Two operators on one host are told apart by this error."""
    taken = bind("127.0.0.1:0")

    port = taken.getsockname()[1]

    with pytest.raises(ConfigError, match="in use") as caught:
        bind(f"127.0.0.1:{port}", setting="page.listen")

    taken.close()
    assert f"ss -ltnp 'sport = :{port}'" in caught.value.next_step
    assert "page.listen" in caught.value.next_step
