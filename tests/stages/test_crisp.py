import cv2
import numpy as np
import pytest

from stylizer.frame import PixelsU8
from stylizer.stages.box import Box
from stylizer.stages.crisp import LEAST, MOST, enlarged
from stylizer.stages.crop import uncut


def line() -> PixelsU8:
    """A dark line on red, opaque in its left half: RGBA, 64 px, soft as a network draws."""
    drawing = np.zeros((64, 64, 4), np.uint8)
    drawing[..., 0], drawing[:, 20:22, :3], drawing[:, :40, 3] = 200, 30, 255
    soft: PixelsU8 = cv2.GaussianBlur(drawing, (0, 0), 0.8)
    return soft


def place(scale: float) -> tuple[Box, tuple[slice, slice]]:
    side = round(64 * scale)
    return Box(0, 0, side, side), (slice(0, side), slice(0, side))


def steepest(row: np.ndarray) -> int:
    return int(np.abs(np.diff(row.astype(int))).max())


def test_lines_and_borders_are_steeper_than_those_of_plain_enlarging() -> None:
    plain, crisp = uncut(line(), *place(3)), enlarged(line(), *place(3))
    assert steepest(crisp[90, :100, 0]) > 1.2 * steepest(plain[90, :100, 0])
    assert steepest(crisp[90, :, 3]) > 1.2 * steepest(plain[90, :, 3])


def test_even_colours_stay_to_the_level() -> None:
    even = slice(60, 70)  # far from line and border
    np.testing.assert_array_equal(enlarged(line(), *place(2))[even, even], uncut(line(), *place(2))[even, even])


def test_ghosts_go_and_what_is_nearly_opaque_is_opaque() -> None:
    drawing = np.full((8, 3, 4), 90, np.uint8)
    drawing[:, 0, 3], drawing[:, 1, 3], drawing[:, 2, 3] = 255 * LEAST, 127, np.ceil(255 * MOST)
    shown = enlarged(drawing, Box(0, 0, 3, 8), (slice(0, 8), slice(0, 3)))
    assert shown[4, :, 3].tolist() == [0, 126, 255]


@pytest.mark.parametrize("scale", [1, 0.5])
def test_a_drawing_that_is_not_enlarged_is_not_sharpened(scale: float) -> None:
    np.testing.assert_array_equal(enlarged(line(), *place(scale))[..., :3], uncut(line(), *place(scale))[..., :3])


def test_nothing_stays_nothing() -> None:
    assert enlarged(line(), Box(0, 0, 64, 64), (slice(3, 3), slice(0, 5))).shape == (0, 5, 4)
