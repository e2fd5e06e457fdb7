import cv2
import numpy as np
import pytest

from stylizer.training.data.characters import draw_pair
from stylizer.training.data.characters.figure import Angles, Build
from stylizer.training.data.characters.sheet import LABELS, toon
from stylizer.training.data.characters.skeleton import pose


def test_a_seed_gives_the_same_pair_and_another_seed_another() -> None:
    a, b, c = draw_pair(11), draw_pair(11), draw_pair(12)
    for name in ("photo", "drawing", "labels"):
        assert np.array_equal(getattr(a, name), getattr(b, name))
        assert not np.array_equal(getattr(a, name), getattr(c, name))


@pytest.mark.parametrize("seed", range(40, 52))
def test_both_sides_show_one_silhouette(seed: int) -> None:
    """The matte of the photo is imperfect on purpose, so the two agree well, not wholly."""
    pair = draw_pair(seed)
    matte, drawn = pair.photo[..., 3] > 127, pair.drawing[..., 3] > 127
    assert drawn.mean() > 0.02, "there is a figure"
    assert (matte & drawn).sum() / (matte | drawn).sum() > 0.8


def test_labels_lie_on_the_figure() -> None:
    pair = draw_pair(7)
    assert set(np.unique(pair.labels)) <= set(range(len(LABELS)))
    assert pair.drawing[..., 3][pair.labels > 0].mean() > 240


@pytest.mark.parametrize("seed", [3, 4, 6])
def test_outlines_are_darker_than_what_they_surround(seed: int) -> None:
    drawing = draw_pair(seed).drawing.astype(int)
    edge = (drawing[..., 3] > 20) & (drawing[..., 3] < 235)
    inside = cv2.erode((drawing[..., 3] == 255).astype(np.uint8), np.ones((7, 7))) > 0
    assert drawing[edge][:, :3].mean() < 0.6 * drawing[inside][:, :3].mean()


def test_a_raised_arm_ends_above_the_head_and_limbs_keep_their_length() -> None:
    build = Build()
    up = pose(build, Angles(upper_arm=((170, 0), (10, 0)), forearm=((175, 0), (5, 10))))
    assert up.hands[0][1] < up.head[1] < up.hands[1][1]
    for yaw in (0, 60, 170):
        s = pose(build, Angles(yaw=yaw, lean=20))
        for i in (0, 1):
            assert np.linalg.norm(s.elbows[i] - s.shoulders[i]) == pytest.approx(0.165)
            assert np.linalg.norm(s.ankles[i] - s.knees[i]) == pytest.approx(0.235)


def test_turning_around_swaps_left_and_right() -> None:
    front, back = pose(Build(), Angles()), pose(Build(), Angles(yaw=180))
    assert front.shoulders[0][0] > 0 > back.shoulders[0][0]


def test_drawn_colours_keep_their_hue_and_never_reach_ink() -> None:
    assert max(toon((0.0, 0.0, 0.0))) > 0.2
    r, g, b = toon((0.1, 0.2, 0.6))
    assert b > g > r
