"""Camera, film or picture for the loop, read in a thread; what goes away is looked for until it is back."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from stylizer.errors import BadInput, StylizerError
from stylizer.frame import PixelsU8
from stylizer.logs import log
from stylizer.media import Reader

RETRY_S = 2.0
LEAP_S = 10.0  # a film's clock that jumps further is not followed, nor is time made up that was lost
PICTURE_S = 1.0  # between two looks whether a picture's file is still the same
CAMERA = "camera"

Frames = Callable[[], Iterator[PixelsU8]]  # one run through the source, in its own time; ends when that is gone


class GuestFeed:
    """Hands every frame to `offer` (VjSession.offer) and None when there is none any more, until `close`.

    source: "camera", "camera:N", or a file. frames: the source itself, for tests.
    Raises Unreadable for a file that cannot be shown, BadInput for a camera that is no number.
    """

    def __init__(self, source: str, offer: Callable[[PixelsU8 | None], None], frames: Frames | None = None) -> None:
        self.source, self._offer = source, offer
        self._closing = threading.Event()
        self._frames = frames or self._opened(source)
        self._thread = threading.Thread(target=self._run, name="guest", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    def _opened(self, source: str) -> Frames:
        name, _, number = source.partition(":")
        if name == CAMERA:
            if not (number or "0").isdigit():
                raise BadInput(f"guest: got {source!r}, allowed is camera, camera:0, camera:1 and so on, or a file")
            return lambda: camera_frames(int(number or 0))
        Reader(Path(source)).close()  # a wrong file is told at once
        return lambda: film_frames(Path(source), self._closing)

    def _run(self) -> None:
        there = True
        while not self._closing.is_set():
            gone = self.source.startswith(CAMERA)
            try:
                for pixels in self._frames():
                    there = True
                    self._offer(pixels)
                    if self._closing.is_set():
                        return
            except (StylizerError, OSError) as error:  # a film on a stick that was pulled out
                gone = True
                log.debug("guest not read", reason=str(error))
            if gone:
                if there:
                    log.info("guest gone", source=self.source)
                    self._offer(None)
                there = False
                self._closing.wait(RETRY_S)


def camera_frames(number: int) -> Iterator[PixelsU8]:
    """Until the camera gives no frame; none at all when there is no such camera."""
    capture = cv2.VideoCapture(number)
    try:
        while capture.isOpened():
            good, bgr = capture.read()
            if not good:
                return
            yield np.ascontiguousarray(bgr[..., ::-1])
    finally:
        capture.release()


def film_frames(path: Path, closing: threading.Event) -> Iterator[PixelsU8]:
    """Once through a film at its own pace, whatever decoding takes of it; a picture stays until its file is another.

    Raises Unreadable, or OSError when the file is taken away.
    """
    written_ns = path.stat().st_mtime_ns
    with Reader(path) as film:
        begin_s = time.monotonic()
        for frame in film:
            ahead_s = begin_s + frame.time_s - time.monotonic()
            if abs(ahead_s) > LEAP_S:
                begin_s, ahead_s = begin_s - ahead_s, 0.0
            if closing.wait(max(0.0, ahead_s)):
                return
            yield frame.pixels
        if not film.is_picture:
            closing.wait(float(1 / film.rate))
            return
    while not closing.wait(PICTURE_S) and path.stat().st_mtime_ns == written_ns:
        pass
