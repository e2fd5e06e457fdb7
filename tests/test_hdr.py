"""HDR films come out as a plain screen shows them: paper is white, skin no paler, red stays red."""

import shutil
import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from stylizer.frame import PixelsU8
from stylizer.hdr import HLG, PQ, TO_709, plain
from stylizer.media import Reader

PLAIN = 1
BT2020 = 9
SIZE = 64


def film(path: Path, signal: np.ndarray, transfer: int, frames: int = 3, size: int = SIZE) -> Path:
    """signal: R G B of one colour, 0..1, as the film has it."""
    pixels = np.broadcast_to(np.round(np.asarray(signal) * 65535).astype(np.uint16), (size, size, 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": "4", "preset": "ultrafast"})
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p10le"
        codec = stream.codec_context
        codec.colorspace, codec.color_primaries, codec.color_trc = BT2020, BT2020, transfer
        codec.color_range = ColorRange.MPEG
        for _ in range(frames):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb48le")
            picture = picture.reformat(format="yuv420p10le", dst_colorspace=Colorspace.BT2020)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def shown(path: Path) -> PixelsU8:
    with Reader(path) as reader:
        frames = list(reader)
    assert reader.broken == 0 and len(frames) == 3
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04, 0.08], abs=1e-3)
    pixel: PixelsU8 = frames[-1].pixels[SIZE // 2, SIZE // 2]
    return pixel


def pq(nits: float) -> float:
    m = (nits / 10_000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * m) / (1 + 18.6875 * m)) ** 78.84375)


def test_the_temporary_folder_may_be_tidied_and_called_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = film(tmp_path / "paper.mp4", np.full(3, 0.75), HLG)
    for name in ("one", "12:30, it's"):  # the second film comes days later
        (tmp_path / name).mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
        assert shown(paper).min() >= 230
        shutil.rmtree(tmp_path / name)


@pytest.mark.parametrize(("transfer", "paper", "grey"), [(HLG, 0.75, 0.38), (PQ, pq(203), pq(26))])
def test_paper_is_white_and_grey_is_grey(tmp_path: Path, transfer: int, paper: float, grey: float) -> None:
    """BT.2408: paper is at 75 % of HLG, 58 % of PQ, a grey card at 38 and 38: of 255, 191 and 97."""
    assert 230 <= shown(film(tmp_path / "paper.mp4", np.full(3, paper), transfer)).min() <= 250
    assert 100 <= shown(film(tmp_path / "grey.mp4", np.full(3, grey), transfer)).min() <= 120
    brightest = shown(film(tmp_path / "lamp.mp4", np.full(3, 1.0), transfer))
    assert brightest.min() >= 252


def test_a_plain_screen_s_red_has_no_green_in_it(tmp_path: Path) -> None:
    light = np.linalg.inv(TO_709) @ (0.5, 0, 0) * 203 / 10_000  # of 10 000 nits
    red = shown(film(tmp_path / "red.mp4", np.array([pq(part * 10_000) for part in light]), PQ))
    assert red[0] > 170 and red[1:].max() < 30, red


def test_ffmpeg_makes_of_a_colour_what_the_formula_does(tmp_path: Path) -> None:
    for transfer, least, most, off in ((HLG, 0.4, 0.55, 2), (PQ, 0.44, 0.49, 4)):  # a plain screen has these colours
        for i, signal in enumerate(np.random.default_rng(1).uniform(least, most, (4, 3))):
            got = shown(film(tmp_path / f"{transfer}-{i}.mp4", signal, transfer))
            np.testing.assert_allclose(got, 255 * plain(signal, transfer), atol=off)


def test_brighter_is_never_darker() -> None:
    ramp = np.repeat(np.linspace(0, 1, 256)[:, None], 3, 1)
    for transfer in (PQ, HLG):
        out = plain(ramp, transfer)
        assert (np.diff(out, axis=0) >= -1e-9).all() and out[0].max() == 0 and out[-1].min() > 0.99


def test_a_plain_film_is_left_as_it_is(tmp_path: Path) -> None:
    assert abs(int(shown(film(tmp_path / "grey.mp4", np.full(3, 0.5), PLAIN)).mean()) - 128) <= 2
