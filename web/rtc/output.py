"""Results of a live session as a track: each is sent once, as soon as it is there."""

import asyncio
import time
from collections.abc import Callable

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from stylizer.frame import VIDEO_CLOCK, Frame
from stylizer.stages.compose import neutral
from web.rtc.session import Session

KEEP_ALIVE_S = 1.0  # without news the last picture is sent again this often: a browser that lost it can ask for it
CARD_AFTER_S = 3.0  # without news for this long a plain card is sent: nobody takes a still for the show


class ResultTrack(MediaStreamTrack):  # type: ignore[misc]  # aiortc counts as untyped here
    """aiortc pulls with `recv`; the session's thread wakes it. One track at a time listens to a session: the newest.

    pts are the camera's own, so the browser shows the motion as it was; they only ever grow.
    """

    kind = "video"

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self.unique = 0
        self._session, self._clock = session, clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._last: VideoFrame | None = None
        self._sent_at_s = self._fresh_at_s = 0.0

    async def recv(self) -> VideoFrame:
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._session.on_result = self._wake
        while self.readyState == "live":
            if (frame := self._session.take(0)) is not None:
                return self._fresh(frame)
            try:
                await asyncio.wait_for(self._news.wait(), KEEP_ALIVE_S)
            except TimeoutError:
                if self._last is not None:
                    return self._again(self._last)
            self._news.clear()
        raise MediaStreamError

    def stop(self) -> None:
        if self._session.on_result == self._wake:
            self._session.on_result = None
        super().stop()
        self._news.set()

    def end_from_anywhere(self) -> None:
        """`stop` for callers that are not in the track's event loop."""
        if self._loop is None or self._loop.is_closed():
            self.stop()
        else:
            self._loop.call_soon_threadsafe(self.stop)

    def _wake(self) -> None:
        """In the pipeline's thread."""
        loop = self._loop
        assert loop is not None
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._news.set)

    def _fresh(self, frame: Frame) -> VideoFrame:
        picture = VideoFrame.from_ndarray(frame.pixels, format="rgb24")
        pts = int(frame.pts * frame.time_base / VIDEO_CLOCK)
        picture.pts = pts if self._last is None else max(pts, self._last.pts + 1)
        picture.time_base = VIDEO_CLOCK
        self.unique += 1
        self._fresh_at_s = self._clock()
        return self._remember(picture)

    def _again(self, last: VideoFrame) -> VideoFrame:
        now = self._clock()
        picture = last if now - self._fresh_at_s < CARD_AFTER_S else self._card(last)
        picture.pts = last.pts + max(1, int((now - self._sent_at_s) / VIDEO_CLOCK))
        picture.time_base = VIDEO_CLOCK
        return self._remember(picture)

    def _card(self, like: VideoFrame) -> VideoFrame:
        controls = {"background_colour": "#000000", **self._session.controls, "framing": "scene"}
        return VideoFrame.from_ndarray(neutral((like.width, like.height), controls), format="rgb24")

    def _remember(self, picture: VideoFrame) -> VideoFrame:
        self._last, self._sent_at_s = picture, self._clock()
        return picture
