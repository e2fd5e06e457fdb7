"""Films and pictures in and out, with times, sound and faults."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stylizer.errors import BadInput, Unreadable
from stylizer.frame import Frame
from stylizer.media import Reader, Writer
from stylizer.picture import decode_picture, encode_picture

SIZE = (64, 48)  # width, height


def ramp(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture whose grey says which frame it is: 4 per frame."""
    return np.full((size[1], size[0], 3), 20 + 4 * index, np.uint8)


def film(path: Path, frames: int = 12, rate: int = 24, audio: str | None = "aac") -> Path:
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=rate)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        sound = out.add_stream(audio, rate=44_100) if audio else None
        for i in range(frames):
            out.mux(video.encode(av.VideoFrame.from_ndarray(ramp(i), format="rgb24")))
        out.mux(video.encode(None))
        if sound:
            samples = (3000 * np.sin(np.arange(44_100 * frames // rate) / 20)).astype(np.int16)
            block = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            block.sample_rate = 44_100
            out.mux(sound.encode(block))
            out.mux(sound.encode(None))
    return path


def test_frames_keep_their_order_and_time(tmp_path: Path) -> None:
    with Reader(film(tmp_path / "in.mp4")) as reader:
        frames = list(reader)
    assert [round((int(f.pixels.mean()) - 20) / 4) for f in frames] == list(range(12))
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(12) / 24, atol=1e-3)


@pytest.mark.parametrize("suffix, audio", [(".mp4", "aac"), (".mkv", "pcm_s16le")])  # copied; transcoded
def test_sound_is_kept(tmp_path: Path, suffix: str, audio: str) -> None:
    with Reader(film(tmp_path / f"in{suffix}", frames=24, audio=audio)) as reader:
        with Writer(tmp_path / "out.mp4", reader) as writer:
            for frame in reader:
                writer.write(frame)
    with av.open(str(tmp_path / "out.mp4")) as out:
        loud = np.concatenate([f.to_ndarray().ravel() for f in out.decode(audio=0)])
        seconds = out.streams.audio[0].duration * out.streams.audio[0].time_base
    assert 0.9 < float(seconds) < 1.15
    assert np.abs(loud).max() > 0.05  # aac decodes to floats; the sine has 3000 of 32768
    with Reader(tmp_path / "out.mp4") as again:
        assert len(list(again)) == 24


def test_file_stopped_early_plays_and_its_sound_ends_with_it(tmp_path: Path) -> None:
    with Reader(film(tmp_path / "in.mp4", frames=48)) as reader, Writer(tmp_path / "out.mp4", reader) as writer:
        for frame, _ in zip(reader, range(12), strict=False):
            writer.write(frame)
    with av.open(str(tmp_path / "out.mp4")) as out:
        sound = out.streams.audio[0]
        assert float(sound.duration * sound.time_base) < 0.7
        assert sum(1 for _ in out.decode(video=0)) == 12


def test_odd_sizes_become_even(tmp_path: Path) -> None:
    with Reader(film(tmp_path / "in.mp4", audio=None)) as reader, Writer(tmp_path / "out.mp4", reader) as writer:
        for frame in reader:
            writer.write(frame.with_pixels(ramp(3, (33, 21))))
    with Reader(tmp_path / "out.mp4") as again:
        assert next(iter(again)).size == (34, 22)


def test_cut_film_gives_what_it_holds_and_counts_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "cut.ts"  # a transport stream needs no index at its end
    film(path, frames=48, audio=None)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 188 * 3] = np.random.default_rng(0).bytes(188 * 3)
    path.write_bytes(data)
    with Reader(path) as reader:
        frames = list(reader)
    assert 12 <= len(frames) <= 48


@pytest.mark.parametrize("content", [b"", b"hello", bytes(1000)])
def test_what_is_no_film_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(Unreadable, match=r"notes\.mp4"):
        list(Reader(path))
    with pytest.raises(Unreadable, match=r"missing\.mp4"):
        Reader(tmp_path / "missing.mp4")
    with pytest.raises(Unreadable, match=r"missing\.png"):
        Reader(tmp_path / "missing.png")


def test_outputs_that_cannot_be_written_are_refused_at_once(tmp_path: Path) -> None:
    with Reader(film(tmp_path / "in.mp4", audio=None)) as reader:
        for name in ("out.xyz", "out", "nowhere/out.mp4", "out.png"):
            with pytest.raises(BadInput, match="out"):
                Writer(tmp_path / name, reader)


def test_picture_in_picture_out(tmp_path: Path) -> None:
    (tmp_path / "in.png").write_bytes(encode_picture(ramp(4)))
    with Reader(tmp_path / "in.png") as reader, Writer(tmp_path / "out.jpg", reader) as writer:
        for frame in reader:
            writer.write(frame)
    assert writer.frames == 1
    got = decode_picture((tmp_path / "out.jpg").read_bytes(), "out")
    assert np.abs(got.astype(int) - ramp(4)).max() <= 2


def test_picture_size_is_refused_before_decoding() -> None:
    data = encode_picture(np.zeros((100, 100, 3), np.uint8))
    with pytest.raises(BadInput, match="100x100 pixels, at most 9999"):
        decode_picture(data, "upload", max_pixels=9999)
    with pytest.raises(Unreadable, match="upload"):
        decode_picture(data[: len(data) // 2], "upload")


def test_frame_that_is_no_picture_is_refused() -> None:
    wrong: list[np.ndarray] = [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3))]
    for pixels in wrong:
        with pytest.raises(BadInput, match="frame"):
            Frame(pixels, 0, Fraction(1, 25))
