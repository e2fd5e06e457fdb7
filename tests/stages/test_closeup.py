"""The head's second drawing: where it is taken from, and where it lands."""

import cv2
import numpy as np
import pytest
import torch

from stylizer.frame import PixelsU8
from stylizer.stages.box import Box
from stylizer.stages.closeup import (
    FACE_PX,
    NEAR_PX,
    REACH,
    SIDE_PX,
    Closeup,
    closeup_box,
    cut_closeup,
    lay_over,
    lay_over_ref,
)
from stylizer.stages.compose import Backdrop, compose
from stylizer.stages.crop import paste_region

CROP = Box(100, 50, 612, 562)
HEAD = Box(330, 100, 380, 160)
CONTROLS: dict[str, str | int | float | bool] = {
    "background": "plain",
    "background_colour": "#e8e4dc",
    "framing": "figure",
}


def test_the_square_is_as_wide_as_the_head_reaches() -> None:
    box = closeup_box(HEAD, CROP)
    assert box is not None
    assert box.width == pytest.approx(REACH * HEAD.height) == box.height
    assert box.centre == HEAD.centre


@pytest.mark.parametrize(
    "head",
    [None, Box(200, 100, 400, 300), Box(0, 0, 30, 40), Box(300, 100, 340, 100)],
    ids=("none", "large", "out", "flat"),
)
def test_no_second_drawing(head: Box | None) -> None:
    assert closeup_box(head, CROP) is None


@pytest.mark.parametrize(
    "height, side, reach", [(60, SIDE_PX, 1.8), (200, NEAR_PX, 1.8), (400, NEAR_PX, 1.28), (700, FACE_PX, 1.25)]
)
def test_a_network_for_heads_draws_large_ones_too_in_more_pixels(height: int, side: int, reach: float) -> None:
    """The nearest fill its picture: so much of what it sees as is shown."""
    head = Box(300, 100, 300 + 0.8 * height, 100 + height).moved(0, 300 - height / 2)
    box = closeup_box(head, CROP, alone=True)
    assert box is not None and box.centre == pytest.approx(head.centre)
    assert box.height == pytest.approx(reach * height)
    colour, alpha = cut_closeup(_ramp(720, 1280), torch.ones(1, 1, 256, 256), CROP, box)
    assert colour.shape[-2:] == alpha.shape[-2:] == (side, side)


def _ramp(height: int, width: int) -> PixelsU8:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, np.zeros_like(x)], 2).astype(np.uint8)


def test_picture_and_matte_are_of_the_same_place() -> None:
    pixels = _ramp(720, 1280)
    matte = torch.zeros(1, 1, 256, 256)
    matte[..., 40:60, 110:150] = 1  # in the frame: x 320..400, y 130..170
    box = Box(300, 100, 428, 228)
    colour, alpha = cut_closeup(pixels, matte, CROP, box)
    assert colour.shape == (1, 3, SIDE_PX, SIDE_PX) and alpha.shape == (1, 1, SIDE_PX, SIDE_PX)
    seen = np.argwhere(alpha[0, 0].numpy() > 0.5)
    np.testing.assert_allclose(seen.min(0) + (100, 300), (130, 320), atol=1.5)
    np.testing.assert_allclose(seen.max(0) + (100, 300), (169, 399), atol=1.5)
    middle = colour[0, :2, 64, 64].numpy() * 255
    np.testing.assert_allclose(middle, (364 * 255 / 1280, 164 * 255 / 720), atol=1.5)


def test_it_replaces_what_was_drawn_first_and_ends_softly() -> None:
    first = np.zeros((200, 200, 4), np.uint8)
    first[...] = (200, 0, 0, 255)
    near = np.zeros((SIDE_PX, SIDE_PX, 4), np.uint8)
    near[:, :64] = (0, 0, 200, 255)  # its right half is empty: there the first must vanish too
    lay_over(first, near, Box(50, 50, 150, 150))
    assert tuple(first[100, 80]) == (0, 0, 200, 255)
    assert first[100, 115, 3] == 0
    assert tuple(first[100, 40]) == (200, 0, 0, 255) == tuple(first[52, 52])
    row = first[100, 45:80].astype(int)
    assert (np.abs(np.diff(row, axis=0)) <= 40).all() and (np.diff(row[:, 2]) >= 0).all()


def test_whole_numbers_are_as_good_as_exact_ones() -> None:
    rng = np.random.default_rng(5)
    first, near = (
        cv2.resize(rng.integers(0, 256, (h // 8, w // 8, 4), np.uint8), (w, h), interpolation=cv2.INTER_CUBIC)
        for h, w in ((400, 320), (SIDE_PX, SIDE_PX))
    )
    box = Box(120.3, 40.2, 330.7, 250.6)  # its right edge is cut off
    exact = lay_over_ref(first, near, box)
    lay_over(first, near, box)
    off = np.abs(first[paste_region(box, (320, 400))] - exact)
    assert off[..., 3].max() <= 1
    assert (off[..., :3] * exact[..., 3:] / 255).max() <= 2, "as seen over a background"


@pytest.mark.parametrize("box", [Box(-300, -300, -200, -200), Box(180, 180, 260, 260)])
def test_partly_or_wholly_outside(box: Box) -> None:
    first = np.full((200, 200, 4), 255, np.uint8)
    lay_over(first, np.full((SIDE_PX, SIDE_PX, 4), 100, np.uint8), box)
    assert first[:150, :150].min() == 255


def test_in_the_finished_picture_it_stands_at_its_place() -> None:
    frame = np.zeros((720, 1280, 3), np.uint8)
    drawn, alpha = torch.full((1, 3, 256, 256), 0.2), torch.zeros(1, 1, 256, 256)
    alpha[..., 60:250, 100:160] = 1
    head = Closeup(
        torch.full((1, 3, SIDE_PX, SIDE_PX), 0.8), torch.ones(1, 1, SIDE_PX, SIDE_PX), Box(300, 100, 400, 200)
    )
    for framing, at in (("figure", (100, 250)), ("scene", (150, 350))):
        controls = CONTROLS | {"framing": framing}
        picture = compose(frame, CROP, drawn, alpha, Backdrop.of(controls), controls, None, head)
        assert tuple(picture[at]) == (204, 204, 204), framing
        without = compose(frame, CROP, drawn, alpha, Backdrop.of(controls), controls)
        far = np.abs(picture.astype(int) - without)[at[0] + 120 :].max()
        assert far == 0, framing
