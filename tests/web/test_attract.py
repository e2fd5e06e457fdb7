"""The film that the booth shows to who passes by: small, without a seam, and readable while it stands still."""

from collections.abc import Sequence

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from docs.make_attract import ATTRACT, EACH, FRAMES, PARTS, SIZE_PX, SWEEP
from stylizer.media import NOT_SAID

Picture = NDArray[np.float32]


@pytest.fixture(scope="module")
def film() -> list[Picture]:
    """Its pictures, [90, 90, 3] each: an eighth of the side."""
    with av.open(str(ATTRACT)) as container:
        small = [
            frame.reformat(SIZE_PX // 8, SIZE_PX // 8, "rgb24").to_ndarray() for frame in container.decode(video=0)
        ]
    return [np.asarray(pixels, np.float32) for pixels in small]


def test_it_is_small_and_shows_three_dancers_in_every_style(film: list[Picture]) -> None:
    assert len(film) == FRAMES and ATTRACT.stat().st_size <= 600_000
    drawn = [part for part in PARTS if part.controls]
    assert {part.controls["style"] for part in drawn if part.controls} == {"anime", "comic", "paper"}
    assert len({part.dancer for part in drawn}) == 3


def test_browsers_need_not_guess_whose_colours_it_has() -> None:
    """Chromium does, by the size, unless all three are said; it shows colours up to 18 of 255 beside their own."""
    with av.open(str(ATTRACT)) as container:
        said = container.streams.video[0].codec_context
        assert NOT_SAID not in (said.colorspace, said.color_primaries, said.color_trc)


def _change(one: Picture, other: Picture) -> float:
    return float(np.abs(one - other).mean())


def test_its_end_goes_on_in_its_beginning(film: list[Picture]) -> None:
    beside = max(_change(film[-2], film[-1]), _change(film[0], film[1]))
    assert _change(film[-1], film[0]) < 1.6 * beside


def test_who_asks_for_less_motion_sees_half_a_photo_and_half_a_drawing(film: list[Picture]) -> None:
    half = SIZE_PX // 16
    photo, drawing = film[-round(SWEEP)], film[round(SWEEP)]  # before the light and after it
    first = film[0]
    quarter = half // 2  # of the edges: the light stands in the middle
    assert _change(first[:, :quarter], drawing[:, :quarter]) < 20 < _change(first[:, :quarter], photo[:, :quarter])
    assert _change(first[:, -quarter:], photo[:, -quarter:]) < 20 < _change(first[:, -quarter:], drawing[:, -quarter:])


def test_it_does_not_flash(film: list[Picture]) -> None:
    """WCAG 2.3.1: at most three pairs of opposite changes of a tenth of the brightness a second; here not one."""
    turns = _turns([float((picture @ (0.2126, 0.7152, 0.0722)).mean()) / 255 for picture in film])
    assert min((b - a for a, b in zip(turns, turns[1:], strict=False)), default=FRAMES) > EACH * 0.8


def _turns(brightness: Sequence[float]) -> list[int]:
    """Where a change of more than a tenth ends and one the other way begins."""
    turns, last, way = [], brightness[0], 0
    for index, value in enumerate(brightness):
        if abs(value - last) > 0.1 and (way := way or 0) * (value - last) <= 0:
            turns.append(index)
            way = 1 if value > last else -1
        if (value - last) * way > 0 or not way:
            last = value
    return turns
