"""`GET /metrics`: the switch in figures, in the text format of Prometheus.

Invariant: a figure is read when it is asked for; nothing is counted for the sake of it while calls go on.
Names and labels are only ever added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from softswitch.api.control import Control
from softswitch.api.types import MediaEndpointStatus, MediaWorkerStatus, QueueStatus, Status

_AGENT_FIELDS = ("ready", "ringing", "talking", "wrapup", "paused", "own_call", "unreachable")


class _Figures:
    """A collector of prometheus_client over the snapshots."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def collect(self) -> Iterator[Metric]:
        """All figures, as of now."""
        status = self._control.status()
        yield from _switch(status)
        states = Counter(call.state for call in self._control.calls())
        calls = GaugeMetricFamily("cc_calls", "Live calls by what they are doing.", labels=["state"])
        for state, count in sorted(states.items()):
            calls.add_metric([state], count)
        yield calls
        yield from _queues(self._control.queues())
        yield from _workers(status.media)
        yield from _endpoints(status.endpoints)


def _switch(status: Status) -> Iterator[Metric]:
    yield GaugeMetricFamily("cc_start_time_seconds", "When the switch was started.", status.started_at)
    yield CounterMetricFamily("cc_calls_started", "Calls since the start.", status.calls_total)
    yield GaugeMetricFamily("cc_registrations", "Phones that are registered.", status.registrations)
    agents = GaugeMetricFamily("cc_agents", "Agents by state.", labels=["state"])
    for state, count in sorted(status.agents.items()):
        agents.add_metric([state], count)
    yield agents
    yield CounterMetricFamily("cc_media_workers_lost", "Media workers that died.", status.media_lost)
    store = status.store
    yield GaugeMetricFamily("cc_store_queued_rows", "Rows of the log that are not on disk yet.", store.queued)
    yield GaugeMetricFamily("cc_store_lag_seconds", "Age of the oldest of them.", store.lag_s)
    yield CounterMetricFamily("cc_store_lost_rows", "Rows of the log that were lost.", store.lost)
    yield GaugeMetricFamily("cc_store_failing", "1 while the log cannot be written.", bool(store.failing))


def _queues(queues: Sequence[QueueStatus]) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("cc_queue_waiting", "Callers who wait.", labels=["queue"])
    longest = GaugeMetricFamily("cc_queue_longest_wait_seconds", "The longest wait now.", labels=["queue"])
    is_open = GaugeMetricFamily("cc_queue_open", "1 while the queue lets callers in.", labels=["queue"])
    agents = GaugeMetricFamily("cc_queue_agents", "Its agents by state.", labels=["queue", "state"])
    for queue in queues:
        waiting.add_metric([queue.name], len(queue.waiting))
        longest.add_metric([queue.name], max((one.wait_s for one in queue.waiting), default=0.0))
        is_open.add_metric([queue.name], queue.is_open)
        for name in _AGENT_FIELDS:
            agents.add_metric([queue.name, name], getattr(queue, name))
    yield from (waiting, longest, is_open, agents)


def _workers(workers: tuple[MediaWorkerStatus, ...]) -> Iterator[Metric]:
    def gauge(name: str, text: str, value: Callable[[MediaWorkerStatus], float]) -> Metric:
        family = GaugeMetricFamily(f"cc_media_worker_{name}", text, labels=["worker"])
        for worker in workers:
            family.add_metric([worker.name], value(worker))
        return family

    yield gauge("legs", "Legs on the worker.", lambda one: one.legs)
    yield gauge("ports", "Pairs of RTP and RTCP ports that are open.", lambda one: one.ports)
    yield gauge("busy_ratio", "Share of a core that its loop used lately.", lambda one: one.busy or 0.0)
    yield gauge("late_ms", "Worst lateness of a tick lately, in ms.", lambda one: one.late_ms or 0.0)
    yield gauge("drained", "1 while it takes no new calls.", lambda one: one.drained)
    late = CounterMetricFamily(
        "cc_media_worker_late_ticks", "Ticks that came 20 ms late or more.", labels=["worker"]
    )
    forwarded = CounterMetricFamily(
        "cc_media_worker_forwarded_packets", "RTP packets that the kernel passed on.", labels=["worker"]
    )
    for worker in workers:
        late.add_metric([worker.name], worker.late_ticks)
        forwarded.add_metric([worker.name], worker.forwarded or 0)
    yield from (late, forwarded)


def _endpoints(pool: MediaEndpointStatus) -> Iterator[Metric]:
    def gauge(name: str, text: str, value: int) -> Metric:
        return GaugeMetricFamily(f"cc_media_endpoint_{name}", text, value)

    yield gauge("processes_configured", "pjsua2 processes that there should be.", pool.configured)
    yield gauge("processes", "pjsua2 processes that take calls.", pool.processes)
    yield gauge("legs", "Legs whose codec they speak.", pool.legs)
    yield gauge("free_places", "Legs that they could take beside those.", pool.free)
    yield CounterMetricFamily(
        "cc_media_endpoint_processes_lost", "pjsua2 processes that died; each is replaced.", pool.lost
    )


class MetricRoutes:
    """Over a control surface."""

    def __init__(self, control: Control) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Figures(control))
        ProcessCollector(registry=self._registry)

    def routes(self) -> list[Route]:
        """The one route."""
        return [Route("/metrics", self.metrics, methods=["GET"])]

    async def metrics(self, request: Request) -> Response:
        """GET /metrics"""
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


def metrics_app(control: Control) -> Starlette:
    """An application of nothing else, for an address on the network."""
    return Starlette(routes=MetricRoutes(control).routes())
