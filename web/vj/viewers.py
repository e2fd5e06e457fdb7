"""Pages that look at the show: each gets the newest picture at its own rate and size over the WebRTC layer."""

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

import numpy as np

from stylizer.controls import Value, control
from stylizer.errors import BadInput, NoCapacity
from stylizer.frame import VIDEO_CLOCK, Frame, PixelsU8, fitted
from stylizer.live import SessionStats
from stylizer.vj.outputs.broadcast import Broadcast
from stylizer.vj.session import VjSession

MAX_VIEWERS = 8  # each costs an encoder of its own
OUTPUT_FPS, PREVIEW_FPS = 30.0, 15.0
WINDOW = 90  # pictures over which rates and times are told: 3 s


class Viewer:
    """One page's place; what a `LiveSession` is for a visitor. side_px None: as large as the show makes it.

    may_send: whether this page's camera is let into the show (`offer`); the control page's key decides.
    """

    def __init__(self, audience: "Audience", side_px: int | None) -> None:
        self.id = secrets.token_urlsafe(12)
        self.on_result: Callable[[], None] | None = None
        self.may_send = False
        self._audience, self._side_px = audience, side_px
        self._every_s = 1 / (OUTPUT_FPS if side_px is None else PREVIEW_FPS)
        self._lock = threading.Lock()
        self._newest: tuple[PixelsU8, float] | None = None
        self._due_s = self._taken_s = -1.0
        self._in = self._out = self._dropped = 0
        self._taken: deque[float] = deque(maxlen=WINDOW)
        self._waits_s: deque[float] = deque(maxlen=WINDOW)
        self._encodes_s: deque[float] = deque(maxlen=WINDOW)
        self._encoding = False
        self._end = audience.broadcast.listen(self._deliver)

    @property
    def controls(self) -> Mapping[str, Value]:
        return {} if self._side_px is None else {"output_size": str(self._side_px)}

    def set(self, changes: Mapping[str, object]) -> Mapping[str, Value]:
        if changes and dict(changes) != self.controls:
            raise BadInput(f"{', '.join(changes)}: an output changes nothing; use the control page")
        return self.controls

    def offer(self, frame: Frame) -> None:
        with self._audience.door:  # or the last picture of who leaves could come after all, and stay
            if self.may_send:
                self._audience.session.offer(frame.pixels, by_page=True)

    def take(self, timeout_s: float = 0.0) -> Frame | None:
        """The newest picture that was not taken yet, or None at once: the track waits for `on_result`."""
        now = self._audience.clock()
        with self._lock:
            if self._encoding:  # the track asks for the next one when the last is encoded and sent
                self._encodes_s.append(now - self._taken_s)
                self._encoding = False
            newest, self._newest = self._newest, None
            if newest is None:
                return None
            self._taken_s, self._encoding = now, True
            self._taken.append(now)
            self._waits_s.append(now - newest[1])
            self._out += 1
        pixels, at_s = newest
        return Frame(self._sized(pixels), int((at_s - self._audience.epoch_s) / VIDEO_CLOCK), VIDEO_CLOCK, at_s)

    def stats(self) -> SessionStats:
        """latency_ms: from the finished picture until it is encoded and sent."""
        with self._lock:
            taken, waits, encodes = list(self._taken), list(self._waits_s), list(self._encodes_s)
        fps = (len(taken) - 1) / (taken[-1] - taken[0]) if len(taken) > 1 and taken[-1] > taken[0] else 0.0
        encode_s = float(np.median(encodes)) if encodes else 0.0
        latency = {f"p{p}": round(1e3 * (float(np.percentile(waits, p)) + encode_s), 1) for p in (50, 95) if waits}
        stages = {"encode": round(1e3 * encode_s, 1)}
        return SessionStats(self._in, self._out, self._dropped, 0, round(fps, 1), latency, stages)

    def leave(self) -> None:
        self._end()
        self._audience.forget(self)
        with self._audience.door:
            if self.may_send:
                self.may_send = False
                self._audience.session.offer(None, by_page=True)

    def _deliver(self, pixels: PixelsU8, at_s: float) -> None:
        """In the show's thread."""
        if at_s < self._due_s - 0.1 * self._every_s:  # of a show of 60 fps every second picture, however it trembles
            return
        self._due_s = max(self._due_s + self._every_s, at_s)
        with self._lock:
            self._in += 1
            self._dropped += self._newest is not None
            self._newest = pixels, at_s
        if (wake := self.on_result) is not None:
            wake()

    def _sized(self, pixels: PixelsU8) -> PixelsU8:
        if self._side_px is None or self._side_px >= pixels.shape[0]:
            return pixels
        return fitted(pixels, self._side_px, self._side_px)


class Audience:
    """All viewers; the host of `web.rtc.streams.Streams`. door: held while a camera is let in or sent away."""

    def __init__(self, session: VjSession, broadcast: Broadcast, clock: Callable[[], float] = time.monotonic) -> None:
        self.session, self.broadcast, self.clock = session, broadcast, clock
        self.epoch_s, self.door = clock(), threading.Lock()
        self._viewers: dict[str, Viewer] = {}

    def join(self, controls: Mapping[str, object] | None = None) -> Viewer:
        """controls: `output_size` makes it a preview of that size. Raises BadInput, NoCapacity."""
        wanted = dict(controls or {})
        if strangers := wanted.keys() - {"output_size"}:
            raise BadInput(f"{', '.join(sorted(strangers))}: an output takes output_size only")
        side = int(str(control("output_size").check(wanted["output_size"]))) if wanted else None
        if len(self._viewers) >= MAX_VIEWERS:
            raise NoCapacity(f"{MAX_VIEWERS} pages look at the show already; close one of them")
        viewer = Viewer(self, side)
        self._viewers[viewer.id] = viewer
        return viewer

    def let_send(self, viewer_id: str | None) -> None:
        """This viewer's camera is the show's guest from now on; None sends every camera away."""
        with self.door:
            for viewer in list(self._viewers.values()):
                viewer.may_send = viewer.id == viewer_id
            if viewer_id not in self._viewers:
                self.session.offer(None, by_page=True)

    @property
    def camera(self) -> str | None:
        """The viewer whose camera is let in."""
        return next((viewer.id for viewer in list(self._viewers.values()) if viewer.may_send), None)

    def forget(self, viewer: Viewer) -> None:
        self._viewers.pop(viewer.id, None)
