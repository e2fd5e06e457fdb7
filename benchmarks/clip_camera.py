"""The sample clip as a camera for aiortc: a person to find, and no picture of anybody."""

import asyncio
import time
from functools import cache
from itertools import count

from aiortc import VideoStreamTrack
from av import VideoFrame

from stylizer.frame import VIDEO_CLOCK
from stylizer.media import Reader
from stylizer.styles import CLIP

EVERY = 6  # of the clip's frames: 28 pictures in memory are enough to move


@cache
def pictures() -> tuple[VideoFrame, ...]:
    with Reader(CLIP) as film:
        return tuple(
            VideoFrame.from_ndarray(frame.pixels, format="rgb24").reformat(format="yuv420p")
            for index, frame in enumerate(film)
            if index % EVERY == 0
        )


class ClipCamera(VideoStreamTrack):  # type: ignore[misc]  # aiortc counts as untyped here
    """`fps` pictures a second, round and round."""

    def __init__(self, fps: float) -> None:
        super().__init__()
        self._every_s = 1 / fps
        self._turn = count()
        self._began_s = time.monotonic()

    async def recv(self) -> VideoFrame:
        turn = next(self._turn)
        await asyncio.sleep(max(0.0, self._began_s + turn * self._every_s - time.monotonic()))
        frame = pictures()[turn % len(pictures())].reformat(format="yuv420p")
        frame.pts, frame.time_base = round(turn * self._every_s / VIDEO_CLOCK), VIDEO_CLOCK
        return frame
