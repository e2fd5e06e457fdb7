"""Films as phones, studios and editors write them: notes on how to show them that few have."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from av.video.reformatter import Colorspace
from PIL import Image

from stylizer.errors import Unreadable
from stylizer.frame import Frame
from stylizer.media import Reader, Writer
from tests.test_media import SIZE, copied, film

CORNERS = ((230, 20, 20), (20, 230, 20), (20, 20, 230), (230, 230, 20))  # upper left, upper right, lower left and right


def corners(size: tuple[int, int] = SIZE) -> np.ndarray:
    """Each quarter of another colour."""
    small = np.array(CORNERS, np.uint8).reshape(2, 2, 3)
    return small.repeat(size[1] // 2, 0).repeat(size[0] // 2, 1)


def seen(pixels: np.ndarray) -> list[int]:
    """Which of CORNERS stand in the four quarters."""
    height, width = pixels.shape[:2]
    points = [pixels[y, x] for y in (height // 4, -height // 4) for x in (width // 4, -width // 4)]
    return [int(np.abs(np.array(CORNERS) - point.astype(int)).sum(1).argmin()) for point in points]


def written(path: Path, size: tuple[int, int] = SIZE, colours: Colorspace = Colorspace.ITU601) -> Path:
    """A film of `corners` that does not say whose colours it has."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=24, options={"crf": "4", "preset": "ultrafast"})
        (video.width, video.height), video.pix_fmt = size, "yuv420p"
        for _ in range(3):
            picture = av.VideoFrame.from_ndarray(corners(size), format="rgb24")
            out.mux(video.encode(picture.reformat(format="yuv420p", dst_colorspace=colours)))
        out.mux(video.encode(None))
    return path


@pytest.mark.parametrize(
    "matrix, upright",
    [
        ((1, 0, 0, 1), [0, 1, 2, 3]),
        ((0, 1, -1, 0), [2, 0, 3, 1]),  # a phone held upright
        ((-1, 0, 0, 1), [1, 0, 3, 2]),  # its front camera, mirrored
        ((1, 0, 0, -1), [2, 3, 0, 1]),
        ((0, 1, 1, 0), [0, 2, 1, 3]),
        ((0, -1, -1, 0), [3, 1, 2, 0]),
    ],
)
def test_a_film_is_shown_as_its_note_says_turned_and_mirrored(
    tmp_path: Path, matrix: tuple[int, int, int, int], upright: list[int]
) -> None:
    path = written(tmp_path / "in.mp4")
    plain, noted = (_note(*rows) for rows in ((1, 0, 0, 1), matrix))
    data = path.read_bytes()
    begin = data.index(plain, data.index(b"tkhd"))
    path.write_bytes(data[:begin] + noted + data[begin + len(noted) :])
    with Reader(path) as reader:
        assert seen(next(iter(reader)).pixels) == upright


def _note(a: int, b: int, c: int, d: int) -> bytes:
    """As an MP4 has it: where its x and y axes are to point."""
    one = 1 << 16
    return struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize("size, colours", [((1280, 720), Colorspace.ITU709), ((640, 480), Colorspace.ITU601)])
def test_a_film_that_does_not_say_its_colours_has_those_of_its_size(
    tmp_path: Path, size: tuple[int, int], colours: Colorspace
) -> None:
    with Reader(written(tmp_path / "in.mp4", size, colours)) as reader:
        pixels = next(iter(reader)).pixels
    for y, x, wanted in zip((10, 10, -10, -10), (10, -10, 10, -10), CORNERS, strict=True):
        assert pixels[y, x] == pytest.approx(wanted, abs=6)


@pytest.mark.parametrize("rate_hz, got_hz", [(192_000, 96_000), (48_000, 48_000), (6000, 7350)])
def test_sound_of_a_rate_that_aac_has_not_gets_the_nearest(tmp_path: Path, rate_hz: int, got_hz: int) -> None:
    source = film(tmp_path / "in.mkv", frames=24, audio="pcm_s16le", rate_hz=rate_hz)
    with av.open(str(copied(source, tmp_path / "out.mp4"))) as out:
        sound = out.streams.audio[0]
        assert sound.rate == got_hz and 0.9 < float(sound.duration * sound.time_base) < 1.15


def test_a_film_whose_size_changes_squashes_nobody(tmp_path: Path) -> None:
    turned = corners((SIZE[1], SIZE[0]))
    with Reader(film(tmp_path / "in.mp4", audio=None)) as reader, Writer(tmp_path / "out.mp4", reader) as writer:
        for pts, pixels in enumerate((corners(), turned, corners())):
            writer.write(Frame(pixels, pts, Fraction(1, 24)))
    with Reader(tmp_path / "out.mp4") as again:
        first, second, third = (frame.pixels for frame in again)
    assert first.shape == second.shape == third.shape and seen(third) == [0, 1, 2, 3]
    width = SIZE[1] * SIZE[1] // SIZE[0]  # as high as the film, upright
    beside = (SIZE[0] - width) // 2
    assert second[:, : beside - 4].max() < 40 and second[:, -beside + 4 :].max() < 40
    assert seen(second[:, beside:-beside]) == [0, 1, 2, 3]


def test_the_cover_of_a_song_is_no_film(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    with av.open(str(path), "w", format="mp4") as out:
        sound, cover = out.add_stream("aac", rate=48_000), out.add_stream("png", rate=1)
        (cover.width, cover.height), cover.pix_fmt, cover.disposition = SIZE, "rgb24", Disposition.attached_pic
        out.mux(cover.encode(av.VideoFrame.from_ndarray(corners(), format="rgb24")))
        block = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.int16), format="s16", layout="mono")
        block.sample_rate = 48_000
        out.mux(sound.encode(block))
        out.mux(sound.encode(None))
    with pytest.raises(Unreadable, match=r"song\.m4a: holds no video"):
        Reader(path)


def test_a_kind_of_picture_that_is_not_read_is_taken_for_no_film(tmp_path: Path) -> None:
    """FFmpeg reads it: as a film of one frame, or of one of a phone's tiles."""
    path = tmp_path / "IMG_1.AVIF"
    Image.fromarray(corners()).save(path)
    with pytest.raises(Unreadable, match=r"IMG_1\.AVIF: a picture of a kind that is not read; save it as JPEG or PNG"):
        Reader(path)


def test_what_was_cut_off_is_neither_seen_nor_heard(tmp_path: Path) -> None:
    """A phone that shortens a film keeps the packets and notes where to begin."""
    with av.open(str(film(tmp_path / "in.mp4", frames=48))) as whole, av.open(str(tmp_path / "cut.mp4"), "w") as cut:
        streams = {stream.index: cut.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            if packet.dts is not None:
                packet.dts, packet.pts = (ticks - round(1 / packet.time_base) for ticks in (packet.dts, packet.pts))
                packet.stream = streams[packet.stream.index]
                cut.mux(packet)
    for name in ("out.mp4", "out.mkv"):
        with av.open(str(copied(tmp_path / "cut.mp4", tmp_path / name))) as out:
            times = [frame.time for frame in out.decode(video=0)]
        assert len(times) == 24 and times[0] < 0.15, "a second of the sound that was cut off came first"
