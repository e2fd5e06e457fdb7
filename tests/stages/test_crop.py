"""The square around the person, and the way there and back."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stylizer.errors import BadInput
from stylizer.frame import PixelsU8, u8_from_unit
from stylizer.stages.box import Box
from stylizer.stages.crop import (
    SLACK_TOP,
    SLACK_X,
    CropTracker,
    cut,
    cut_on,
    follow,
    paste_region,
    square_around,
    uncut,
    whole,
)
from tests.conftest import Rng

FRAME = (1280, 720)


def gradient(width: int, height: int) -> PixelsU8:
    """Smooth in both directions, so that a shift by one pixel shows as one level or more."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)], axis=-1).astype(np.uint8)


@given(st.floats(-200, 1200), st.floats(-200, 700), st.floats(1, 800), st.floats(1, 800), st.booleans())
def test_the_square_holds_body_and_head(x: float, y: float, width: float, height: float, with_head: bool) -> None:
    body = Box(x, y, x + width, y + height)
    head = Box(x, y, x + width / 3, y + height / 8) if with_head else None
    square = square_around(body, head, FRAME)
    assert square.width == pytest.approx(square.height)
    for inner in (body, head or body):
        seen = inner.within(*FRAME)
        assert square.x0 <= seen.x0 + 1e-6 and seen.x1 <= square.x1 + 1e-6
        assert square.y0 <= seen.y0 + 1e-6 and seen.y1 <= square.y1 + 1e-6


def test_the_upper_edge_follows_the_head() -> None:
    head = Box(600, 200, 660, 280)
    low = square_around(Box(500, 190, 760, 700), head, FRAME)
    assert square_around(Box(500, 195, 760, 700), head, FRAME).y0 == low.y0  # the body's own edge trembles more
    assert square_around(Box(500, 190, 760, 700), head.moved(0, -30), FRAME).y0 == low.y0 - 30


def test_a_raised_arm_is_not_cut_off() -> None:
    assert square_around(Box(500, 90, 760, 700), Box(600, 200, 660, 280), FRAME).y0 < 90


def test_a_bust_stands_on_the_frame_s_lower_edge() -> None:
    assert square_around(Box(300, 100, 700, 720), None, FRAME).y1 == pytest.approx(720)
    assert square_around(Box(100, 300, 1100, 720), None, FRAME).y1 == pytest.approx(720), "a wide one too"


def test_a_head_that_the_frame_cuts_off_ends_at_the_picture_s_upper_edge() -> None:
    """Else it is cut off flat in the middle, below a third of nothing: beyond the frame nothing is drawn, and a room is
    its edge drawn out to streaks."""
    assert square_around(Box(500, 0, 800, 720), Box(560, -60, 740, 220), FRAME) == (290, 0, 1010, 720)


def test_a_head_that_the_frame_cuts_off_fills_the_square_also_where_shoulders_are_wider() -> None:
    body, head = Box(150, 0, 1000, 720), Box(440, -40, 740, 330)
    assert square_around(body, head, FRAME, filled=True) == (215, 0, 935, 720)
    assert square_around(body, None, FRAME, filled=True).height == 720
    assert square_around(body, head, FRAME).width > body.width, "in the room all of them is drawn"
    lower = square_around(Box(150, 30, 1000, 720), head.moved(0, 70), FRAME, filled=True)
    assert lower.height == pytest.approx(720 + 4 * (30 - 0.02 * 720)), "and not at once"
    trembling = square_around(Box(150, 8, 1000, 720), None, FRAME, filled=True)
    assert trembling.height == 720, "a detector's box ends a few pixels below the edge that cuts off the hair"
    aside = square_around(Box(0, 0, 1000, 720), head.moved(300, 0), FRAME, filled=True)
    assert aside.x1 == 890 + 300, "a head keeps its own width of air"


def test_whom_the_frame_cuts_off_at_a_side_ends_at_the_picture_s_edge() -> None:
    assert square_around(Box(0, 100, 200, 700), None, FRAME).x0 == 0
    assert square_around(Box(1080, 100, 1280, 700), None, FRAME).x1 == 1280
    near = square_around(Box(40, 100, 240, 700), None, FRAME)
    assert near.x0 == -80, "the farther from the edge, the more in the middle"
    tall = square_around(Box(0, 20, 60, 700), None, (400, 720))
    assert (tall.x0, tall.x1) == (-320, 400), "of a narrow frame all is shown"
    tracker = CropTracker()
    tracker.update(Box(20, 100, 220, 700), None, FRAME)
    gone = tracker.update(Box(0, 100, 200, 700), None, FRAME)
    assert gone is not None and gone.x0 == 0, "nor does the square rest beyond"


def test_the_square_does_not_rest_beyond_the_frame() -> None:
    tracker = CropTracker()
    tracker.update(Box(200, 100, 1000, 720), None, FRAME)
    nearer = tracker.update(Box(500, 0, 800, 720), None, FRAME)
    assert nearer is not None and (nearer.y0, nearer.y1) == (0, 720)


def test_the_square_rests_within_its_slack_and_follows_exactly_beyond() -> None:
    square = Box(100, 100, 500, 500)
    assert follow(square, square.moved(400 * SLACK_X * 0.9, -400 * SLACK_TOP * 0.9)) == square
    far = follow(square, square.moved(100, 0))
    assert far == pytest.approx(square.moved(100 - 400 * SLACK_X, 0))
    assert follow(far, square.moved(110, 0)) == pytest.approx(far.moved(10, 0))


def test_the_square_is_forgotten_when_the_person_is_gone() -> None:
    tracker = CropTracker()
    first = tracker.update(Box(100, 100, 200, 400), None, FRAME)
    assert tracker.update(Box(101, 100, 201, 400), None, FRAME) == first
    assert tracker.update(None, None, FRAME) is None
    assert tracker.update(Box(101, 100, 201, 400), None, FRAME) != first


BOXES = [  # within the frame, leaving it on two sides, enlarged, shrunk by blocks, wide, outside
    (301.3, 40.7, 800.1, 539.5),
    (-120.5, -60.2, 500, 560.3),
    (600.4, 300.2, 690.9, 390.7),
    (0.3, -200, 1279.1, 1079),
    (100, 100, 900, 400),
    (1400, 100, 1700, 400),
]


@pytest.mark.parametrize("corners", BOXES)
@pytest.mark.parametrize("size", [128, 256])
def test_the_crop_of_a_card_is_the_crop_of_opencv(corners: tuple[float, ...], size: int, rng: Rng) -> None:
    """The card's way, run on the CPU. OpenCV rounds to whole levels after each of two steps: 59 dB, 56 where it
    shrinks by blocks first."""
    noise = rng.pixels_u8(720, 1280, 3) // 4
    pixels = (gradient(*FRAME) // 2 + noise).astype(np.uint8)
    want, got = cut(pixels, Box(*corners), size), cut_on(torch.device("cpu"), pixels, Box(*corners), size)
    assert got.shape == want.shape and got.dtype == want.dtype
    difference = (got - want).double()
    assert -10 * torch.log10(difference.square().mean() + 1e-12) > 55
    assert float(difference.abs().max()) * 255 < 1.1


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 9), (7, 5), (1279, 719), (320, 240)])
@pytest.mark.parametrize(
    "box", [Box(-3, -2, 5, 6), Box(0.3, 0.6, 300.2, 300.5), Box(-900, -900, -600, -600), Box(0, 0, 4000, 4000)]
)
def test_any_box_of_any_frame_gives_a_full_crop(size: tuple[int, int], box: Box, rng: Rng) -> None:
    pixels = rng.pixels_u8(size[1], size[0], 3)
    crop = cut(pixels, box, 32)
    assert crop.shape == (1, 3, 32, 32)
    assert 0 <= float(crop.min()) <= float(crop.max()) <= 1


def test_a_crop_of_its_own_size_is_the_pixels_themselves(rng: Rng) -> None:
    pixels = rng.pixels_u8(60, 80, 3)
    np.testing.assert_array_equal(u8_from_unit(cut(pixels, Box(10, 20, 42, 52), 32)), pixels[20:52, 10:42])


def test_outside_the_frame_its_edge_goes_on() -> None:
    pixels = gradient(64, 64)
    crop = u8_from_unit(cut(pixels, Box(-32, 0, 32, 64), 64))
    np.testing.assert_array_equal(crop[:, :32], np.repeat(pixels[:, :1], 32, axis=1))
    np.testing.assert_array_equal(crop[:, 32:], pixels[:, :32])


def test_fine_texture_is_averaged_not_sampled() -> None:
    pixels = np.zeros((512, 512, 3), np.uint8)
    pixels[::2, ::2] = pixels[1::2, 1::2] = 255  # a chessboard: any sampling would show black, white or moire
    crop = u8_from_unit(cut(pixels, Box(0, 0, 512, 512), 128))
    assert crop.min() >= 126 and crop.max() <= 129


@settings(max_examples=30, deadline=None)
@given(st.floats(-60, 250), st.floats(-60, 150), st.floats(40, 500))
def test_cutting_and_pasting_back_gives_the_frame_again(x: float, y: float, side: float) -> None:
    pixels = gradient(320, 240)
    box = Box(x, y, x + side, y + side)
    region = paste_region(box, (320, 240))
    back = uncut(u8_from_unit(cut(pixels, box, 256)), box, region)
    want = pixels[region].astype(int)
    assert back.shape == want.shape
    # Both ways interpolate a slope of under 1.1 levels a px; the outermost px of a block-averaged crop are off by half
    # a block.
    inner = (slice(3, -3), slice(3, -3))
    if want[inner].size:
        assert np.abs(back[inner].astype(int) - want[inner]).max() <= 2


def test_a_box_outside_the_frame_has_no_region() -> None:
    rows, columns = paste_region(Box(-50, 10, -10, 50), FRAME)
    assert columns.start == columns.stop


def test_the_whole_frame_is_held_by_its_square() -> None:
    assert whole((200, 100)) == Box(0, -50, 200, 150)


def test_a_picture_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="frame"):
        cut(np.zeros((0, 5, 3), np.uint8), Box(0, 0, 1, 1))
