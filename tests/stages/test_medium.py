"""Media: what each does to light, lines and borders, that it lies still on the paper, and who chooses it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from stylizer.controls import CONTROLS
from stylizer.errors import ModelRejected
from stylizer.frame import PixelsU8
from stylizer.media import Reader
from stylizer.pipeline import Pipeline
from stylizer.stages.medium import Medium, carry_out, chosen_medium
from stylizer.stages.medium.halftone import CLOSED, PITCH, dots_from
from stylizer.stages.medium.paint import Paper, evened, evening
from stylizer.stages.medium.watercolour import THIN, TILE, VIVID, textures
from stylizer.styles import CLIP
from stylizer.weights.card import Card
from tests.conftest import Rng

SIDE = 160
WHOLE = Paper((slice(0, SIDE), slice(0, SIDE)), (SIDE, SIDE))
SKIN = (214, 168, 140)
ANY = pytest.mark.parametrize("medium", Medium)


def plain(colour: tuple[int, int, int] = SKIN, opacity: int = 255, side: int = SIDE) -> PixelsU8:
    return np.broadcast_to(np.array([*colour, opacity], np.uint8), (side, side, 4)).copy()


def figure(rng: Rng) -> PixelsU8:
    """Soft blots of colour within a soft disc."""
    blots = cv2.GaussianBlur(rng.unit_f32(SIDE, SIDE, 3), (0, 0), 4)
    disc = np.zeros((SIDE, SIDE), np.float32)
    cv2.circle(disc, (SIDE // 2, SIDE // 2), 55, 1.0, -1)
    drawn = np.dstack([0.5 + 8 * (blots - 0.5), cv2.GaussianBlur(disc, (0, 0), 2)])
    return np.asarray(np.clip(255 * drawn, 0, 255), np.uint8)


def done(drawn: PixelsU8, medium: Medium, amount: float = 1.0, paper: Paper = WHOLE) -> PixelsU8:
    result = drawn.copy()
    carry_out(result, paper, medium, amount)
    return result


def light(drawn: PixelsU8) -> PixelsU8:
    return np.asarray(cv2.cvtColor(drawn, cv2.COLOR_RGBA2GRAY))


@ANY
def test_amount_0_changes_nothing_and_a_half_is_half_way(medium: Medium, rng: Rng) -> None:
    drawn = figure(rng)
    assert np.array_equal(done(drawn, medium, 0.0), drawn)
    whole, half = done(drawn, medium), done(drawn, medium, 0.5)
    np.testing.assert_allclose(half, (drawn.astype(float) + whole) / 2, atol=1)
    assert np.abs(whole.astype(int) - drawn)[drawn[..., 3] > 200].mean() > 4


@ANY
@pytest.mark.parametrize("size", [(0, 4), (1, 1), (3, 200), (8, 8), (33, 9), (200, 7)])
def test_the_least_drawings_are_carried_out_or_left(medium: Medium, size: tuple[int, int], rng: Rng) -> None:
    """OpenCV takes very small arrays for numbers."""
    drawn = np.asarray(255 * rng.unit_f32(*size, 4), np.uint8)
    region = slice(3, 3 + size[0]), slice(5, 5 + size[1])
    for paper in (Paper(region, (300, 300)), Paper(region, (2160, 3840))):
        assert done(drawn, medium, paper=paper).shape == drawn.shape


@ANY
def test_where_nothing_is_drawn_nothing_comes(medium: Medium, rng: Rng) -> None:
    drawn = figure(rng)
    after = done(drawn, medium)[..., 3]
    assert not after[drawn[..., 3] == 0].any() and (after[drawn[..., 3] == 255] > 150).all()
    if medium != Medium.WATERCOLOUR:
        assert np.array_equal(after, drawn[..., 3])


@ANY
def test_a_drawing_that_moves_slides_over_paper_and_dots(medium: Medium, rng: Rng) -> None:
    """A part of the paper comes out as it does in the whole: nothing hangs on where the drawing begins."""
    drawn = figure(rng)
    rows, columns = slice(16, 144), slice(24, 152)
    part = drawn[rows, columns].copy()
    alone = done(part, medium, paper=Paper((rows, columns), (SIDE, SIDE)))
    together = done(drawn, medium)[rows, columns]
    inside = part[..., 3] > 200  # further from the part's border than any blur reaches
    assert np.abs(alone.astype(int) - together)[inside].mean() < 1.5


@ANY
def test_larger_pictures_have_a_larger_pen(medium: Medium, rng: Rng) -> None:
    """A picture of twice as many lines, made smaller again, looks like the one of 720."""
    small = figure(rng)
    large = np.asarray(cv2.resize(small, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR))
    one = done(small, medium, paper=Paper(WHOLE.region, (720, 720)))
    two = done(large, medium, paper=Paper((slice(0, 2 * SIDE), slice(0, 2 * SIDE)), (1440, 1440)))
    again = cv2.resize(two, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    inside = small[..., 3] > 250
    likeness = np.corrcoef(light(one)[inside], light(again)[inside])[0, 1]
    assert (
        likeness > (0.8 if medium == Medium.MANGA else 0.9)
        and abs(light(one)[inside].mean() - light(again)[inside].mean()) < 4
    )


@pytest.mark.parametrize("medium", [Medium.CEL, Medium.HALFTONE])
def test_a_dark_stroke_becomes_ink_and_an_even_place_gets_none(medium: Medium) -> None:
    drawn = plain()
    drawn[:, 79:81, :3] = (120, 90, 74)
    after = light(done(drawn, medium))
    assert after[80, 79:81].max() < 0.8 * light(drawn)[80, 79]
    even = after[:, :60]
    assert np.ptp(even) <= 6 and even.min() > light(drawn)[0, 0]


@pytest.mark.parametrize("medium", [Medium.CEL, Medium.HALFTONE])
def test_black_cloth_stays_black_and_skin_gets_lighter(medium: Medium) -> None:
    suit, skin = (light(done(plain(colour), medium))[60:100, 60:100] for colour in ((40, 37, 42), SKIN))
    assert suit.max() <= 42 and skin.min() > light(plain())[0, 0] + 4


def test_cel_paint_evens_shade_and_small_differences() -> None:
    drawn = plain()
    fold = np.concatenate([np.ones(74), np.linspace(1.0, 0.8, 12), np.full(74, 0.8)])
    drawn[..., :3] = (drawn[..., :3] * fold[:, None]).astype(np.uint8)
    before, after = (light(each)[80].astype(float) for each in (drawn, done(drawn, Medium.CEL)))
    assert after[100] / after[60] > 1.05 * before[100] / before[60] and np.all(after > before)
    noisy = plain()
    blots = cv2.GaussianBlur(np.random.default_rng(1).standard_normal((SIDE, SIDE, 3)), (0, 0), 1.5)
    noisy[..., :3] = np.clip(noisy[..., :3] + 30 * blots, 0, 255)
    even = evened(noisy[..., :3].copy(), evening(noisy))
    assert (even.std((0, 1)) < 0.7 * noisy[..., :3].std((0, 1))).all()


def test_print_puts_shade_into_dots_and_none_where_it_is_light() -> None:
    drawn = plain()
    drawn[:, 70:90, :3] = (drawn[:, 70:90, :3] * 0.78).astype(np.uint8)
    drawn[:, 70:90] = cv2.GaussianBlur(drawn, (0, 0), 3)[:, 70:90]
    after = light(done(drawn, Medium.HALFTONE))
    shade, lit = after[40:120, 75:85], after[40:120, 10:50]
    assert np.ptp(shade) > 60 and np.ptp(lit) <= 4
    assert shade.max() > 0.85 * lit.mean()  # between the dots is the colour itself


def test_manga_is_black_and_white_with_dots_between_and_light_skin_is_white() -> None:
    drawn = plain((60, 70, 120))
    drawn[:, :50, :3] = SKIN
    drawn[:, 110:, :3] = (30, 26, 34)
    after = done(drawn, Medium.MANGA)
    assert np.array_equal(after[..., 0], after[..., 1]) and np.array_equal(after[..., 0], after[..., 2])
    skin, cloth, hair = (light(after)[20:140, columns] for columns in (slice(8, 40), slice(62, 98), slice(122, 150)))
    assert skin.min() > 240 and hair.max() < 40
    assert cloth.min() < 60 and cloth.max() > 200 and 0.3 < (cloth < 128).mean() < 0.7


def test_dots_repeat_and_take_as_much_as_they_are_asked_for() -> None:
    screen = dots_from((400, 400), PITCH)
    assert dots_from((400, 400), PITCH) is screen
    step = PITCH * 2**0.5
    there = round(29 * step)  # 205.06 px
    assert np.abs(screen[:, there:].astype(int) - screen[:, :-there]).mean() < 4
    shares = [(screen < CLOSED * share).mean() for share in (0.25, 0.5, 0.75)]
    assert shares == pytest.approx([0.19, 0.5, 0.81], abs=0.03)


def test_water_is_the_published_formula() -> None:
    """Inside an even colour: C - (C - C²)(d - 1), with C as vivid and thin as it is painted."""
    after = done(plain(), Medium.WATERCOLOUR)[20:140, 20:140, :3] / 255
    colour = np.array(SKIN) / 255
    grey = colour @ [0.299, 0.587, 0.114]
    colour = THIN * (grey + VIVID * (colour - grey)) + 1 - THIN
    density = textures(WHOLE.size, 1.0)[1][20:140, 20:140, None]
    np.testing.assert_allclose(after, colour - (colour - colour**2) * density, atol=3 / 255)
    assert after.std(0).mean() > 0.01


def test_water_leaves_white_white_and_frays_the_border() -> None:
    assert done(plain((255, 255, 255)), Medium.WATERCOLOUR)[20:140, 20:140].min() >= 254
    drawn = plain()
    drawn[:, :80, 3] = 0
    border = np.argmax(done(drawn, Medium.WATERCOLOUR)[..., 3] > 127, axis=1)
    assert np.ptp(border) >= 1 and np.abs(border - 80).max() <= 4


def test_paint_gathers_where_the_brush_ended() -> None:
    drawn = plain((150, 150, 150))
    drawn[:, :80, 3] = 0
    after = light(done(drawn, Medium.WATERCOLOUR)).astype(float)
    density = textures(WHOLE.size, 1.0)[1]
    level = [after[:, x].mean() / (1 - 0.45 * density[:, x].mean()) for x in (81, 120)]
    assert level[0] < 0.92 * level[1]


def test_textures_go_on_beyond_their_tile() -> None:
    for texture in textures((TILE + 40, TILE + 40), 1.0):
        across = np.abs(texture[:, TILE] - texture[:, TILE - 1]).mean()
        within = np.abs(np.diff(texture[:, 100:400], axis=1)).mean()
        assert across == pytest.approx(within, rel=0.2)


def test_the_control_offers_every_medium_and_the_styles_own() -> None:
    assert CONTROLS["medium"].choices == ("own", "none", *Medium)
    assert chosen_medium("own", None) is None and chosen_medium("none", Medium.CEL) is None
    assert chosen_medium("own", Medium.CEL) == Medium.CEL and chosen_medium("halftone", None) == Medium.HALFTONE


def test_a_card_with_an_unknown_medium_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "card.toml").write_text(
        'name = "mine"\nkind = "toonify"\ndata = "d"\nlicence = "l"\nweak_points = ["w"]\nmedium = "oil"\n'
    )
    with pytest.raises(ModelRejected, match=r"medium: .*'cel', 'halftone', 'watercolour' or 'manga'.*'oil'"):
        Card.read(folder)


def test_a_style_plays_in_its_own_medium_as_far_as_its_strength(full_pipeline: Pipeline) -> None:
    with Reader(CLIP) as film:
        frames = [frame for frame, _ in zip(film, range(3), strict=False)]

    def shown(**controls: object) -> PixelsU8:
        state = full_pipeline.new_state({"style": "comic", **controls})
        for frame in frames:
            (result,) = full_pipeline.step([frame], [state])
        return result.pixels

    own, none = shown(), shown(medium="none")
    assert np.array_equal(own, shown(medium="halftone"))
    assert np.abs(own.astype(int) - none).max() > 60
    assert np.array_equal(shown(style_strength=0.0), shown(style_strength=0.0, medium="none"))
