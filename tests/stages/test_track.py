"""The box follows one person, steadily, and by time alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylizer.stages.box import Box, iou
from stylizer.stages.detect import Detection
from stylizer.stages.track import ALPHA, CALM, RELEASE_S, SubjectTracker, look_every, rescaled_alpha, smooth

coordinates = st.floats(-1e4, 1e4)
boxes = st.builds(Box, coordinates, coordinates, coordinates, coordinates)
alphas = st.floats(0.01, 1)


def person(x: float, y: float = 100, width: float = 100, height: float = 300) -> Detection:
    return Detection(Box(x, y, x + width, y + height), 0.9)


@given(boxes, boxes, alphas)
def test_smoothing_is_the_weighted_mean_of_each_side(prev: Box, new: Box, alpha: float) -> None:
    for got, p, n in zip(smooth(prev, new, alpha=alpha), prev, new, strict=True):
        assert got == pytest.approx(p + alpha * (n - p), abs=1e-6)  # rounding of 1e4 in float64


@given(boxes, boxes, alphas)
def test_smoothing_starts_at_the_first_box_and_rests_on_an_unmoved_one(prev: Box, new: Box, alpha: float) -> None:
    assert smooth(None, new, alpha=alpha) == new
    assert smooth(new, new, alpha=alpha) == pytest.approx(new)
    assert smooth(prev, new, alpha=1) == new


@given(alphas, st.floats(0, 0.5), st.floats(0, 0.5))
def test_two_steps_leave_as_much_of_the_old_box_as_one_of_their_length(alpha: float, a_s: float, b_s: float) -> None:
    left = (1 - rescaled_alpha(alpha, a_s)) * (1 - rescaled_alpha(alpha, b_s))
    assert left == pytest.approx(1 - rescaled_alpha(alpha, a_s + b_s), abs=1e-9)


def test_alpha_is_unchanged_at_the_reference_rate() -> None:
    assert rescaled_alpha(ALPHA, 1 / 16) == pytest.approx(ALPHA)
    assert rescaled_alpha(ALPHA, 0) == 0


@pytest.mark.parametrize("alpha", [0, -0.1, 1.1, float("nan")])
def test_alpha_outside_its_range_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        smooth(None, Box(0, 0, 1, 1), alpha=alpha)
    with pytest.raises(ValueError, match="alpha"):
        rescaled_alpha(alpha, 1)
    with pytest.raises(ValueError, match="interval_s"):
        rescaled_alpha(0.5, -1)


@pytest.mark.parametrize("rate_hz", [16, 32, 48])
def test_a_step_of_the_person_is_followed_equally_at_every_rate(rate_hz: int) -> None:
    tracker = SubjectTracker()
    tracker.update([person(0)], 0)
    for i in range(1, rate_hz // 4 + 1):
        tracker.update([person(40)], i / rate_hz)
    assert tracker.body is not None
    assert tracker.body.x0 == pytest.approx(40 * (1 - (1 - ALPHA) ** 4))  # a quarter of a second is 4 steps at 16 fps


def test_frames_between_two_looks_go_on_towards_the_last_one() -> None:
    looking, resting = SubjectTracker(), SubjectTracker()
    for tracker in (looking, resting):
        tracker.update([person(0)], 0)
    for i in range(1, 6):
        looking.update([person(40)], i / 30)
        resting.update([person(40)] if i == 1 else None, i / 30)
    assert resting.body == pytest.approx(looking.body)


def test_the_largest_is_taken_at_entry_and_kept_when_a_larger_one_comes() -> None:
    tracker = SubjectTracker()
    tracker.update([person(0, width=50), person(300)], 0)
    assert tracker.target == person(300).box
    tracker.update([person(0, width=250, height=400), person(310)], 0.2)
    assert tracker.target == person(310).box
    assert tracker.generation == 1


def test_the_box_is_held_for_a_second_then_somebody_new_is_taken() -> None:
    tracker = SubjectTracker()
    tracker.update([person(0)], 0)
    stranger = person(600)
    for time_s in (0.5, 1.0):
        assert tracker.update([stranger], time_s) == person(0).box
    tracker.see_head(Box(30, 100, 60, 140))
    assert tracker.update([stranger], 1.2) == stranger.box
    assert tracker.generation == 2
    assert tracker.head is None  # it was the first person's


def test_nobody_is_followed_once_the_frame_has_been_empty_for_longer() -> None:
    tracker = SubjectTracker()
    tracker.update([person(0)], 0)
    assert tracker.update([], 1.0) is not None
    assert tracker.update(None, 5.0) is not None  # nobody looked: no reason to let go
    assert tracker.update([], 5.1) is None
    assert (tracker.target, tracker.generation) == (None, 1)


def test_the_head_moves_with_the_body_while_it_is_not_seen() -> None:
    tracker = SubjectTracker()
    tracker.update([person(0)], 0)
    tracker.see_head(Box(30, 100, 60, 140))
    tracker.update([person(50, y=90)], 0.2)
    tracker.see_head(None)
    for i in range(1, 20):
        tracker.update(None, 0.2 + i / 16)
    assert tracker.head == pytest.approx(Box(80, 90, 110, 130), abs=1e-3)


def test_a_film_that_starts_again_starts_a_new_track() -> None:
    tracker = SubjectTracker()
    tracker.update([person(0)], 7.0)
    assert tracker.update([person(500)], 0.0) == person(500).box
    assert tracker.generation == 2


@given(boxes, boxes)
def test_overlap_is_symmetric_and_a_share(a: Box, b: Box) -> None:
    assert 0 <= iou(a, b) <= 1
    assert iou(a, b) == iou(b, a)


def test_overlap_of_known_boxes() -> None:
    assert iou(Box(0, 0, 2, 2), Box(1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert iou(Box(0, 0, 2, 2), Box(2, 2, 4, 4)) == 0
    assert iou(Box(0, 0, 0, 0), Box(0, 0, 0, 0)) == 0


CROP = Box(0, 0, 640, 640)


def test_a_side_on_which_the_crop_ends_moves_nothing() -> None:
    """Else the square would follow itself: it moves, so does its edge, and with that the body."""
    tracker = SubjectTracker(alpha=1.0)
    tracker.update([Detection(Box(0, 50, 700, 480), 0.9)], 0.0)
    tracker.see_extent(Box(80, 58, 560, 480), Box(80, 0, 560, 480), looked=True)
    tracker.see_extent(Box(90, 68, 570, 480), Box(90, 0, 570, 480), looked=False)
    assert tracker.target == Box(0, 60, 700, 480)
    tracker.see_extent(Box(130, 58, 570, 480), Box(90, 0, 570, 480), looked=False)
    assert tracker.target == Box(0, 50, 700, 480), "where it was beyond the crop nobody knows how far it has come"


def test_a_head_stays_where_it_is_while_an_arm_is_stretched_out() -> None:
    tracker = SubjectTracker(alpha=1.0)
    tracker.update([Detection(Box(100, 50, 300, 480), 0.9)], 0.0, 640)
    tracker.see_head(Box(160, 60, 240, 160))
    tracker.update([Detection(Box(98, 50, 460, 480), 0.9)], 0.2, 640)
    assert tracker.head == Box(160, 60, 240, 160)
    tracker.update([Detection(Box(0, 50, 200, 480), 0.9)], 0.4, 640)
    assert tracker.head is not None
    before = tracker.head.x0
    tracker.update([Detection(Box(0, 50, 180, 480), 0.9)], 0.6, 640)
    assert tracker.head.x0 == pytest.approx(before - 10), "the side where the frame ends tells nothing"


def test_between_two_looks_the_body_goes_along_with_the_matte() -> None:
    tracker = SubjectTracker(alpha=1.0)
    seen = Box(100, 50, 200, 350)
    tracker.update([Detection(seen, 0.9)], 0.0)
    tracker.see_extent(Box(104, 58, 196, 351), CROP, looked=True)
    assert tracker.moved == 0
    tracker.see_extent(Box(114, 58, 206, 351), CROP, looked=False)
    assert tracker.target == Box(110, 50, 210, 350) and tracker.moved == pytest.approx(10 / 300)
    assert tracker.update(None, 1.0) == Box(110, 50, 210, 350)
    tracker.see_extent(Box(104, 58, 500, 351), CROP, looked=False)  # the matte took in something that is not the person
    assert tracker.target == Box(110, 50, 210, 350) and tracker.moved is not None and tracker.moved > CALM
    tracker.see_extent(None, CROP, looked=False)
    assert tracker.moved is None


def test_looks_are_rarer_for_who_stands_still_and_on_a_machine_where_they_are_dear() -> None:
    assert look_every(0.2, 0.01, moved=0.2) == look_every(0.2, 0.01, moved=None) == 0.2
    assert look_every(0.2, 0.01, moved=0.0) == pytest.approx(0.6)
    assert look_every(0.2, 0.05, moved=0.2) == pytest.approx(0.5)
    assert look_every(0.2, 9.0, moved=0.2) == RELEASE_S  # beyond, nobody would be followed
    assert look_every(3.0, 0.01, moved=0.2) == 3.0
