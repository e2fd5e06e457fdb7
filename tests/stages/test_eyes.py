"""Drawn eyes: where the mesh says, as open as the person's, and nothing else of the picture changes."""

import numpy as np
import pytest
import torch

from stylizer.config import Settings
from stylizer.engines.openvino import OpenVinoEngine
from stylizer.frame import PixelsU8
from stylizer.picture import read_picture
from stylizer.stages.box import Box
from stylizer.stages.eyes import BELOW, BLURRED_PX, CHIN, EYES, FACE_TOP, LEAST_HEAD_PX, Eyes, draw_eyes, needed
from stylizer.stages.face import HeadFinder
from stylizer.stages.mesh import LEFT_CORNERS, RIGHT_CORNERS, FaceMesh, Points, around_face, steadied
from stylizer.weights.registry import Registry
from tests.conftest import Finder

SKIN = (224, 180, 150)
CENTRES = ((70.0, 100.0), (130.0, 100.0))


def a_face(gap: float = 0.4, width: float = 30.0, left_width: float | None = None) -> Points:
    """Points of a face of 200x200 px: eyes `width` px wide, their lids `gap` times that apart."""
    points = np.full((468, 3), 100, np.float32)
    points[FACE_TOP, :2], points[CHIN, :2] = (100, 30), (100, 190)
    for i, ((outer, inner, upper, lower), below, (x, y)) in enumerate(zip(EYES, BELOW, CENTRES, strict=True)):
        w = left_width if i == 0 and left_width is not None else width
        side = -1 if i == 0 else 1
        points[outer, :2], points[inner, :2] = (x + side * w / 2, y), (x - side * w / 2, y)
        points[upper, :2], points[lower, :2] = (x, y - gap * w / 2), (x, y + gap * w / 2)
        points[list(below), :2] = (x, y + 28)
    return points


def drawn(points: Points, amount: float = 1.0, seed: int = 0) -> PixelsU8:
    canvas = np.full((200, 200, 4), (*SKIN, 255), np.uint8)
    draw_eyes(canvas, Eyes(points, amount, seed))
    return canvas


def test_an_open_eye_has_pupil_white_and_lashes_and_nothing_changes_around_it() -> None:
    picture = drawn(a_face()).astype(int)
    for x, y in CENTRES:
        assert picture[int(y), int(x), :3].max() < 90, "the pupil"
        around = picture[int(y) - 14 : int(y) + 14, int(x) - 20 : int(x) + 20, :3]
        assert (around.min(-1) > 200).sum() > 20, "white and light"
        assert (around.max(-1) < 60).sum() > 40, "lashes and pupil"
    changed = (picture[..., :3] != SKIN).any(-1)
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    assert rows[0] > 70 and rows[-1] < 130 and columns[0] > 35 and columns[-1] < 165
    assert (picture[..., 3] == 255).all()


def test_both_eyes_mirror_each_other_but_for_the_light() -> None:
    picture = drawn(a_face()).astype(int)
    left, right = picture[75:125, 40:100, :3], picture[75:125, 100:160, :3][:, ::-1]
    same = (abs(left - right).max(-1) <= 3).mean()
    assert 0.9 < same < 1.0


@pytest.mark.parametrize(
    ("points", "amount"),
    [(a_face(), 0.0), (a_face(gap=0.1), 1.0), (a_face(width=8), 1.0)],
    ids=["none wanted", "shut", "far away"],
)
def test_the_drawing_keeps_its_own_eyes(points: Points, amount: float) -> None:
    assert (drawn(points, amount) == (*SKIN, 255)).all()


def test_an_eye_seen_from_the_side_is_left_alone() -> None:
    picture = drawn(a_face(left_width=14))
    assert (picture[:, :100, :3] == SKIN).all() and (picture[:, 100:, :3] != SKIN).any()


def test_a_look_has_its_own_iris_and_a_face_at_the_edge_is_no_error() -> None:
    assert (drawn(a_face(), seed=0) != drawn(a_face(), seed=1)).any()
    outside = a_face()
    outside[:, 0] += 160
    drawn(outside)
    with_air = Eyes(a_face(), 1.0, 0).in_canvas(Box(50, 50, 150, 150), Box(0, 0, 200, 200))
    assert with_air.points[CHIN, :2] == pytest.approx((100, 280))


def test_trembling_points_rest_and_moving_ones_are_followed() -> None:
    rng = np.random.default_rng(2)
    face = a_face()
    steady = face
    for _ in range(20):
        steady = steadied(steady, face + rng.normal(0, 0.5, face.shape).astype(np.float32))
    assert np.abs(steady - face).mean() < 0.3, "of 0.4 px of tremble"
    assert steadied(face, face + 20) == pytest.approx(face + 20)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> FaceMesh:
    cache = tmp_path_factory.mktemp("cache")
    path = Registry(Settings.load(models=(), cache=cache)).find("mesh").path
    return FaceMesh.load(path, OpenVinoEngine(1, cache))


def test_the_mesh_finds_the_eyes_of_a_real_face_and_follows_its_own_points(mesh: FaceMesh, media: Finder) -> None:
    pixels = read_picture(media("multiface.jpg"))
    head = HeadFinder(torch.device("cpu")).largest(pixels)
    assert head is not None
    first = mesh(pixels, head, None)
    assert first is not None
    for corners in (LEFT_CORNERS, RIGHT_CORNERS):
        x, y = first[list(corners), :2].mean(0)
        assert head.x0 < x < head.x1 and head.y0 + 0.3 * head.height < y < head.y0 + 0.75 * head.height
    again = mesh(pixels, head, first)
    assert again is not None
    assert np.abs(again - first)[:, :2].mean() < 0.05 * head.height
    assert abs(around_face(first).angle) < 0.5
    assert mesh(np.full_like(pixels, 128), head, None) is None, "no face in a grey picture"
    assert mesh(pixels, None, None) is None


def test_eyes_are_for_heads_whose_own_have_too_few_pixels() -> None:
    least, most = BLURRED_PX
    assert [needed(px, False) for px in (LEAST_HEAD_PX - 1, LEAST_HEAD_PX, 500)] == [0, 1, 1]
    assert [needed(px, True) for px in (LEAST_HEAD_PX, least, (least + most) / 2, most, 500)] == [0, 0, 0.5, 1, 1]
