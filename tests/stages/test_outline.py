"""The outline: where a matte's person stands in the camera's picture."""

import pytest
import torch

from stylizer.stages.box import Box
from stylizer.stages.outline import outline


def _matte(*rectangles: tuple[int, int, int, int]) -> torch.Tensor:
    """Opaque where the rectangles (x0, y0, x1, y1) of a 256 px crop are."""
    matte = torch.zeros(1, 1, 256, 256)
    for x0, y0, x1, y1 in rectangles:
        matte[..., y0:y1, x0:x1] = 1
    return matte


def test_the_corners_lie_where_the_person_does_in_the_frame() -> None:
    corners = outline(_matte((64, 32, 192, 224)), Box(100, 0, 356, 256), (640, 480))
    xs, ys = zip(*corners, strict=True)
    step = 4 / 640  # the matte is looked at in steps of four pixels
    assert (min(xs), max(xs)) == (pytest.approx(164 / 640, abs=step), pytest.approx(292 / 640, abs=step))
    assert (min(ys), max(ys)) == (pytest.approx(32 / 480, abs=2 * step), pytest.approx(224 / 480, abs=2 * step))


def test_noise_is_nobody() -> None:
    box = Box(0, 0, 256, 256)
    assert outline(_matte(), box, (256, 256)) == ()
    assert outline(_matte((10, 10, 30, 30)), box, (256, 256)) == ()


def test_of_two_parts_the_larger_is_told() -> None:
    corners = outline(_matte((0, 0, 60, 60), (128, 64, 250, 250)), Box(0, 0, 256, 256), (256, 256))
    assert min(x for x, _ in corners) > 0.4
