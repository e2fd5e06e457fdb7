"""Recording: frames to an H.264 film, at once or from a thread of their own so that the show never waits."""

import queue
import threading
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av

from stylizer.errors import BadInput
from stylizer.files import made_whole
from stylizer.frame import PixelsU8, fitted
from stylizer.media import FILM_FORMATS, FILM_SUFFIXES, begin, encodable, say_colours
from stylizer.soundtrack import url_of

BROKEN_OFF = (OSError, ValueError, av.error.FFmpegError)  # a full disk, or an encoder that gives up
WAITING = 8  # frames between the show and the encoder: a third of a second, then frames are dropped and counted


class FilmFile:
    """Pictures of one even size to a film at a constant rate. `close` leaves a playable file whenever it comes; until
    then the name has what it had, unless the film is written in pieces.

    threads: of the encoder, 0 for its own choice; with 1 `write` returns when the picture is encoded.
    piece: frames after which those written are playable even if the process is killed; 0: at `close` alone.
    Raises BadInput for a suffix that is no film, a missing folder, an odd size or a picture of another size.
    """

    def __init__(
        self, path: Path, rate: Fraction, *, preset: str = "veryfast", crf: int = 18, threads: int = 0, piece: int = 0
    ) -> None:
        if path.suffix.lower() not in FILM_SUFFIXES:
            raise BadInput(f"{path}: cannot write {path.suffix or 'no suffix'}; allowed are {', '.join(FILM_SUFFIXES)}")
        if not path.parent.is_dir():
            raise BadInput(f"{path}: the folder does not exist")
        self.path, self.rate, self.frames = path, rate, 0
        self._options = {"preset": preset, "crf": str(crf), "threads": str(threads)}
        self._container_options: dict[str, str] = {}
        self._in_pieces = piece > 0
        if piece:  # MP4 in pieces, made an ordinary one at `close`
            self._options["g"] = str(piece)
            self._container_options = {"movflags": "hybrid_fragmented+frag_keyframe", "flush_packets": "1"}
        self._container: av.container.OutputContainer | None = None
        self._size = (0, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, pixels: PixelsU8, pts: int | None = None) -> None:
        """pts: the frame's number at `rate`, the next one if None; a gap holds the picture before it."""
        height, width = pixels.shape[:2]
        if self._container is None:
            self._open(width, height)
        if (width, height) != self._size:
            raise BadInput(f"{self.path}: a picture of {width}x{height} in a film of {self._size[0]}x{self._size[1]}")
        picture = encodable(pixels)
        picture.pts, picture.time_base = self.frames if pts is None else pts, 1 / self.rate
        assert self._container
        self._container.mux(self._video.encode(picture))
        self.frames += 1

    def close(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            with self._part:
                try:
                    container.mux(self._video.encode(None))
                finally:
                    container.close()

    def _open(self, width: int, height: int) -> None:
        if width % 2 or height % 2:
            raise BadInput(f"{self.path}: H.264 wants even sides, got {width}x{height}")
        self._size = (width, height)
        with ExitStack() as parts:
            path = self.path if self._in_pieces else parts.enter_context(made_whole(self.path))
            form = FILM_FORMATS[self.path.suffix.lower()]
            container = av.open(url_of(path), "w", format=form, options=self._container_options)
            self._video = container.add_stream("libx264", rate=self.rate)
            self._video.width, self._video.height, self._video.pix_fmt = width, height, "yuv420p"
            self._video.time_base = self._video.codec_context.time_base = 1 / self.rate
            self._video.options = self._options
            say_colours(self._video)
            begin(container)
            self._part, self._container = parts.pop_all(), container


class Recorder:
    """Records a running show. `offer` never waits: a full queue drops the frame, counts it, keeps the film's time.

    Pictures of another size than the first are scaled to it. fault: why nothing is recorded any more, "" while it is.
    """

    def __init__(self, path: Path, rate: Fraction) -> None:
        # The show's processor time comes first: ultrafast costs a quarter of veryfast.
        self._film = FilmFile(path, rate, preset="ultrafast", crf=16, piece=round(rate))
        self._waiting: queue.Queue[tuple[PixelsU8, int] | None] = queue.Queue(WAITING)
        self._start_s: float | None = None
        self._last_pts = -1
        self._size: tuple[int, ...] | None = None  # height and width of the film, its first picture's
        self.dropped, self.fault = 0, ""
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def frames(self) -> int:
        return self._film.frames

    @property
    def path(self) -> Path:
        return self._film.path

    def offer(self, pixels: PixelsU8, time_s: float) -> None:
        """pixels: not changed by the caller afterwards. time_s: of the show's clock."""
        if self._start_s is None:
            self._start_s = time_s
        pts = round((time_s - self._start_s) * self._film.rate)
        if pts <= self._last_pts:  # the show runs faster than the film
            return
        try:
            self._waiting.put_nowait((pixels, pts))
            self._last_pts = pts
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Waits until what was offered is written. A second call does nothing."""
        if self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            if not self.fault:
                try:
                    self._size = height, width = self._size or item[0].shape[:2]
                    self._film.write(fitted(item[0], width, height), item[1])
                except BROKEN_OFF as error:  # it must not end the show; `fault` says it
                    self.fault = f"recording stopped: {error}"
        try:
            self._film.close()
        except BROKEN_OFF as error:
            self.fault = self.fault or f"recording stopped: {error}"
