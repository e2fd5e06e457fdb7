"""Camera frames from a received track into a live session: always drained, newest wins, one size."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from stylizer.frame import VIDEO_CLOCK, Frame
from web.rtc.slot import Slot

LONG_SIDE_PX = 640  # a standing person is then some 400 px high, more than the 256 px that the networks see
MAX_DECODED_PIXELS = 1920 * 1088  # beyond this a sender costs us more than a visitor may
PINNED_S = 1.0  # a size stays at least this long: a sender that flaps cannot make the networks and encoder start anew


class Arrival(NamedTuple):
    frame: VideoFrame
    at_s: float


class TakesFrames(Protocol):
    """The part of `LiveSession` that the intake needs."""

    def offer(self, frame: Frame) -> None: ...


class Intake:
    """`run` one track until it ends. `last_at_s`: when the newest frame came, None before the first.

    epoch_s: the stream's start on the same clock; pts counts from there, so that time runs on over a reconnect.
    """

    def __init__(self, session: TakesFrames, epoch_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.last_at_s: float | None = None
        self.refused = 0  # frames too large, or of a size that came too soon after another
        self._session, self._epoch_s, self._clock = session, epoch_s, clock
        self._slot: Slot[Arrival] = Slot()
        self._pts_offset: int | None = None
        self._size: tuple[int, int] | None = None
        self._size_since_s = 0.0

    @property
    def dropped(self) -> int:
        """Frames that were replaced by a newer one before they were converted."""
        return self._slot.dropped

    async def run(self, track: MediaStreamTrack) -> None:
        """Returns when the track ends."""
        converting = asyncio.create_task(self._convert())
        try:
            while True:
                frame = await track.recv()
                self.last_at_s = self._clock()
                self._slot.put(Arrival(frame, self.last_at_s))
        except MediaStreamError:
            return
        finally:
            converting.cancel()

    async def _convert(self) -> None:
        while True:
            arrival = await self._slot.get()
            await asyncio.to_thread(self._hand_over, arrival)

    def _hand_over(self, arrival: Arrival) -> None:
        size = self._pinned_size(arrival)
        if size is None:
            self.refused += 1
            return
        pixels = arrival.frame.to_ndarray(format="rgb24", width=size[0], height=size[1])
        self._session.offer(Frame(np.ascontiguousarray(pixels), self._pts(arrival), VIDEO_CLOCK, arrival.at_s))

    def _pinned_size(self, arrival: Arrival) -> tuple[int, int] | None:
        """The size to scale to, or None when the frame is refused.

        A browser that saves bandwidth sends the same picture smaller: it is scaled back up, nothing behind notices.
        """
        width, height = arrival.frame.width, arrival.frame.height
        if width * height > MAX_DECODED_PIXELS:
            return None
        size = fit(width, height, LONG_SIDE_PX)
        if size != self._size:
            if self._size is not None and arrival.at_s - self._size_since_s < PINNED_S:
                return None
            self._size, self._size_since_s = size, arrival.at_s
        return size

    def _pts(self, arrival: Arrival) -> int:
        """90 kHz ticks since the stream's start, spaced as the camera spaced them."""
        pts, base = arrival.frame.pts, arrival.frame.time_base
        ticks = (
            int(pts * base.numerator * VIDEO_CLOCK.denominator / base.denominator) if pts is not None and base else 0
        )
        now = int((arrival.at_s - self._epoch_s) / VIDEO_CLOCK)
        if pts is None or self._pts_offset is None:
            self._pts_offset = now - ticks
        return ticks + self._pts_offset


def fit(width: int, height: int, long_side_px: int) -> tuple[int, int]:
    """The same shape with `long_side_px` as longer side, both sides even (YUV 4:2:0 halves them)."""
    scale = long_side_px / max(width, height)
    even_width, even_height = (max(2, round(side * scale / 2) * 2) for side in (width, height))
    return even_width, even_height
