"""H.264 in MP4, written into memory alone: what visitors made must not touch a disk."""

import io
from fractions import Fraction

import av

from stylizer.frame import VIDEO_CLOCK, Frame, inside
from stylizer.media import encodable, say_colours


class MemoryFilm:
    """Has its first frame's size and begins at its time. `content` is complete once the `with` has ended."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._memory = io.BytesIO()
        self._file = av.open(self._memory, "w", format="mp4")
        self._video = self._file.add_stream("libx264", rate=30)
        self._video.pix_fmt = "yuv420p"
        self._video.time_base = self._video.codec_context.time_base = VIDEO_CLOCK
        self._video.options = {"preset": "veryfast", "crf": "20"}
        say_colours(self._video)
        self._video.codec_context.thread_count = 1  # the networks need the other cores
        self._first: Frame | None = None
        self._last_pts = -1

    def __enter__(self) -> "MemoryFilm":
        return self

    def __exit__(self, *fault: object) -> None:
        if self._first is not None:
            self._file.mux(self._video.encode(None))
            self._file.close()

    def add(self, frame: Frame) -> None:
        if self._first is None:
            self._first = frame
            self._video.height, self._video.width = (side // 2 * 2 for side in frame.pixels.shape[:2])
        pixels = inside(frame.pixels, self._video.width, self._video.height)
        picture = encodable(pixels)
        self.seconds = frame.time_s - self._first.time_s
        self._last_pts = max(self._last_pts + 1, round(Fraction(self.seconds) / VIDEO_CLOCK))
        picture.pts, picture.time_base = self._last_pts, VIDEO_CLOCK
        self._file.mux(self._video.encode(picture))

    @property
    def first(self) -> Frame:
        assert self._first is not None, "nothing was added"
        return self._first

    @property
    def content(self) -> bytes:
        return self._memory.getvalue()
