"""Two people cross before a detector that sees one of them where both are: the picture stays with the subject."""

from collections.abc import Iterator

import pytest

from stylizer.stages.box import Box, around
from stylizer.stages.detect import Detection
from stylizer.stages.track import COVERED_S, RELEASE_S, SubjectTracker

LOOK_S = 0.2
STANDS_X, WIDTH_PX = 700.0, 200.0
UNSEEN_PX = 40.0  # of the subject's side at the last look: the walker may not be past yet
PHASES = [step / 10 for step in range(10)]


def person(x: float, width: float = WIDTH_PX) -> Detection:
    """Whose left side is at x."""
    return Detection(Box(x, 50, x + width, 650), 0.9)


def crossing(
    speed_px_s: float, look_s: float = LOOK_S, phase: float = 0.0
) -> Iterator[tuple[float, float, list[Detection]]]:
    """(time, where the walker is, what a detector sees): from one side to the other, in front of who stands there.

    Of who stands behind only the uncovered part is seen, and none of it where that is less than half of them. phase:
    0..1, how far between two looks he enters: who is covered at which look depends on it.
    """
    start_x = 0.0 if speed_px_s > 0 else 1400.0
    for look in range(round(1400 / abs(speed_px_s) / look_s) + 1):
        x = start_x + speed_px_s * (look + phase) * look_s
        seen = [person(x)]
        covered = max(0.0, WIDTH_PX - abs(x - STANDS_X))
        if covered < WIDTH_PX / 2:
            left = STANDS_X + (covered if x < STANDS_X else 0)
            seen.append(person(left, WIDTH_PX - covered))
        yield look * look_s, x, seen


@pytest.mark.parametrize("look_s", [0.1, LOOK_S, 0.4, 0.6])  # the last: a calm subject, or a slow machine
@pytest.mark.parametrize("speed_px_s", [100, 150, 250, 400, 600, 800, 1000, 1300, -150, -400, -800])
def test_a_walker_does_not_take_the_picture_along(speed_px_s: float, look_s: float) -> None:
    """0.25 to 3.3 m/s, if a person is half a metre wide."""
    hidden = 0
    for phase in PHASES:
        tracker = SubjectTracker()
        tracker.update([person(STANDS_X)], 0)
        for time_s, _, seen in crossing(speed_px_s, look_s, phase):
            tracker.update(seen, time_s + look_s)
            hidden += len(seen) == 1
        assert tracker.target is not None and abs(tracker.target.x0 - STANDS_X) < UNSEEN_PX
        assert tracker.generation == 1
    assert hidden, "the subject was covered for a while"


@pytest.mark.parametrize("speed_px_s", [150, 250, 400, 600, -250])
def test_a_matte_that_takes_in_the_walker_does_not_carry_the_picture_away(speed_px_s: float) -> None:
    """Four frames to a look; where the two touch, the matte holds both. What is seen of the subject is the measure."""
    subject, frames = person(STANDS_X).box, 4
    for phase in PHASES:
        tracker = SubjectTracker()
        tracker.update([person(STANDS_X)], 0)
        for time_s, x, seen in crossing(speed_px_s, LOOK_S, phase):
            tracker.update(seen, time_s + LOOK_S)
            for frame in range(frames):
                walker = person(x + speed_px_s * LOOK_S * frame / frames).box
                touching = walker.x0 < subject.x1 and walker.x1 > subject.x0
                seen_there = around(subject, walker) if touching else subject
                tracker.see_extent(seen_there, Box(0, 0, 1280, 1280), looked=frame == 0)
                assert tracker.target is not None
                assert abs(tracker.target.centre[0] - subject.centre[0]) < WIDTH_PX / 3
        assert tracker.target is not None and abs(tracker.target.x0 - STANDS_X) < UNSEEN_PX


@pytest.mark.parametrize("speed_px_s", [150, 250, 400, 600, -250])
def test_who_walks_past_another_takes_the_picture_along(speed_px_s: float) -> None:
    for phase in PHASES:
        tracker, walk = SubjectTracker(), list(crossing(speed_px_s, LOOK_S, phase))
        tracker.update([person(walk[0][1])], 0)
        for time_s, _, seen in walk:
            tracker.update(seen, time_s + LOOK_S)
        assert tracker.target is not None and tracker.target.x0 == walk[-1][1]
        assert tracker.generation == 1


def test_somebody_too_far_to_have_walked_there_is_not_the_subject() -> None:
    """Who left and who came at the other side of the room between two looks; nor one of another size, nearer."""
    far, child = person(STANDS_X + 3 * WIDTH_PX), Detection(Box(STANDS_X + 210, 350, STANDS_X + 310, 650), 0.9)
    for stranger in (far, child):
        tracker = SubjectTracker()
        tracker.update([person(STANDS_X)], 0)
        tracker.update([stranger], LOOK_S)
        assert tracker.target == person(STANDS_X).box and tracker.generation == 1


def test_who_comes_into_view_while_the_subject_is_hidden_is_not_the_subject() -> None:
    tracker = SubjectTracker()
    for look, walker_x in enumerate((STANDS_X - 500, STANDS_X - 300)):
        tracker.update([person(STANDS_X), person(walker_x)], look * 0.6)
    tracker.update([person(STANDS_X - 100), person(STANDS_X - 450)], 1.2)  # one before them, another behind him
    assert tracker.target == person(STANDS_X).box and tracker.generation == 1
    tracker.update([person(STANDS_X + 200), person(STANDS_X), person(STANDS_X - 250)], 1.8)
    assert tracker.target == person(STANDS_X).box and tracker.generation == 1


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
