"""Films and pictures: read frame by frame with their times, write with the sound kept."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import cv2
import numpy as np
from av.stream import Disposition
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from stylizer.errors import BadInput, Unavailable, Unreadable
from stylizer.files import made_whole, write_whole
from stylizer.frame import Frame, PixelsU8, inside
from stylizer.hdr import ToPlain, is_hdr
from stylizer.picture import FORMATS, NOT_READ, SUFFIXES, encode_picture, read_picture
from stylizer.soundtrack import BROKEN, Soundtrack, url_of

DEFAULT_RATE = Fraction(25)
FILM_FORMATS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
FILM_SUFFIXES = tuple(FILM_FORMATS)
BT709 = 1  # H.273's number of HDTV's colours
NOT_SAID = 2  # its number for a film that does not say
ROUNDED = 0.02  # so near to square are pixels of films that were scaled to even sides
WIDEST = 4  # a pixel's sides, one over the other; a header that says more is wrong


class Reader:
    """A film's or a picture's frames, upright, of square pixels, in a plain screen's colours, each with its time. A
    broken one is counted and passed over. Times begin where the file does: a recorded broadcast's own clock is hours
    ahead (`starts_s`).

    Raises Unreadable naming the path when nothing in it can be shown.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken = 0
        self._to_plain: ToPlain | None = None
        self.is_picture = path.suffix.lower() in SUFFIXES
        if self.is_picture:
            self._picture = read_picture(path)
            self.rate, self.frames_expected, self.has_sound, self.starts_s = DEFAULT_RATE, 1, False, Fraction(0)
            return
        if path.suffix.lower() in NOT_READ:
            raise Unreadable(f"{path}: a picture of a kind that is not read; save it as {' or '.join(FORMATS)}")
        try:
            self._container = av.open(url_of(path))
        except (OSError, ValueError, av.error.FFmpegError) as error:
            raise Unreadable(f"{path}: no film or picture that can be read ({reason(error)})") from None
        films = [s for s in self._container.streams.video if not s.disposition & Disposition.attached_pic]
        if not films:  # of a song its cover is no film
            raise Unreadable(f"{path}: holds no video")
        self._video: VideoStream = films[0]
        self._video.thread_type = "AUTO"
        self.rate = self._video.average_rate or DEFAULT_RATE
        self.frames_expected = self._video.frames or _estimate(self._container, self.rate)
        self.has_sound = bool(self._container.streams.audio)
        self.starts_s = Fraction(self._container.start_time or 0, av.time_base)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if not self.is_picture:
            self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        if self.is_picture:
            yield Frame(self._picture, pts=0, time_base=1 / self.rate)
            return
        count, pts = 0, -1
        for decoded in self._decoded():
            time_base = decoded.time_base or 1 / self.rate
            told = -1 if decoded.pts is None else decoded.pts - round(self.starts_s / time_base)
            if told <= pts:  # no clock, or a broken one: keep the order
                told = pts + max(1, round(1 / (self.rate * time_base))) if pts >= 0 else 0
            pts = told
            try:
                pixels = self._in_plain_colours(decoded).to_ndarray(format="rgb24")
                frame = Frame(self._upright(pixels, decoded), pts, time_base)
            except (BadInput, av.error.FFmpegError):
                self.broken += 1
                continue
            count += 1
            yield frame
        if not count:
            raise Unreadable(f"{self.path}: not one frame could be decoded")

    def _in_plain_colours(self, decoded: av.VideoFrame) -> av.VideoFrame:
        if not is_hdr(decoded):
            if decoded.colorspace == NOT_SAID and _is_hd(decoded):
                decoded.colorspace = Colorspace.ITU709
            return decoded
        if self._to_plain is None or not self._to_plain.fits(decoded):
            self._to_plain = ToPlain(decoded)
        return self._to_plain(decoded)

    def _upright(self, pixels: PixelsU8, decoded: av.VideoFrame) -> PixelsU8:
        """Phones write the sensor's way up and a note how to turn it; the front camera's may say to mirror it, too."""
        aspect = self._video.sample_aspect_ratio  # a pixel's width over its height
        if aspect and abs(aspect - 1) > ROUNDED and 1 / WIDEST <= aspect <= WIDEST:  # DV, DVD, HDV
            height, width = pixels.shape[:2]
            pixels = cv2.resize(pixels, (max(1, round(width * aspect)), height))
        if _is_mirrored(decoded):
            pixels = pixels[::-1]
        return np.ascontiguousarray(np.rot90(pixels, round(decoded.rotation / 90) % 4))

    def _decoded(self) -> Iterator[av.VideoFrame]:
        packets = self._container.demux(self._video)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except BROKEN:  # the container itself ends in the middle: what came so far is kept
                self.broken += 1
                return
            try:
                yield from packet.decode()
            except BROKEN:
                self.broken += 1


class Writer:
    """Writes frames to a film (H.264; sound copied from `source`) or, for a picture's suffix, one picture.

    The size is that of the first frame, made even by repeating the last row or column; pictures of another size stand
    in it whole. `close` leaves a playable file
    whenever it comes; until then the name has what it had, and a killed process leaves `NAME.part`. Raises BadInput for
    a suffix that is neither and for the source's own file, Unavailable when nothing can be written, on a full disk say.
    """

    def __init__(self, path: Path, source: Reader) -> None:
        self.path, self._source = path, source
        self.frames = 0
        suffix = path.suffix.lower()
        self._picture_format = SUFFIXES.get(suffix)
        if self._picture_format is None and suffix not in FILM_SUFFIXES:
            raise BadInput(
                f"{path}: cannot write {suffix or 'a name without a suffix'}; allowed are "
                f"{', '.join((*FILM_SUFFIXES, *SUFFIXES))}"
            )
        if self._picture_format and not source.is_picture:
            raise BadInput(f"{path}: a film cannot be written as a picture; allowed are {', '.join(FILM_SUFFIXES)}")
        if not path.parent.is_dir():
            raise BadInput(f"{path}: the folder does not exist")
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise BadInput(f"{path}: is a folder, or in one that cannot be written to")
        if path.exists() and path.samefile(source.path):
            raise BadInput(f"{path}: is the input itself, which would be lost")
        self._container: av.container.OutputContainer | None = None
        self._video: VideoStream
        self._sound: Soundtrack | None = None
        self._end_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, frame: Frame) -> None:
        with self._told():
            self._write(frame)

    def _write(self, frame: Frame) -> None:
        if self._picture_format:
            write_whole(self.path, encode_picture(frame.pixels, self._picture_format))
            self.frames += 1
            return
        pixels = _even(frame.pixels)
        if self._container is None:
            self._open(frame, pixels)
        picture = encodable(inside(pixels, self._video.width, self._video.height))
        picture.pts, picture.time_base = frame.pts, frame.time_base
        assert self._container
        self._container.mux(self._video.encode(picture))
        self.frames += 1
        self._end_s = frame.time_s + float(1 / self._source.rate)
        if self._sound:
            self._sound.advance(self._end_s)

    def close(self) -> None:
        """Flushes the encoder, adds the sound up to the last picture, closes the file. Closing twice is no fault."""
        container, self._container = self._container, None
        if container is None:
            return
        with self._told(), self._part:
            try:
                container.mux(self._video.encode(None))
                if self._sound:
                    self._sound.close()
            finally:
                container.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """FFmpeg's errors are of many kinds, and some name no file."""
        try:
            yield
        except (OSError, av.error.FFmpegError) as error:
            raise Unavailable(f"{self.path}: cannot be written ({reason(error)})") from None

    def _open(self, frame: Frame, pixels: PixelsU8) -> None:
        with ExitStack() as parts:
            part = parts.enter_context(made_whole(self.path))
            container = av.open(url_of(part), "w", format=FILM_FORMATS[self.path.suffix.lower()])
            self._video = container.add_stream("libx264", rate=self._source.rate)
            self._video.height, self._video.width = pixels.shape[:2]
            self._video.pix_fmt = "yuv420p"
            self._video.time_base = self._video.codec_context.time_base = frame.time_base
            self._video.options = {"preset": "veryfast", "crf": "20"}
            say_colours(self._video)
            if self._source.has_sound:
                self._sound = Soundtrack(self._source.path, container, self._source.starts_s)
            begin(container)
            self._part, self._container = parts.pop_all(), container


def encodable(pixels: PixelsU8) -> av.VideoFrame:
    """uint8 [H, W, 3], H and W even -> what an encoder takes, in the colours of HDTV."""
    picture = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    return picture.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)


def say_colours(stream: VideoStream) -> None:
    """Those of `encodable`: unless a film says what its colours are, players guess by its size."""
    codec = stream.codec_context
    codec.colorspace = codec.color_primaries = codec.color_trc = BT709
    codec.color_range = ColorRange.MPEG


def begin(film: av.container.OutputContainer) -> None:
    """Writes the header, once all streams are known: where it finds no room on the disk, a packet after it would crash
    FFmpeg. Raises OSError."""
    film.start_encoding()


def reason(error: Exception) -> str:
    """FFmpeg's own words, without the path that the message names already."""
    return str(getattr(error, "strerror", None) or error)


def _is_hd(decoded: av.VideoFrame) -> bool:
    """Where a film does not say whose colours it has, HDTV's are meant from this size on, as players take it."""
    return bool(decoded.width >= 1280 or decoded.height > 576)


def _is_mirrored(decoded: av.VideoFrame) -> bool:
    """Whether top and bottom are to be swapped before it is turned by `rotation`, which does not tell of it."""
    matrix = decoded.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].astype(float)
    return bool(a * d < b * c)


def _estimate(container: av.container.InputContainer, rate: Fraction) -> int:
    return round(container.duration / av.time_base * rate) if container.duration else 0


def _even(pixels: PixelsU8) -> PixelsU8:
    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        return cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)  # type: ignore[no-any-return]
    return pixels
