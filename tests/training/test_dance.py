"""The dance of the film for machines without a camera: limbs, steps, and people who follow them.

The tests of whole people want MakeHuman's assets, in the folder that STYLIZER_MAKEHUMAN names, and embreex.
"""

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from stylizer.training.data.humans.limbs import angle_about, axes, bent, reach, swing_and_twist, unit
from stylizer.training.data.humans.moves import FRAMES, Manner, Pose, foot, near, pose
from stylizer.training.data.humans.rig import turn

REAL = Path(os.environ.get("STYLIZER_MAKEHUMAN", "absent"))
needs_assets = pytest.mark.skipif(
    find_spec("embreex") is None or not (REAL / "public").is_dir(),
    reason="STYLIZER_MAKEHUMAN names no folder of MakeHuman's assets, or embreex is not installed",
)


def test_two_bones_point_where_they_shall_and_stay_a_hinge() -> None:
    rest = unit(np.array([0.7, -0.7, 0.0])), unit(np.array([0.6, -0.5, 0.8]))
    wanted = unit(np.array([0.9, 0.3, 0.2])), unit(np.array([0.1, 0.9, 0.3]))
    upper, lower = bent(rest, wanted)
    for made, was, now in zip((upper, lower), rest, wanted, strict=True):
        assert made @ was == pytest.approx(now) and made @ made.T == pytest.approx(np.eye(3))
    hinge = unit(np.cross(*rest))
    assert upper.T @ lower @ hinge == pytest.approx(hinge), "an elbow turns about one axis only"


def test_a_turn_is_its_swing_after_its_twist() -> None:
    axis = unit(np.array([0.2, -0.9, 0.1]))
    whole = turn((1, 2, 0.5), 75)
    swing, twist = swing_and_twist(whole, axis)
    assert swing @ turn(tuple(axis), twist) == pytest.approx(whole)
    assert swing @ np.cross(axis, whole @ axis) == pytest.approx(np.cross(axis, whole @ axis)), "the shortest way"
    assert swing_and_twist(turn(tuple(axis), 40), axis)[1] == pytest.approx(40)


def test_a_leg_reaches_its_foot_and_no_further_than_it_is_long() -> None:
    hip, forward = np.array([1.0, 9.0, 0.0]), np.array([0.0, 0, 1])
    ankle = np.array([1.2, 1.0, 0.5])
    thigh, shin = reach(hip, ankle, (4.2, 4.0), forward)
    assert hip + 4.2 * thigh + 4.0 * shin == pytest.approx(ankle)
    assert (hip + 4.2 * thigh)[2] > 0.5, "the knee goes forward"
    thigh, shin = reach(hip, hip - (0, 30.0, 0), (4.2, 4.0), forward)
    assert float(np.linalg.norm(4.2 * thigh + 4.0 * shin)) == pytest.approx(8.2, rel=0.01)


def test_an_angle_is_seen_along_its_axis() -> None:
    up = np.array([0.0, 1, 0])
    one, other = np.array([0.0, 0.4, 1]), np.array([1.0, -0.7, 0])
    assert angle_about(up, one, other) == pytest.approx(90) and angle_about(up, other, one) == pytest.approx(-90)
    assert axes(up, one)[:, 1] == pytest.approx((0, 0, 1))


@pytest.mark.parametrize("side", [1, -1])
def test_a_foot_on_the_floor_does_not_slide(side: int) -> None:
    steps = [foot(i / (4 * FRAMES), side) for i in range(4 * FRAMES)]
    standing = [(a, b) for a, b in zip(steps, steps[1:], strict=False) if a.up == b.up == 0]
    assert len(standing) > 1.8 * FRAMES, "half of the time"
    assert max(float(np.abs(a.place - b.place).max()) + abs(a.yaw - b.yaw) for a, b in standing) < 1e-9
    assert max(float(np.abs(a.place - b.place).max()) for a, b in zip(steps, steps[1:], strict=False)) < 0.2, "dm"


def _numbers(p: Pose) -> list[float]:
    feet = [x for f in p.feet for x in (*f.place, f.yaw / 20, f.up, f.heel / 20)]
    arms = [x for a in p.arms for x in (*a.upper, *a.fore, *a.palm, a.grip)]
    return [
        *p.hips,
        p.yaw / 20,
        p.roll / 20,
        *np.divide(p.chest, 20),
        *np.divide(p.head, 20),
        *feet,
        *arms,
        p.smile,
        p.shut,
    ]


@pytest.mark.parametrize("manner", [Manner(), Manner(1.2, 0.3, -1, 0.04)])
def test_the_dance_is_smooth_and_without_a_seam(manner: Manner) -> None:
    track = np.array([_numbers(pose(i / FRAMES, manner)) for i in range(FRAMES + 1)])
    assert track[-1] == pytest.approx(track[0], abs=1e-9)
    closed = pose(-1e-6, manner), pose(1e-6, manner)
    assert _numbers(closed[0]) == pytest.approx(_numbers(closed[1]), abs=1e-3)
    assert np.abs(np.diff(track, axis=0)).max() < 0.8


def test_the_camera_comes_near_once_and_mostly_sees_the_whole_figure() -> None:
    share = np.array([near(i / FRAMES) for i in range(FRAMES)])
    assert share.max() == 1 and (share < 0.05).mean() > 0.5
    assert np.count_nonzero(np.diff((share > 0.5).astype(int)) > 0) == 1


@needs_assets
@pytest.mark.parametrize("name", ["juno", "kofi", "tomo"])
def test_people_stand_on_the_floor(name: str) -> None:
    from stylizer.training.data.humans.troupe import body_of

    body = body_of(REAL, name)
    for i in range(0, FRAMES, 12):
        dance = pose(i / FRAMES, body.dancer.manner)
        person = body.posed(dance)
        shoes = next(part for part in person.parts if part.kind == "shoes")
        seen = shoes.vertices[np.unique(shoes.triangles)]
        assert -0.12 < seen[:, 1].min() < 0.05, f"dm, frame {i}"
        for side, planted in zip((1, -1), dance.feet, strict=True):
            mine = seen[side * (seen[:, 0] - dance.hips[0]) > 0]
            assert planted.up > 0 or float(mine[:, 1].min()) < 0.05, f"frame {i}"


@needs_assets
def test_a_frame_shows_somebody_in_a_room() -> None:
    from stylizer.training.data.humans.dance import draw_frame

    whole, bust = (draw_frame(REAL, s / 7, "juno") for s in (3.4, 5.4))
    assert whole.shape == bust.shape == (480, 640, 3)
    red = [float(((p[..., 0] > 150) & (p[..., 1] < 120) & (p[..., 2] < 110)).mean()) for p in (whole, bust)]
    assert 0.01 < red[0] < 0.08 < red[1], "her shirt"
