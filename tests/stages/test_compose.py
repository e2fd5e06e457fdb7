"""What is put before the background, and what is kept from view."""

import numpy as np
import pytest
import torch
from torch import Tensor

from stylizer.frame import PixelsU8, u8_from_unit
from stylizer.stages.box import Box
from stylizer.stages.compose import FIGURE_PX, Backdrop, compose, covering, lay, lay_ref, neutral, rgb
from stylizer.stages.crisp import enlarged
from stylizer.stages.crop import paste_region
from stylizer.stages.fill import continued
from tests.conftest import Rng

SCENE, FIGURE = {"framing": "scene"}, {"framing": "figure"}
FRAME = (320, 240)
BOX = Box(60, -20, 260, 180)
RAW = (255, 0, 0)  # the person in the camera's picture; nothing else is red
DRAWN = (0, 0, 255)


def room_with_person() -> tuple[PixelsU8, Tensor]:
    """A green room with a red person in it, and their matte in the crop of BOX, [1, 1, 100, 100]."""
    pixels = np.full((240, 320, 3), (20, 160, 20), np.uint8)
    matte = torch.zeros(1, 1, 100, 100)
    matte[..., 30:90, 40:60] = 1  # two frame px for each crop px: x 140..180, y 40..160
    pixels[40:160, 140:180] = RAW
    return pixels, matte


def drawing(alpha: Tensor) -> Tensor:
    return torch.tensor(DRAWN).view(1, 3, 1, 1).expand(1, 3, *alpha.shape[2:]) / 255


def reddest(picture: PixelsU8) -> int:
    return int((picture[..., 0].astype(int) - picture[..., 1:].max(axis=2)).max())


@pytest.mark.parametrize("kind", ["plain", "picture", "blur", "room"])
@pytest.mark.parametrize("controls", [SCENE, FIGURE])
def test_the_drawing_stands_where_the_person_stood(kind: str, controls: dict[str, str]) -> None:
    pixels, matte = room_with_person()
    result = compose(pixels, BOX, drawing(matte), matte, Backdrop(kind), controls)
    scale = FIGURE_PX / 200 if controls is FIGURE else 1
    x0, y0 = (BOX.x0, BOX.y0) if controls is FIGURE else (0, 0)
    rows = slice(int((44 - y0) * scale), int((156 - y0) * scale))
    columns = slice(int((144 - x0) * scale), int((176 - x0) * scale))
    assert result.shape == ((FIGURE_PX, FIGURE_PX, 3) if controls is FIGURE else pixels.shape)
    np.testing.assert_array_equal(result[rows, columns], np.broadcast_to(DRAWN, result[rows, columns].shape))


@pytest.mark.parametrize("kind", ["plain", "blur", "room"])
@pytest.mark.parametrize("controls", [SCENE, FIGURE])
def test_nothing_of_the_raw_person_shows_beside_a_slimmer_drawing(kind: str, controls: dict[str, str]) -> None:
    pixels, matte = room_with_person()
    slim = torch.zeros_like(matte)
    slim[..., 50:60, 48:52] = 1
    assert reddest(pixels) == 255
    result = compose(pixels, BOX, drawing(slim), slim, Backdrop(kind), controls, matte)
    assert reddest(result) <= 4  # the plain colour is a warm one


@pytest.mark.parametrize("kind", ["blur", "room"])
def test_with_nobody_found_the_room_is_shown_blurred_only(kind: str, rng: Rng) -> None:
    pixels = rng.pixels_u8(240, 320, 3)
    for controls in (SCENE, FIGURE):
        result = compose(pixels, None, None, None, Backdrop(kind), controls)
        assert float(np.abs(np.diff(result.astype(int), axis=1)).mean()) < 2  # noise of 85 levels on average is gone


def test_a_room_away_from_the_person_is_untouched() -> None:
    pixels, matte = room_with_person()
    result = compose(pixels, BOX, drawing(matte), matte, Backdrop("room"), SCENE)
    np.testing.assert_array_equal(result[:, :100], pixels[:, :100])
    np.testing.assert_array_equal(result[200:], pixels[200:])


def test_the_frame_given_in_is_never_written_to() -> None:
    pixels, matte = room_with_person()
    before = pixels.copy()
    for kind in ("plain", "picture", "blur", "room"):
        first = compose(pixels, BOX, drawing(matte), matte, Backdrop(kind), SCENE)
        second = compose(pixels, BOX, drawing(matte), torch.zeros_like(matte), Backdrop(kind), SCENE)
        assert not np.array_equal(first, second)  # a shared background would keep the first drawing
        np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 2), (33, 17), (641, 479)])
@pytest.mark.parametrize("box", [Box(-5, -5, 30, 30), Box(500, 500, 900, 900), Box(0.2, 0.7, 2.1, 2.6)])
@pytest.mark.parametrize("kind", ["plain", "picture", "blur", "room"])
def test_every_size_and_every_box_composes(size: tuple[int, int], box: Box, kind: str, rng: Rng) -> None:
    pixels = rng.pixels_u8(size[1], size[0], 3)
    alpha = torch.from_numpy(rng.unit_f32(1, 1, 64, 64))
    for controls in (SCENE, FIGURE):
        result = compose(pixels, box, drawing(alpha), alpha, Backdrop(kind), controls)
        assert result.shape == (pixels.shape if controls is SCENE else (FIGURE_PX, FIGURE_PX, 3))


def test_blending_is_exact_to_one_level(rng: Rng) -> None:
    base, rgba = rng.pixels_u8(75, 64, 3), rng.pixels_u8(75, 50, 4)  # three strips, the last a short one
    wanted = lay_ref(base[:, 7:57], rgba)
    before = base.copy()
    lay(base[:, 7:57], rgba)
    assert np.abs(base[:, 7:57] - wanted).max() <= 1
    np.testing.assert_array_equal(base[:, :7], before[:, :7])


def test_only_the_figure_is_drawn_and_the_picture_is_that_of_drawing_all(rng: Rng) -> None:
    """Against the whole crop laid over the background, exactly; a speck in its corner is left out."""
    pixels, matte = room_with_person()
    alpha = torch.zeros(1, 1, 100, 100)
    alpha[..., 20:95, 38:62] = torch.from_numpy(rng.unit_f32(75, 24))  # ragged up to its last pixel
    alpha[..., 0, 0] = 0.05
    picture = torch.from_numpy(rng.unit_f32(1, 3, 100, 100))
    backdrop = Backdrop("plain")
    result = compose(pixels, BOX, picture, alpha, backdrop, SCENE, matte)
    region = paste_region(BOX, FRAME)
    wanted = np.full(pixels.shape, backdrop.colour, float)
    rgba = u8_from_unit(torch.cat([picture, alpha], 1))
    drawn = enlarged(rgba, BOX, region)
    wanted[region] = lay_ref(wanted[region].astype(np.uint8), drawn)
    mean_square = ((result - wanted) ** 2).mean()
    assert 10 * np.log10(255**2 / mean_square) > 45


def test_a_card_has_the_size_of_the_picture_it_stands_for() -> None:
    colour = {"background_colour": "#0a1420"}
    assert neutral(FRAME, FIGURE | colour).shape == (FIGURE_PX, FIGURE_PX, 3)
    card = neutral(FRAME, SCENE | colour)
    assert card.shape == (240, 320, 3)
    assert (card == rgb("#0a1420")).all()


def test_a_backdrop_s_picture_covers_the_frame_and_keeps_its_shape() -> None:
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, 100:200] = 200  # the middle third, as wide as high
    assert (covering(picture, (64, 64)) == 200).all()
    assert covering(picture, (90, 30)).shape == (30, 90, 3)


def test_a_hole_is_filled_from_its_surroundings_alone(rng: Rng) -> None:
    y, x = np.mgrid[:60, :80]
    pixels = np.stack([x * 3, y * 4, 255 - x * 3], axis=-1).astype(np.uint8)
    known = np.ones((60, 80), bool)
    known[20:40, 30:50] = False
    holed = pixels.copy()
    holed[~known] = rng.pixels_u8(400, 3)
    filled = continued(holed, known)
    np.testing.assert_array_equal(filled[known], pixels[known])
    np.testing.assert_array_equal(filled, continued(pixels, known))
    # A gradient of 60 and 80 levels across the hole is continued to within a third of it.
    assert np.abs(filled.astype(int) - pixels)[~known].max() <= 27


def test_a_picture_of_which_nothing_is_known_becomes_grey(rng: Rng) -> None:
    filled = continued(rng.pixels_u8(9, 13, 3), np.zeros((9, 13), bool))
    assert (filled == 128).all()


def test_nothing_is_drawn_where_the_crop_leaves_the_frame() -> None:
    """A bust at the frame's lower edge: above the frame's upper edge and beside it the background stands."""
    pixels = np.full((100, 100, 3), 90, np.uint8)
    whole = torch.ones(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    figure = {"background_colour": "#0a141e", "framing": "figure"}
    result = compose(pixels, Box(-50, -100, 150, 100), *whole, Backdrop("plain", (10, 20, 30)), figure)
    quarter, half = FIGURE_PX // 4, FIGURE_PX // 2
    drawn = np.zeros((FIGURE_PX, FIGURE_PX), bool)
    drawn[half:, quarter : 3 * quarter] = True
    assert (result[drawn] == 255).all() and (result[~drawn] == (10, 20, 30)).all()
