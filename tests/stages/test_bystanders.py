"""Two people cross before a detector that sees one of them where both are: the picture stays with the subject."""

from collections.abc import Iterator

import pytest

from stylizer.stages.box import Box
from stylizer.stages.detect import Detection
from stylizer.stages.track import COVERED_S, RELEASE_S, SubjectTracker

LOOK_S = 0.2
STANDS_X, WIDTH_PX = 700.0, 200.0


def person(x: float, width: float = WIDTH_PX) -> Detection:
    """Whose left side is at x."""
    return Detection(Box(x, 50, x + width, 650), 0.9)


def crossing(speed_px_s: float) -> Iterator[tuple[float, float, list[Detection]]]:
    """(time, where the walker is, what a detector sees): from one side to the other, in front of who stands there.

    Of who stands behind only the uncovered part is seen, and none of it where that is less than half of them.
    """
    start_x = 0.0 if speed_px_s > 0 else 1400.0
    for look in range(round(1400 / abs(speed_px_s) / LOOK_S) + 1):
        x = start_x + speed_px_s * look * LOOK_S
        seen = [person(x)]
        covered = max(0.0, WIDTH_PX - abs(x - STANDS_X))
        if covered < WIDTH_PX / 2:
            left = STANDS_X + (covered if x < STANDS_X else 0)
            seen.append(person(left, WIDTH_PX - covered))
        yield look * LOOK_S, x, seen


@pytest.mark.parametrize("speed_px_s", [150, 250, 400, 600, -150, -400])
def test_a_walker_does_not_take_the_picture_along(speed_px_s: float) -> None:
    tracker, hidden = SubjectTracker(), 0
    tracker.update([person(STANDS_X)], 0)
    for time_s, _, seen in crossing(speed_px_s):
        tracker.update(seen, time_s + LOOK_S)
        hidden += len(seen) == 1
    assert hidden, "the subject was covered for a while"
    assert tracker.target is not None and tracker.target.x0 == STANDS_X
    assert tracker.generation == 1


@pytest.mark.parametrize("speed_px_s", [150, 250, 400, -250])
def test_who_walks_past_another_takes_the_picture_along(speed_px_s: float) -> None:
    tracker, walk = SubjectTracker(), list(crossing(speed_px_s))
    tracker.update([person(walk[0][1])], 0)
    for time_s, _, seen in walk:
        tracker.update(seen, time_s + LOOK_S)
    assert tracker.target is not None and tracker.target.x0 == walk[-1][1]
    assert tracker.generation == 1


def test_a_second_box_of_the_subject_is_nobody_else() -> None:
    """Head and chest found beside the whole person, then alone: they are followed all the same."""
    whole, part = person(STANDS_X), Detection(Box(STANDS_X + 20, 60, STANDS_X + 180, 320), 0.8)
    tracker = SubjectTracker()
    for look in range(3):
        tracker.update([whole, part], look * LOOK_S)
    tracker.update([part], 3 * LOOK_S)
    assert tracker.target == part.box and tracker.generation == 1


def test_who_is_hidden_is_waited_for_longer_than_who_has_left_but_not_for_ever() -> None:
    tracker = SubjectTracker()
    tracker.update([person(STANDS_X), person(STANDS_X - 180)], 0)
    time_s = 0.0
    while tracker.generation == 1:
        time_s += LOOK_S
        assert time_s < COVERED_S + 1
        tracker.update([person(STANDS_X - 100)], time_s)
    assert time_s > COVERED_S > RELEASE_S
