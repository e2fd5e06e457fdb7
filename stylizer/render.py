"""A film becomes a stylized film. Decoding, seeing, drawing, composing and encoding overlap, each in its own thread.

With as many frames in work as stages, a network need not use every core itself.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stylizer import machine
from stylizer.errors import StylizerError
from stylizer.frame import Frame, PixelsU8
from stylizer.job import Job
from stylizer.media import Reader, Writer
from stylizer.pipeline import Pipeline

AHEAD = 2  # frames that wait between two stages; more would only take memory
STILL_PASSES = 3  # the matte's recurrent memory has settled on a still after three

Tell = Callable[[int, int], None]  # (frames done, frames expected; 0 when nobody knows)


@dataclass(slots=True)
class Report:
    """What `--json` writes. Times in ms; latency is from the first look at a frame to its finished picture."""

    frames_in: int = 0
    frames_out: int = 0
    frames_failed: int = 0
    frames_broken: int = 0
    frames_without_person: int = 0
    seconds: float = 0.0
    fps: float = 0.0
    interrupted: bool = False
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    ladder: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    machine: Mapping[str, str | int] = field(default_factory=machine.describe)

    def to_dict(self) -> dict[str, object]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Done:
    frame: Frame
    job: Job
    latency_s: float


def render(
    pipeline: Pipeline,
    source: Path,
    target: Path,
    controls: Mapping[str, object],
    tell: Tell,
    *,
    backdrop: PixelsU8 | None = None,
    reference: PixelsU8 | None = None,
    stop: threading.Event | None = None,
) -> Report:
    """Draws every frame of `source` into `target`. Once `stop` is set it ends early; what is done so far is playable.

    backdrop: uint8 [H, W, 3], shown where the control `background` is "picture". reference: alike, whose look is
    taken on.

    Raises Unreadable or BadInput for files that cannot be read or written, and StylizerError with the first frame's own
    error when not one frame could be drawn.
    """
    report = Report(ladder={r.part: {"standing": r.standing, "why": r.why} for r in pipeline.ladder})
    tally = _Tally(report)
    begin = time.perf_counter()
    with Reader(source) as reader, Writer(target, reader) as writer:
        with _drawn(pipeline, reader, controls, backdrop, reference) as done:
            for each in done:
                if stop is not None and stop.is_set():
                    report.interrupted = True
                    break
                writer.write(each.frame)
                tally.add(each)
                tell(report.frames_in, reader.frames_expected)
    report.seconds = round(time.perf_counter() - begin, 3)
    report.frames_out, report.frames_broken = writer.frames, reader.broken
    tally.close(source)
    return report


def _drawn(
    pipeline: Pipeline,
    reader: Reader,
    controls: Mapping[str, object],
    backdrop: PixelsU8 | None,
    reference: PixelsU8 | None,
) -> "_Chain":
    """The frames of one visitor, in order, each third of the pipeline's step in a thread of its own."""
    state = pipeline.new_state(controls)
    state.backdrop = backdrop
    if reference is not None:
        state.reference = pipeline.reference(reference, str(state.controls["style"]))
    begun: deque[float] = deque()

    def see(frame: Frame) -> list[Job]:
        begun.append(time.perf_counter())
        for _ in range(STILL_PASSES if reader.is_picture else 1):
            jobs = pipeline.see([frame], [state])
        return jobs

    def finish(jobs: list[Job]) -> _Done:
        (frame,) = pipeline.finish(jobs)
        return _Done(frame, jobs[0], time.perf_counter() - begun.popleft())

    return _Chain(reader, see, pipeline.draw, finish)


class _Tally:
    """Sums up what the report tells."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._latencies_s: list[float] = []
        self._stages: dict[str, float] = {}
        self._first_error: Exception | None = None

    def add(self, done: _Done) -> None:
        report, job = self._report, done.job
        report.frames_in += 1
        report.frames_failed += job.error is not None
        report.frames_without_person += job.box is None and job.error is None
        self._first_error = self._first_error or job.error
        self._latencies_s.append(done.latency_s)
        for stage, ms in job.stages_ms.items():
            self._stages[stage] = self._stages.get(stage, 0.0) + ms

    def close(self, source: Path) -> None:
        report, count = self._report, self._report.frames_in
        if self._first_error is not None and report.frames_failed == count:
            raise StylizerError(f"{source}: no frame could be drawn; the first said: {self._first_error}")
        if count:
            report.fps = round(report.frames_out / report.seconds, 2)
            report.stages_ms = {stage: round(ms / count, 2) for stage, ms in self._stages.items()}
            p50, p95, p99 = np.percentile(np.array(self._latencies_s) * 1000, (50, 95, 99)).round(1).tolist()
            report.latency_ms = {"p50": p50, "p95": p95, "p99": p99}


class _Chain:
    """Items through works, one thread each, in order. An error anywhere comes out at the end; leaving stops all."""

    def __init__(self, items: Iterable[Any], *works: Callable[[Any], Any]) -> None:
        self._items, self._works = items, works

    def __enter__(self) -> Iterator[Any]:
        self._threads = ExitStack()
        items = self._threads.enter_context(_Stage(None, self._items))
        for work in self._works:
            items = self._threads.enter_context(_Stage(work, items))
        return items

    def __exit__(self, *exception: Any) -> None:
        self._threads.__exit__(*exception)


class _Stage:
    """One thread that applies `work` to each item, at most `AHEAD` results ahead of who takes them."""

    def __init__(self, work: Callable[[Any], Any] | None, items: Iterable[Any]) -> None:
        self._work, self._items = work, items
        self._results: queue.Queue[Any] = queue.Queue(AHEAD)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="render", daemon=True)

    def __enter__(self) -> Iterator[Any]:
        self._thread.start()
        return self._taken()

    def __exit__(self, *_: object) -> None:
        """Ends the thread: it may be waiting for room, so what it holds is thrown away until it sees the sign."""
        self._stopping.set()
        while self._thread.is_alive():
            while not self._results.empty():
                self._results.get_nowait()
            self._thread.join(0.02)

    def _run(self) -> None:
        try:
            for item in self._items:
                if self._stopping.is_set():
                    break
                self._results.put((item if self._work is None else self._work(item), None))
            self._results.put(None)
        except Exception as error:
            self._results.put((None, error))

    def _taken(self) -> Iterator[Any]:
        while (entry := self._results.get()) is not None:
            result, error = entry
            if error is not None:
                raise error
            yield result
