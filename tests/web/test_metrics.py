"""What Prometheus is told, and that the Grafana dashboard asks for nothing else."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from stylizer.config import Settings
from stylizer.frame import Frame
from stylizer.live import LiveSession, SessionStats
from tests.scene import CONTROLS, Trouble, pipeline
from tests.web.doubles import Running, running, wait_for
from web.api.app import create_app

DASHBOARD = json.loads((Path(__file__).parents[2] / "docker" / "grafana.json").read_text())
FRAMES = 12


@pytest.fixture(scope="module")
def worker() -> Iterator[Running]:
    with running(create_app(Settings.load(visitors=2), pipeline(Trouble(), crop_px=16))) as served:
        yield served


@pytest.fixture(scope="module")
def metrics(worker: Running) -> dict[str, Metric]:
    """After some frames of one visitor."""
    live = worker.app.state.service.ready.worker
    session = live.join(CONTROLS)
    for number in range(FRAMES):
        session.offer(Frame(np.full((12, 16, 3), 200, np.uint8), number * 3000, captured_at=0.0))
        assert session.take(5) is not None
    wait_for(lambda: live.latency.counts().at_most[-1] == FRAMES, 5)
    with worker.client() as http:
        return {f.name: f for f in text_string_to_metric_families(http.get("/metrics").text)}


def test_every_stage_has_a_histogram(metrics: dict[str, Metric]) -> None:
    samples = metrics["stylizer_stage_seconds"].samples
    counts = {s.labels["stage"]: s.value for s in samples if s.name.endswith("_count")}
    assert counts.keys() >= {"detect", "track", "crop", "matte", "convert", "compose"}
    assert counts["matte"] == counts["compose"] == FRAMES
    buckets = [s.value for s in samples if s.name.endswith("_bucket") and s.labels["stage"] == "matte"]
    assert buckets == sorted(buckets) and buckets[-1] == FRAMES


def test_latency_and_cost_of_a_frame_are_told(metrics: dict[str, Metric]) -> None:
    latency = {s.name: s.value for s in metrics["stylizer_frame_latency_seconds"].samples if "le" not in s.labels}
    assert latency["stylizer_frame_latency_seconds_count"] == FRAMES
    assert latency["stylizer_frame_latency_seconds_sum"] > 0
    assert metrics["stylizer_frame_seconds"].samples[0].value > 0


def test_who_leaves_while_metrics_are_read_counts_once(worker: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice, and the counter would fall at the next reading: a restart to Prometheus, and a leap in every graph."""
    with worker.client() as http:
        stream = http.post("/v1/streams", json={"controls": CONTROLS}).json()
        (session,) = worker.app.state.service.ready.streams.sessions
        session.offer(Frame(np.full((12, 16, 3), 200, np.uint8), 0))
        wait_for(lambda: session.stats().frames_out == 1, 5)
        read = LiveSession.stats

        def read_slowly(self: LiveSession) -> SessionStats:
            stats = read(self)
            if threading.current_thread().name != "server":
                with worker.client(Authorization=f"Bearer {stream['token']}") as leaving:
                    leaving.delete(f"/v1/streams/{stream['id']}")
            return stats

        monkeypatch.setattr(LiveSession, "stats", read_slowly)
        told = {f.name: f for f in text_string_to_metric_families(http.get("/metrics").text)}
        assert [s.value for s in told["stylizer_frames_out"].samples] == [1]
        monkeypatch.undo()
        http.delete(f"/v1/streams/{stream['id']}", headers={"Authorization": f"Bearer {stream['token']}"})


def test_the_dashboard_asks_for_what_is_there_and_for_all_of_it(metrics: dict[str, Metric]) -> None:
    queries = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    asked = set(re.findall(r"stylizer_\w+", queries))
    told = {s.name for family in metrics.values() for s in family.samples}
    assert asked - told == set()
    shown = {re.sub(r"_(total|bucket)$", "", name) for name in asked}
    assert metrics.keys() - shown - {"stylizer_latency_ms"} == set()  # the histogram shows the latency
