"""Places follow from what a frame costs; times are counted in bins."""

import pytest

from stylizer.budget import CAMERA_FPS, LEAST, LEAST_CAMERA_FPS, WINDOW, Budget
from stylizer.histogram import BOUNDS_S, Histogram


def test_places_follow_from_what_a_frame_costs() -> None:
    budget = Budget(limit=8, min_fps=5)
    assert (budget.frame_s, budget.places) == (None, 8)
    for _ in range(LEAST):
        budget.note(0.08, visitors=2)  # 0.04 s a frame: 0.7 / (0.04 * 5)
    assert budget.frame_s == pytest.approx(0.04) and budget.places == 3
    for _ in range(WINDOW):
        budget.note(2.0, visitors=1)
    assert budget.places == 1, "one visitor is always served"
    for _ in range(WINDOW):
        budget.note(0.001, visitors=1)
    assert budget.places == 8


def test_times_are_counted_in_bins() -> None:
    histogram = Histogram()
    for seconds in (0.0005, 0.001, 0.04, 60):
        histogram.add(seconds)
    counts = histogram.counts()
    assert (counts.at_most[0], counts.at_most[BOUNDS_S.index(0.05)], counts.at_most[-1]) == (2, 3, 4)
    assert counts.sum_s == pytest.approx(60.0415)


def test_cameras_send_little_more_than_will_be_drawn() -> None:
    """One visitor's pictures wait for nobody else's: twice as many make each drawn one fresher."""
    budget = Budget(limit=8, min_fps=5)
    assert budget.camera_fps(1) == CAMERA_FPS, "nothing is known yet"
    for _ in range(LEAST):
        budget.note(0.1, visitors=1)
    assert budget.camera_fps(1) == pytest.approx(20)
    assert budget.camera_fps(2) == pytest.approx(7) and budget.camera_fps(8) == LEAST_CAMERA_FPS
