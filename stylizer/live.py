"""Live streams: the pipeline's lanes serve all visitors, with one-frame slots on either side.

Newest wins: a frame that nobody took before the next one came is dropped and counted, so that latency stays flat when
the load grows; only the rate falls. Visitors take turns, fresh pictures somewhat sooner, as many at once as the
pipeline draws in the time of one: on a CPU that is one, for there four in one batch would each wait for all four.
"""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from stylizer.budget import CAMERA_FPS, Budget
from stylizer.controls import Value
from stylizer.engines import LANES
from stylizer.errors import NoCapacity, NotFound, StylizerError, Unavailable
from stylizer.frame import Frame, PixelsU8, check_pixels
from stylizer.histogram import Histogram
from stylizer.lanes import Lanes, Thirds
from stylizer.logs import log
from stylizer.reference import Reference
from stylizer.stages.outline import Outline
from stylizer.still import Still
from stylizer.visitor import VisitorState

WINDOW_S, WINDOW = 10.0, 300  # rates and percentiles are taken over so many seconds, of so many results at most
STILL_PASSES = 3  # the matte's recurrent memory has settled on a still after three
MAX_STILLS_WAITING = 4
MIN_FPS = 5.0  # promised to every visitor; whoever would break it for the others is refused
AGE = 2.0  # a picture's age counts as much as so many times that of its visitor's waiting
OLD_S = 0.15  # beyond this all are equally old: nobody waits for ever
IDLE_S, STOP_S = 0.5, 1.2  # how often an idle worker looks whether it shall stop, and how long that may take

Watcher = Callable[[Frame, Frame], None]  # (the camera's frame, its result)


class Stepper(Thirds, Protocol):
    """The part of `Pipeline` that live streams need."""

    @property
    def batch(self) -> int: ...
    def new_state(self, controls: Mapping[str, object] | None = None) -> VisitorState: ...
    def checked(self, changes: Mapping[str, object]) -> dict[str, Value]: ...
    def reference(self, pixels: PixelsU8, style: str) -> Reference: ...
    def prepare(self, reference: Reference, style: str) -> None: ...


@dataclass(frozen=True, slots=True)
class SessionStats:
    """Counters since the visitor came; rates and percentiles over the last `WINDOW_S`."""

    frames_in: int
    frames_out: int
    dropped: int
    failed: int
    fps: float
    latency_ms: Mapping[str, float]  # p50, p95, p99 from `captured_at` to the finished result; empty before the first
    stages_ms: Mapping[str, float]  # the last step's time in each stage
    camera_fps: float = CAMERA_FPS  # so many camera pictures a second are worth sending, see `Budget.camera_fps`


class LiveSession:
    """One visitor's place. `offer` and `take` never wait for the pipeline; any thread may call anything here."""

    def __init__(self, worker: "Worker", state: VisitorState, clock: Callable[[], float]) -> None:
        self.id = secrets.token_urlsafe(12)
        self.on_result: Callable[[], None] | None = None  # called in the worker's thread: hand over, do not work there
        self._worker, self._state, self._clock = worker, state, clock
        self._pending: Frame | None = None
        self._offered_s = self._served_s = clock()  # the pending frame came, and this visitor was last served
        self._result: Frame | None = None
        self._ready = threading.Condition()
        self._in = self._out = self._dropped = 0
        self._watchers: tuple[Watcher, ...] = ()
        self._reference_asked = object()
        self._finished: deque[tuple[float, float]] = deque(maxlen=WINDOW)  # (when, latency in s)

    @property
    def controls(self) -> Mapping[str, Value]:
        return self._state.controls

    def set(self, changes: Mapping[str, object]) -> Mapping[str, Value]:
        """All changes or none. Raises BadInput or NotFound naming the first wrong one. Holds from the next frame on."""
        checked = self._worker.pipeline.checked(changes)  # may load a style: meanwhile others may be changed
        if "style" in checked and self._state.reference is not None:
            self._worker.pipeline.prepare(self._state.reference, str(checked["style"]))
        with self._worker.wake:
            self._state.controls = {**self._state.controls, **checked}
            return self.controls

    @property
    def here(self) -> bool:
        """False once the visitor has left."""
        return self.id in self._worker._sessions

    @property
    def outline(self) -> Outline:
        """Where the person stands in the camera's picture, 0..1; empty with nobody in view."""
        return self._state.outline

    @contextmanager
    def watched(self, see: Watcher) -> Iterator[None]:
        """Within, `see` is called with each result, in the worker's thread: hand over, do not work there."""
        self._watchers = (*self._watchers, see)
        try:
            yield
        finally:
            self._watchers = tuple(each for each in self._watchers if each is not see)

    def set_backdrop(self, pixels: PixelsU8 | None) -> None:
        """uint8 [H, W, 3] for background "picture"; None shows the painted landscape again. Raises BadInput."""
        if pixels is not None:
            check_pixels("backdrop", pixels)
        self._state.backdrop = pixels

    def set_reference(self, pixels: PixelsU8 | None) -> None:
        """uint8 [H, W, 3]: whoever is in it, their look is taken on from now on; None gives one's own back.

        Takes a second at most, in the caller's thread; of several on their way the one that was asked for last holds.
        Raises BadInput, and Unavailable when it cannot be cut out.
        """
        if pixels is not None:
            check_pixels("reference", pixels)
        asked = self._reference_asked = object()
        style = str(self.controls["style"])
        reference = None if pixels is None else self._worker.pipeline.reference(pixels, style)
        with self._worker.wake:
            if self.here and self._reference_asked is asked:
                self._state.reference = reference
                self._state.controls = dict(self.controls)  # as with a control, the next drawing is taken whole

    def offer(self, frame: Frame) -> None:
        """Hands a camera frame in; one that still waits is dropped for it."""
        with self._worker.wake:
            self._in += 1
            self._dropped += self._pending is not None
            self._pending, self._offered_s = frame, self._clock()
            self._worker.wake.notify()

    def take(self, timeout_s: float) -> Frame | None:
        """The newest result that was not taken yet, or None after `timeout_s`."""
        with self._ready:
            self._ready.wait_for(lambda: self._result is not None, timeout_s)
            result, self._result = self._result, None
            return result

    def stats(self) -> SessionStats:
        since_s = self._clock() - WINDOW_S
        finished = [(at_s, latency_s) for at_s, latency_s in list(self._finished) if at_s >= since_s]
        span_s = finished[-1][0] - finished[0][0] if len(finished) > 1 else 0.0
        latency: dict[str, float] = {}
        if finished:
            values = np.percentile([seconds * 1000 for _, seconds in finished], (50, 95, 99))
            latency = {f"p{p}": round(float(v), 1) for p, v in zip((50, 95, 99), values, strict=True)}
        fps = round((len(finished) - 1) / span_s, 2) if span_s > 0 else 0.0
        camera_fps = round(self._worker.budget.camera_fps(self._worker.visitors), 1)
        stages_ms = dict(self._state.stages_ms)
        return SessionStats(self._in, self._out, self._dropped, self._state.failed, fps, latency, stages_ms, camera_fps)

    def leave(self) -> None:
        """Frees the place and forgets every picture. Leaving twice is no fault."""
        self._worker._forget(self)
        self._state.backdrop = self._state.reference = None
        self._state.reset()
        self._pending = None
        with self._ready:
            self._result = None

    def yields(self, now_s: float) -> float:
        """Least for who shall be served next: who has waited long, or whose picture came just now.

        Taking turns alone would draw each picture when it is half a camera's interval old. Simulated, four visitors:
        63 ms (p95 125), so 26 (p95 69), and their pictures come 189 ms apart as before, p95 280 instead of 210.
        """
        return AGE * min(now_s - self._offered_s, OLD_S) - (now_s - self._served_s)

    def _deliver(self, frame: Frame, result: Frame) -> None:
        now = self._clock()
        with self._ready:
            self._result = result
            self._out += 1
            self._finished.append((now, now - result.captured_at if result.captured_at is not None else 0.0))
            self._ready.notify()
        if self.on_result:
            self.on_result()
        for see in self._watchers:
            see(frame, result)


class Worker:
    """The pipeline's threads, one for each lane: each takes new frames of those who have waited longest.

    capacity: places at most; fewer when `min_fps` pictures a second for each would be too much for this machine.
    restarts: how often a thread had died and was started again. latency, stages: since the start, of all visitors.
    """

    def __init__(
        self,
        pipeline: Stepper,
        capacity: int,
        clock: Callable[[], float] = time.monotonic,
        min_fps: float = MIN_FPS,
    ) -> None:
        self.pipeline = pipeline
        self.budget = Budget(capacity, min_fps)
        self.restarts = 0
        self.latency = Histogram()
        self.stages: dict[str, Histogram] = {}
        self._began_s: dict[str, float] = {}  # by thread: when the step that it is in took its frames
        self.wake = threading.Condition()
        self._clock = clock
        self._sessions: dict[str, LiveSession] = {}
        self._stills: deque[Still] = deque()
        self._lanes = Lanes(pipeline)
        self._turns = 0
        self._running = False
        self._threads: list[threading.Thread] = []

    @property
    def alive(self) -> bool:
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads)

    @property
    def capacity(self) -> int:
        """Places there are, by what a frame was measured to cost."""
        return self.budget.places

    @property
    def busy_s(self) -> float:
        """How long the oldest step under way has taken so far; 0 while there is none."""
        began_s = list(self._began_s.values())
        return self._clock() - min(began_s) if began_s else 0.0

    @property
    def visitors(self) -> int:
        return len(self._sessions)

    @property
    def sessions(self) -> list[LiveSession]:
        return list(self._sessions.values())

    def start(self) -> None:
        assert not self.alive, "started twice"
        self._running = True
        self._threads = [threading.Thread(target=self._run, name=f"pipeline {i}", daemon=True) for i in range(LANES)]
        for thread in self._threads:
            thread.start()

    def revive(self) -> bool:
        """Starts dead threads again though nobody stopped them; True when there were. Visitors keep their places."""
        if not self._running or self.alive:
            return False
        self.restarts += 1
        log.error("a thread of the pipeline had ended and is started again", restarts=self.restarts)
        for i, thread in enumerate(self._threads):
            if not thread.is_alive():
                self._threads[i] = threading.Thread(target=self._run, name=thread.name, daemon=True)
                self._threads[i].start()
        return True

    def stop(self, timeout_s: float = STOP_S) -> None:
        """Lets the steps in hand finish, all of them within `timeout_s`, then ends; every visitor is forgotten."""
        with self.wake:
            self._running = False
            self.wake.notify_all()
        end_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, end_s - time.monotonic()))
        for session in list(self._sessions.values()):
            session.leave()
        while self._stills:
            self._stills.popleft().refuse(Unavailable("the worker is shutting down"))

    def join(self, controls: Mapping[str, object] | None = None) -> LiveSession:
        """A place for one more visitor. Raises NoCapacity when all are taken, BadInput for wrong controls."""
        session = LiveSession(self, self.pipeline.new_state(controls), self._clock)
        with self.wake:
            if len(self._sessions) >= self.capacity:
                raise NoCapacity(f"all {self.capacity} places are taken; please try again in a moment")
            self._sessions[session.id] = session
        return session

    def session(self, session_id: str) -> LiveSession:
        try:
            return self._sessions[session_id]
        except KeyError:
            raise NotFound(f"no visitor has the id {session_id!r}; it may have left") from None

    def stylize(self, pixels: PixelsU8, controls: Mapping[str, object] | None = None) -> PixelsU8:
        """One picture, in turn with the live frames; blocks. Raises what the pipeline raises, and NoCapacity."""
        still = Still(pixels, self.pipeline.new_state(controls))
        with self.wake:
            if not self._running:
                raise Unavailable("the worker is not running")
            if len(self._stills) >= MAX_STILLS_WAITING:
                raise NoCapacity(f"{MAX_STILLS_WAITING} pictures are waiting already; please try again in a moment")
            self._stills.append(still)
            self.wake.notify()
        return still.result.result()

    def _forget(self, session: LiveSession) -> None:
        with self.wake:
            self._sessions.pop(session.id, None)

    def _run(self) -> None:
        while self._running:
            self._step()

    def _step(self) -> None:
        """What has waited longest, as soon as there is anything, through both lanes."""
        batch: list[tuple[LiveSession, Frame]] = []
        stills: list[Still] = []

        def take() -> tuple[list[Frame], list[VisitorState]] | None:
            self._next(batch, stills)
            if batch or stills:
                self._began_s[threading.current_thread().name] = self._clock()
            for still in stills:
                for tick in range(STILL_PASSES - 1):
                    self.pipeline.see([Frame(still.pixels, pts=tick)], [still.state])
                return [Frame(still.pixels, pts=STILL_PASSES - 1)], [still.state]
            return ([frame for _, frame in batch], [session._state for session, _ in batch]) if batch else None

        def deliver(results: Sequence[Frame]) -> None:
            for still in stills:
                still.answer(results[0].pixels)
            for (session, frame), result in zip(batch, results, strict=not stills):
                if session.here:
                    try:
                        session._deliver(frame, result)
                    except Exception:  # whoever listens: the next visitor of the batch gets theirs all the same
                        log.exception("a result was not taken")
                    self._measure(session, frame)

        try:
            self._lanes.step(take, deliver)
        except Exception as error:  # the pipeline answers for its stages; what still comes must not end the show
            log.exception("step failed", visitors=len(batch))
            refusal = Unavailable("the picture could not be drawn")
            for still in stills:
                still.refuse(error if isinstance(error, StylizerError) else refusal)
        finally:
            self._began_s.pop(threading.current_thread().name, None)
            for still in stills:
                still.refuse(Unavailable("the pipeline's thread ended over this picture"))

    def _measure(self, session: LiveSession, frame: Frame) -> None:
        stages_ms = session._state.stages_ms
        if stages_ms:
            self.budget.note(sum(stages_ms.values()) / 1000, visitors=1)
        if frame.captured_at is not None:
            self.latency.add(self._clock() - frame.captured_at)
        for stage, ms in stages_ms.items():
            self.stages.setdefault(stage, Histogram()).add(ms / 1000)

    def _next(self, batch: list[tuple[LiveSession, Frame]], stills: list[Still]) -> None:
        """Waits for a frame, a still or the end; frames and stills take turns. Fills one of the two, or neither."""
        with self.wake:
            self.wake.wait_for(self._has_work, IDLE_S)
            if not self._running:
                return
            self._turns += 1
            waiting = [(s, s._pending) for s in self._sessions.values() if s._pending is not None]
            if self._stills and (not waiting or self._turns % 2):
                stills.append(self._stills.popleft())
                return
            now_s = self._clock()
            batch += sorted(waiting, key=lambda entry: entry[0].yields(now_s))[: self.pipeline.batch]
            for session, _ in batch:
                session._pending, session._served_s = None, now_s

    def _has_work(self) -> bool:
        return not self._running or bool(self._stills) or any(s._pending is not None for s in self._sessions.values())
