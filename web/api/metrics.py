"""/metrics for Prometheus, read from the counters that are there anyway."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from stylizer.engines import card
from stylizer.errors import Unavailable
from stylizer.histogram import BOUNDS_S, Histogram
from stylizer.live import SessionStats
from web.api.service import Ready, Service

COUNTERS = {
    "frames_in": "camera frames received",
    "frames_out": "stylized frames delivered",
    "dropped": "camera frames replaced by a newer one before the pipeline was free",
    "failed": "frames whose stage failed",
}


class ServiceCollector(Collector):
    """Computed at each scrape. Streams that ended stay in the sums, as counters must not fall."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        door = self._service.connections
        yield _gauge("connections", "open at the HTTP door", len(door))
        yield _counter("connections_displaced", "quiet connections closed for a newcomer", door.displaced)
        yield _counter("connections_refused", "newcomers and requests for which there was no room", door.refused)
        try:
            ready = self._service.ready
        except Unavailable:
            yield _gauge("ready", "1 when visitors are served", 0)
            return
        yield _gauge("ready", "1 when visitors are served", 1)
        yield from _of(ready)
        yield _gauge("waiting", "visitors in line for a place", len(self._service.turns))


def _of(ready: Ready) -> Iterator[Metric]:
    streams, worker = ready.streams, ready.worker
    now = [session.stats() for session in streams.sessions]
    yield _gauge("visitors", "places taken", worker.visitors)
    yield _gauge("capacity", "places there are", worker.capacity)
    yield _gauge("frame_seconds", "what a frame of one visitor costs, median", worker.budget.frame_s or 0.0)
    yield _counter("worker_restarts", "times the pipeline's thread had ended and was started again", worker.restarts)
    yield _counter("streams_opened", "streams opened", streams.opened)
    yield _counter("reconnects", "connections replaced by a newer one of the same visitor", streams.reconnects)
    if in_use := card.memory_mb():
        yield _gauge("card_memory_bytes", "memory of the card in use, by all processes", in_use << 20)
    for name, text in COUNTERS.items():
        yield _counter(name, text, streams.ended[name] + sum(getattr(stats, name) for stats in now))
    yield _latency(now)
    yield _histogram("frame_latency_seconds", "from a frame's arrival to its result", {(): worker.latency})
    stages: dict[tuple[str, ...], Histogram] = {(stage,): histogram for stage, histogram in list(worker.stages.items())}
    yield _histogram("stage_seconds", "time of a frame in each stage", stages, "stage")
    rungs = GaugeMetricFamily("stylizer_rung", "on which rung of the ladder a part stands", labels=["part", "standing"])
    for part, standing, _ in ready.pipeline.ladder:
        rungs.add_metric([part, standing], 1)
    yield rungs


def _latency(now: list[SessionStats]) -> Metric:
    family = GaugeMetricFamily(
        "stylizer_latency_ms", "from a frame's arrival to its result, worst visitor", labels=["quantile"]
    )
    for quantile in ("p50", "p95", "p99"):
        values = [stats.latency_ms[quantile] for stats in now if quantile in stats.latency_ms]
        if values:
            family.add_metric([quantile], max(values))
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"stylizer_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"stylizer_{name}", text, value=value)


def _histogram(name: str, text: str, of: Mapping[tuple[str, ...], Histogram], *labels: str) -> Metric:
    family = HistogramMetricFamily(f"stylizer_{name}", text, labels=labels)
    for values, histogram in of.items():
        counts = histogram.counts()
        bounds = [*map(str, BOUNDS_S), "+Inf"]
        family.add_metric(list(values), list(zip(bounds, counts.at_most, strict=True)), counts.sum_s)
    return family


def registry(service: Service) -> CollectorRegistry:
    """One per application, so that two applications in a process (tests) do not meet."""
    own = CollectorRegistry()
    own.register(ServiceCollector(service))
    return own
