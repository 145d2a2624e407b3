"""The routes of media workers, and the figures for Prometheus."""

import re
import socket
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from softswitch.api.metrics import metrics_app
from softswitch.api.server import ApiServer
from softswitch.api.types import MediaWorkerStatus
from softswitch.errors import LocalError
from softswitch.store import Writer
from tests.softswitch.api.test_routes import START, Api, api
from tests.support.acd_centre import AcdCentre
from tests.support.ports import free_port

__all__ = ["api"]


def figures(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Value by name and label values, read by the reader of Prometheus's own library."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_workers_are_drained_and_taken_back(api: Api) -> None:
    before = await api.get("/v1/workers", list[MediaWorkerStatus])
    assert [(one.name, one.drained) for one in before] == [("worker-0", False), ("worker-1", False)]
    drained = await api.ask("POST", "/v1/workers/worker-1/drain", MediaWorkerStatus, {"by": "maria"})
    assert drained.drained and (await api.get("/v1/workers/worker-1", MediaWorkerStatus)).drained
    assert not (await api.ask("POST", "/v1/workers/worker-1/undrain", MediaWorkerStatus)).drained
    status, refusal = await api.refused("POST", "/v1/workers/worker-1/restart")
    assert status == 409 and "drain" in refusal.remedy
    status, refusal = await api.refused("POST", "/v1/workers/worker-7/drain")
    assert status == 404 and "worker-1" in refusal.remedy


async def test_figures(api: Api) -> None:
    api.centre.arrive("c1", "sales", "+7")
    api.centre.pass_time(5.0)
    await api.ask("POST", "/v1/workers/worker-1/drain", MediaWorkerStatus)
    response = await api.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    found = figures(response.text)
    assert found["cc_calls", ("waiting",)] == found["cc_queue_waiting", ("sales",)] == 1
    assert found["cc_queue_longest_wait_seconds", ("sales",)] == pytest.approx(5.0)
    assert found["cc_calls_started_total", ()] == 1
    assert found["cc_media_worker_late_ticks_total", ("worker-0",)] == 3
    assert found["cc_media_worker_forwarded_packets_total", ("worker-0",)] == 5_000
    assert found["cc_media_worker_drained", ("worker-1",)] == 1
    assert found["cc_media_worker_busy_ratio", ("worker-0",)] == 0.07
    assert found["cc_media_endpoint_processes_configured", ()] == 2
    assert found["cc_media_endpoint_processes", ()] == found["cc_media_endpoint_legs", ()] == 1
    assert found["cc_media_endpoint_free_places", ()] == 1
    assert found["cc_media_endpoint_processes_lost_total", ()] == 3
    assert found["cc_store_lost_rows_total", ()] == 0
    assert ("process_resident_memory_bytes", ()) in found
    page = (Path(__file__).resolve().parents[3] / "docs" / "metrics.md").read_text()
    told = set(re.findall(r"`(cc_[a-z_]+)", page))
    assert {name.removesuffix("_total") for name, _ in found if name.startswith("cc_")} <= {
        name.removesuffix("_total") for name in told
    }, "every figure is in the documentation"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_an_address_of_its_own_has_nothing_but_figures(host: str, tmp_path: Path) -> None:
    writer = await Writer.open(tmp_path / "cc.db")
    place = f"{host}:{free_port()}"
    server = await ApiServer.start_on_network(metrics_app(AcdCentre(writer, tmp_path, START)), place)
    async with httpx.AsyncClient(base_url=f"http://{place}", trust_env=False) as http:
        assert "cc_registrations 2.0" in (await http.get("/metrics")).text
        assert (await http.get("/v1/status")).status_code == 404
        assert (await http.post("/metrics")).status_code == 405
    await server.stop()
    await writer.close()


async def test_a_taken_address_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match=rf"metrics on 127.0.0.1:{port}.*change \[api\] metrics"):
            await ApiServer.start_on_network(metrics_app(None), f"127.0.0.1:{port}")  # type: ignore[arg-type]
