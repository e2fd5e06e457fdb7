"""From streamlit-webrtc's tracks into one-frame slots and back. Nothing here calls Streamlit or runs a network."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

from aiortc import MediaStreamTrack

from stylizer.frame import VIDEO_CLOCK, Frame
from stylizer.live import LiveSession
from stylizer.media import Reader
from web import compat
from web.rtc.intake import Intake
from web.rtc.output import ResultTrack

ABSENT_S = 8.0  # a page that lost its connection to us may be back: a closed tab frees its place after this
ASKED_S = 120.0  # for a visitor to let us have the camera
CONNECT_S = 30.0  # from the browser's offer to its first picture, when the machine is not busy
LOOK_S = 1.0
STALL_S = 1.0


class Bridge:
    """One visitor of the studio. `results` is the track to the browser. `close` may be called from any thread.

    present: whether the visitor's page is there; asked once a second, from a thread of its own. A visit is over when it
    is not, or when the browser has no picture by the time that it should: after `ASKED_S`, or what `connecting` set.
    """

    def __init__(self, session: LiveSession, present: Callable[[], bool]) -> None:
        self.session = session
        self.results = ResultTrack(session)
        self.closed = threading.Event()
        self._present = present
        self._deadline_s = time.monotonic() + ASKED_S
        compat.call_when_studio_stream_ends(self.results, self.close)
        threading.Thread(target=self._watch, name="studio visit", daemon=True).start()

    def connecting(self, connect_s: float) -> None:
        """From now on the first picture has this long; a bridge without one closes, and the page may try anew."""
        self._deadline_s = time.monotonic() + connect_s

    def close(self) -> None:
        """Frees the visitor's place."""
        self.closed.set()
        self.session.leave()
        self.results.end_from_anywhere()

    def _watch(self) -> None:
        seen_s = time.monotonic()
        while not self.closed.wait(LOOK_S):
            now_s = time.monotonic()
            if self._present():
                seen_s = now_s
            late = now_s > self._deadline_s and not self.results.unique
            if late or now_s - seen_s > ABSENT_S:
                self.close()


class CameraSink:
    """What streamlit-webrtc feeds the camera's track to (its `MediaSink` protocol); runs in its event loop."""

    def __init__(self, bridge: Bridge, connect_s: float = CONNECT_S) -> None:
        self.intake = Intake(bridge.session, time.monotonic())
        self._bridge, self._connect_s = bridge, connect_s
        self._track: MediaStreamTrack | None = None
        self._task: asyncio.Task[None] | None = None

    def addTrack(self, track: MediaStreamTrack) -> None:  # noqa: N802 (the protocol's name)
        self._track = track

    def hasTrack(self) -> bool:  # noqa: N802
        return self._track is not None

    def start(self) -> None:
        self._bridge.connecting(self._connect_s)
        self._task = asyncio.get_event_loop().create_task(self._run())

    def stop(self) -> None:
        self._bridge.close()
        if self._task is not None:
            self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    async def _run(self) -> None:
        assert self._track is not None, "started without a track"
        try:
            await self.intake.run(self._track)
        finally:
            self._bridge.close()


def play_clip(bridge: Bridge, clip: Path, connect_s: float = CONNECT_S) -> None:
    """Feeds the sample clip in a thread of its own, round and round, until the bridge closes."""
    bridge.connecting(connect_s)
    threading.Thread(target=_feed, args=(bridge, clip), name="clip", daemon=True).start()


def _feed(bridge: Bridge, clip: Path) -> None:
    began_s = time.monotonic()
    lap_s = 0.0  # where on the stream's clock the current round begins
    while True:
        with Reader(clip) as film:
            at_s = 0.0
            for frame in film:
                at_s = lap_s + frame.time_s
                ahead_s = began_s + at_s - time.monotonic()
                if ahead_s < -STALL_S:  # the machine slept: what was missed is not caught up with
                    began_s -= ahead_s
                if bridge.closed.wait(max(0.0, ahead_s)):
                    return
                bridge.session.offer(Frame(frame.pixels, int(at_s / VIDEO_CLOCK), VIDEO_CLOCK, time.monotonic()))
            lap_s = at_s + float(1 / film.rate)
