"""Films and pictures in and out, with times, sound and faults."""

import io
import resource
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from stylizer.errors import BadInput, Unavailable, Unreadable
from stylizer.frame import Frame
from stylizer.media import Reader, Writer
from stylizer.picture import decode_picture, encode_picture

SIZE = (64, 48)  # width, height
ONE = Fraction(1)


def ramp(index: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture whose grey says which frame it is: 4 per frame."""
    return np.full((size[1], size[0], 3), 20 + 4 * index, np.uint8)


def film(
    path: Path,
    frames: int = 12,
    rate: int = 24,
    audio: str | None = "aac",
    *,
    begins_s: int = 0,
    aspect: Fraction = ONE,
    rate_hz: int = 44_100,
) -> Path:
    """aspect: a pixel's width over its height. rate_hz: of the sound."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=rate)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        video.codec_context.sample_aspect_ratio = aspect
        sound = out.add_stream(audio, rate=rate_hz) if audio else None
        for i in range(frames):
            picture = av.VideoFrame.from_ndarray(ramp(i), format="rgb24")
            picture.pts, picture.time_base = begins_s * rate + i, Fraction(1, rate)
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
        if sound:
            samples = (3000 * np.sin(np.arange(rate_hz * frames // rate) / 20)).astype(np.int16)
            block = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
            block.sample_rate, block.pts, block.time_base = rate_hz, begins_s * rate_hz, Fraction(1, rate_hz)
            out.mux(sound.encode(block))
            out.mux(sound.encode(None))
    return path


def test_frames_keep_their_order_and_time(tmp_path: Path) -> None:
    with Reader(film(tmp_path / "in.mp4")) as reader:
        frames = list(reader)
    assert [round((int(f.pixels.mean()) - 20) / 4) for f in frames] == list(range(12))
    np.testing.assert_allclose([f.time_s for f in frames], np.arange(12) / 24, atol=1e-3)


@pytest.mark.parametrize(
    "source, audio, name",
    [
        ("in.mp4", "aac", "out.mp4"),  # copied
        ("in.mkv", "pcm_s16le", "out.mp4"),  # transcoded
        ("in.mkv", "flac", "out.mp4"),
        ("in.mkv", "flac", "out.mov"),  # QuickTime has no name for it
    ],
)
def test_sound_is_kept(tmp_path: Path, source: str, audio: str, name: str) -> None:
    with Reader(film(tmp_path / source, frames=24, audio=audio)) as reader:
        with Writer(tmp_path / name, reader) as writer:
            for frame in reader:
                writer.write(frame)
    with av.open(str(tmp_path / name)) as out:
        blocks = [f.to_ndarray().ravel() for f in out.decode(audio=0)]
        loud = np.concatenate([b / 32768 if b.dtype == np.int16 else b for b in blocks])
        seconds = out.streams.audio[0].duration * out.streams.audio[0].time_base
    assert 0.9 < float(seconds) < 1.15
    assert np.abs(loud).max() > 0.05  # the sine has 3000 of 32768
    with Reader(tmp_path / name) as again:
        assert len(list(again)) == 24


def copied(source: Path, target: Path) -> Path:
    with Reader(source) as reader, Writer(target, reader) as writer:
        for frame in reader:
            writer.write(frame)
    return target


def test_a_recorded_broadcast_begins_at_once_and_its_sound_with_it(tmp_path: Path) -> None:
    source = film(tmp_path / "in.ts", begins_s=3600)
    with Reader(source) as reader:
        assert [f.time_s for f in reader][0] < 0.2
    with av.open(str(copied(source, tmp_path / "out.mp4"))) as out:
        begins = [next(out.decode(stream)).time for stream in out.streams]
    assert max(begins) < 0.2, "an hour of nothing would come first"


def test_a_film_without_a_clock_lasts_as_long_as_its_frames(tmp_path: Path) -> None:
    with Reader(film(tmp_path / "in.h264", audio=None)) as reader:
        np.testing.assert_allclose([f.time_s for f in reader], np.arange(12) / float(reader.rate), atol=1e-3)


def test_pixels_that_are_not_square_become_so(tmp_path: Path) -> None:
    for aspect, width in ((Fraction(2), 128), (Fraction(8, 9), 57), (Fraction(99, 100), 64), (Fraction(99), 64)):
        with Reader(film(tmp_path / "in.mp4", audio=None, aspect=aspect)) as reader:
            assert next(iter(reader)).size == (width, SIZE[1])


def test_a_film_says_what_its_colours_are(tmp_path: Path) -> None:
    red = np.full((48, 64, 3), (180, 20, 60), np.uint8)
    with Reader(film(tmp_path / "in.mp4", audio=None)) as reader, Writer(tmp_path / "out.mp4", reader) as writer:
        writer.write(Frame(red, 0))
    with av.open(str(tmp_path / "out.mp4")) as out:
        colours, picture = out.streams.video[0].codec_context, next(out.decode(video=0))
        assert (colours.colorspace, colours.color_range) == (1, 1), "H.273: BT.709, of studio range"
    y, u, v = (float(np.mean(plane)) for plane in np.split(picture.to_ndarray().ravel(), [48 * 64, 48 * 64 * 5 // 4]))
    luma = (y - 16) / 219 * 255
    got = luma + (v - 128) / 224 * 255 * 1.5748, luma + (u - 128) / 224 * 255 * 1.8556  # BT.709's own formula
    assert got == pytest.approx((180, 60), abs=4)


@pytest.mark.parametrize("name", ["12:30.mp4", "-i.mp4", "a b 日本.mp4"])
def test_a_file_may_have_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    copied(Path(name), Path(f"12:31-{name}"))
    with Reader(tmp_path / f"12:31-{name}") as again:
        assert again.has_sound and len(list(again)) == 12


def test_sound_that_is_broken_or_unknown_costs_no_picture(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mov", frames=48, audio="pcm_mulaw")
    source.write_bytes(source.read_bytes().replace(b"ulaw", b"zzzz"))
    with Reader(copied(source, tmp_path / "silent.mp4")) as again:
        assert len(list(again)) == 48
    source = film(tmp_path / "in.mkv", frames=48, audio="mp2")
    with av.open(str(source)) as whole:
        packets = [bytes(packet) for packet in whole.demux(audio=0) if packet.size]
    data = source.read_bytes()
    for packet in packets[10:20]:
        assert packet in data
        data = data.replace(packet, b"\x55" * len(packet))
    source.write_bytes(data)
    with av.open(str(copied(source, tmp_path / "out.mp4"))) as out:
        assert sum(1 for _ in out.decode(video=0)) == 48
    with av.open(str(tmp_path / "out.mp4")) as out:
        assert list(out.decode(audio=0))[-1].time > 1.8, "it goes on behind the gap"


def test_the_input_is_no_output(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4")
    (tmp_path / "link.mp4").symlink_to(source)
    with Reader(source) as reader:
        for name in ("in.mp4", "link.mp4"):
            with pytest.raises(BadInput, match="the input itself"):
                Writer(tmp_path / name, reader)


def test_a_name_has_a_whole_film_or_what_it_had(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"before")
    with Reader(film(tmp_path / "in.mp4", audio=None)) as reader, Writer(target, reader) as writer:
        for frame in reader:
            writer.write(frame)
            assert target.read_bytes() == b"before"
    with Reader(target) as again:
        assert len(list(again)) == 12
    assert {f.name for f in tmp_path.iterdir()} == {"in.mp4", "out.mp4"}


def test_a_full_disk_is_told_and_leaves_no_part(tmp_path: Path) -> None:
    rng, most = np.random.default_rng(0), resource.getrlimit(resource.RLIMIT_FSIZE)
    with Reader(film(tmp_path / "in.mp4", audio=None)) as reader:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, most[1]))
        try:
            with pytest.raises(Unavailable, match=r"out\.mp4: cannot be written \(File too large\)"):
                with Writer(tmp_path / "out.mp4", reader) as writer:
                    for frame in reader:
                        writer.write(frame.with_pixels(rng.integers(0, 255, (480, 640, 3), dtype=np.uint8)))
            with pytest.raises(OSError):
                (tmp_path / "proof").write_bytes(bytes(5000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert {f.name for f in tmp_path.iterdir()} == {"in.mp4", "proof"}


def test_a_disk_that_is_full_from_the_start_is_told(tmp_path: Path) -> None:
    """In a process of its own: FFmpeg used to crash."""
    code = f"""
import resource
from pathlib import Path
from stylizer.errors import Unavailable
from stylizer.media import Reader, Writer
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
with Reader(Path({str(film(tmp_path / "in.mp4"))!r})) as reader:
    try:
        with Writer(Path({str(tmp_path / "out.mp4")!r}), reader) as writer:
            for frame in reader:
                writer.write(frame)
    except Unavailable as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "out.mp4: cannot be written (File too large)" in done.stdout
    assert {f.name for f in tmp_path.iterdir()} == {"in.mp4"}


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


def test_a_film_that_was_only_begun_is_named(tmp_path: Path) -> None:
    path = film(tmp_path / "begun.mkv")
    path.write_bytes(path.read_bytes()[:50])  # FFmpeg's "end of file" is an error of a kind of its own
    with pytest.raises(Unreadable, match=r"begun\.mkv"):
        Reader(path)


def test_outputs_that_cannot_be_written_are_refused_at_once(tmp_path: Path) -> None:
    with Reader(film(tmp_path / "in.mp4", audio=None)) as reader:
        (tmp_path / "out_folder.mp4").mkdir()
        for name in ("out.xyz", "out", "nowhere/out.mp4", "out.png", "out_folder.mp4"):
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


def test_a_broken_picture_is_refused_whatever_its_decoder_raises() -> None:
    data = io.BytesIO()
    Image.new("RGB", (8, 6)).save(data, "TIFF")
    strips, floats = struct.pack("<HH", 0x111, 4), struct.pack("<HH", 0x111, 11)  # where rows begin: at 0.5, say
    assert data.getvalue().count(strips) == 1
    with pytest.raises(Unreadable, match="upload: the picture is broken"):
        decode_picture(data.getvalue().replace(strips, floats), "upload")


@pytest.mark.parametrize("format, side", [("WEBP", 16383), ("JPEG", 65500)])
def test_a_picture_too_wide_for_its_format_is_refused_in_words(format: str, side: int) -> None:
    assert encode_picture(np.zeros((1, side, 3), np.uint8), format)
    with pytest.raises(BadInput, match=f"{side + 1}x1 pixels, {format} holds {side} on a side"):
        encode_picture(np.zeros((1, side + 1, 3), np.uint8), format)


def test_frame_that_is_no_picture_is_refused() -> None:
    wrong: list[np.ndarray] = [np.zeros((0, 5, 3), np.uint8), np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3))]
    for pixels in wrong:
        with pytest.raises(BadInput, match="frame"):
            Frame(pixels, 0, Fraction(1, 25))


def test_a_picture_with_an_odd_tag_is_upright_all_the_same() -> None:
    orientation = struct.pack("<HHI4s", 0x112, 3, 1, b"\x06\0\0\0")
    odd = struct.pack("<HHI4s", 0x102, 2, 1, b"9\0\0\0")  # bits per sample, as text
    header = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + odd + orientation + bytes(4)
    data = io.BytesIO()
    Image.new("RGB", (8, 6)).save(data, "JPEG", exif=header)
    assert decode_picture(data.getvalue(), "upload").shape == (8, 6, 3)


def test_grey_of_16_bits_is_not_white() -> None:
    data = io.BytesIO()
    Image.fromarray(np.array([[0, 0x4000, 0xFFFF]], np.uint16)).save(data, "PNG")
    assert decode_picture(data.getvalue(), "scan")[0, :, 0].tolist() == [0, 0x40, 0xFF]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_picture_that_lies_on_its_side_is_turned_once(format: str) -> None:
    """Pillow turns a TIFF by itself when its pixels are loaded; it was turned twice."""
    tag, data = Image.Exif(), io.BytesIO()
    tag[0x112] = 6
    lying = Image.fromarray(np.repeat(np.array([[0], [255]], np.uint8), [16, 16], 0).repeat(48, 1))  # dark above
    lying.save(data, format, exif=tag)
    upright = decode_picture(data.getvalue(), "photo")
    assert upright.shape == (48, 32, 3) and upright[:, :12].mean() > 240 and upright[:, 20:].mean() < 15


@pytest.mark.parametrize("number", [np.float32, np.int32])
def test_a_tiff_of_32_bits_is_refused_in_words(number: type) -> None:
    """Nothing in it says which number is white: it was black (0..1) or white (whole numbers)."""
    data = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), number)).save(data, "TIFF")
    with pytest.raises(BadInput, match="scan: holds numbers of 32 bits; allowed are 8 and 16"):
        decode_picture(data.getvalue(), "scan")
