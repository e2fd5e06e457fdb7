import cv2
import numpy as np

from stylizer.frame import PixelsU8
from stylizer.stages.crisp import LEAST, MOST, crisp


def enlarged(scale: int) -> PixelsU8:
    """A dark line on red, opaque in its left half: RGBA, drawn at 64 px, `scale` times as large."""
    small = np.zeros((64, 64, 4), np.uint8)
    small[..., 0], small[:, 20:22, :3], small[:, :40, 3] = 200, 30, 255
    size = 64 * scale, 64 * scale
    drawn: PixelsU8 = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    return drawn


def steepest(row: np.ndarray) -> int:
    return int(np.abs(np.diff(row.astype(int))).max())


def test_lines_and_borders_are_steeper_than_before() -> None:
    before = enlarged(3)
    after = crisp(before, 3)
    assert steepest(after[90, :100, 0]) > 1.3 * steepest(before[90, :100, 0])
    assert steepest(after[90, :, 3]) > 1.2 * steepest(before[90, :, 3])


def test_even_colours_stay_to_the_level() -> None:
    drawn = enlarged(2)
    even = slice(60, 70)  # far from line and border
    np.testing.assert_array_equal(crisp(drawn, 2)[even, even], drawn[even, even])


def test_ghosts_go_and_what_is_nearly_opaque_is_opaque() -> None:
    drawn = np.full((8, 3, 4), 90, np.uint8)
    drawn[:, 0, 3], drawn[:, 1, 3], drawn[:, 2, 3] = 255 * LEAST, 127, np.ceil(255 * MOST)
    assert crisp(drawn, 1)[4, :, 3].tolist() == [0, 126, 255]


def test_at_its_own_size_only_the_border_changes() -> None:
    drawn = np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8)
    np.testing.assert_array_equal(crisp(drawn, 1)[..., :3], drawn[..., :3])
    np.testing.assert_array_equal(crisp(drawn, 0.5)[..., :3], drawn[..., :3])


def test_nothing_stays_nothing() -> None:
    assert crisp(np.empty((0, 5, 4), np.uint8), 2).shape == (0, 5, 4)
