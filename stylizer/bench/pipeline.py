"""`stylizer bench pipeline`: our pipeline and the plain way over the same frames, in one run on one machine."""

import resource
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from stylizer import machine
from stylizer.bench.baseline import Baseline
from stylizer.config import Settings
from stylizer.engines import LANES, card
from stylizer.errors import BadInput
from stylizer.frame import Frame
from stylizer.lanes import Deliver, Lanes, Take
from stylizer.media import Reader
from stylizer.pipeline import Pipeline
from stylizer.visitor import VisitorState

WARM_UP = 40  # frames that are not counted: the matte's memory, and networks compiled for what is seen
PLAIN_WARM_UP = 4
PLAIN_SHARE = 6  # the plain ways are measured on a sixth of the frames: they are that much slower


@dataclass(frozen=True, slots=True)
class Way:
    """One way's figures. Times in ms, per frame."""

    name: str
    frames: int
    fps: float
    latency_ms: dict[str, float]
    cpu_s_per_frame: float
    first_ms: float
    stages_ms: dict[str, float]


def run(settings: Settings, clip: Path, frames: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measures (a) our pipeline, (b) the plain way with the same network, (c) the plain way at the published width.

    clip: any film with a person. Raises BadInput when it is too short, ModelMissing without YOLOv5 or RVM, Unreadable
    for a file that is no film.
    """
    with Reader(clip) as reader:
        film = [frame for frame, _ in zip(reader, range(frames + WARM_UP), strict=False)]
    if len(film) <= WARM_UP:
        raise BadInput(
            f"{clip}: {len(film)} frames, at least {WARM_UP + 1} are needed: {WARM_UP} go before the counting"
        )
    tell("our pipeline")
    pipeline = Pipeline.open(settings)
    ours = _ours(pipeline, film)
    memory = {"peak": round(machine.peak_memory_mb()), "of it the film": sum(f.pixels.nbytes for f in film) >> 20}
    if on_card := card.memory_mb():
        memory["on the card"] = on_card
    short = film[WARM_UP - PLAIN_WARM_UP : WARM_UP + max(frames // PLAIN_SHARE, 1)]
    tell("the plain way, same network")
    plain = _plain("plain", Baseline(settings).step, short)
    tell("the plain way, published width")
    config_f = _plain("plain, config-f width", Baseline(settings, config_f=True).step, short)
    ways = (ours, plain, config_f)
    return {
        "command": f"stylizer bench pipeline --input {clip.name} --frames {frames}",
        "date": datetime.now(UTC).date().isoformat(),
        "engine": pipeline.ladder[0].standing,
        "clip": {"name": clip.name, "size": list(film[0].size), "frames": len(film)},
        "ways": {way.name: {k: getattr(way, k) for k in way.__slots__ if k != "name"} for way in ways},
        "ratio": round(ours.fps / plain.fps, 1),
        "ratio_config_f": round(ours.fps / config_f.fps, 1),
        "memory_mb": memory,
        "machine": machine.describe(),
    }


def _ours(pipeline: Pipeline, film: Sequence[Frame]) -> Way:
    """Two frames in work at once, as live: latency runs from a frame's being taken to its finished picture."""
    pipeline.warm_up()
    state = pipeline.new_state({"framing": "scene", "background": "blur"})
    begin = time.perf_counter()
    pipeline.step([film[0]], [state])
    first_ms = (time.perf_counter() - begin) * 1000
    for frame in film[1:WARM_UP]:
        pipeline.step([frame], [state])
    stages: dict[str, float] = {}
    taken: list[float] = []
    latencies: list[float] = []
    rest = iter(film[WARM_UP:])

    def take() -> tuple[list[Frame], list[VisitorState]] | None:
        frame = next(rest, None)
        taken.append(time.perf_counter())
        return None if frame is None else ([frame], [state])

    def deliver(_: list[Frame]) -> None:
        latencies.append(time.perf_counter() - taken[len(latencies)])
        for stage, ms in state.stages_ms.items():
            stages[stage] = stages.get(stage, 0.0) + ms

    cpu, begin = _cpu_s(), time.perf_counter()
    _in_lanes(Lanes(pipeline), take, deliver)
    return _way("stylizer", latencies, time.perf_counter() - begin, _cpu_s() - cpu, first_ms, stages)


def _in_lanes(lanes: Lanes, take: Take, deliver: Deliver) -> None:
    """Until `take` has nothing more. An error in a thread comes out here."""
    errors: list[Exception] = []

    def run() -> None:
        try:
            while not errors and lanes.step(take, deliver):
                pass
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, name="lane") for _ in range(LANES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def _plain(name: str, step: Callable[[Frame], Frame], film: Sequence[Frame]) -> Way:
    """One frame after the other."""
    begin = time.perf_counter()
    step(film[0])
    first_ms = (time.perf_counter() - begin) * 1000
    for frame in film[1:PLAIN_WARM_UP]:
        step(frame)
    times: list[float] = []
    cpu = _cpu_s()
    for frame in film[PLAIN_WARM_UP:]:
        begin = time.perf_counter()
        step(frame)
        times.append(time.perf_counter() - begin)
    return _way(name, times, sum(times), _cpu_s() - cpu, first_ms, {})


def _way(
    name: str, latencies: Sequence[float], seconds: float, cpu_s: float, first_ms: float, stages: dict[str, float]
) -> Way:
    count = len(latencies)
    p50, p95, p99 = np.percentile(np.array(latencies) * 1000, (50, 95, 99)).round(1).tolist()
    return Way(
        name,
        count,
        round(count / seconds, 2),
        {"p50": p50, "p95": p95, "p99": p99},
        round(cpu_s / count, 4),
        round(first_ms, 1),
        {stage: round(ms / count, 2) for stage, ms in stages.items()},
    )


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
