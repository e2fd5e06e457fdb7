"""Looks of who is watched live: behind the picture, and told to a later one."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
import pytest

from stylizer.frame import Frame
from stylizer.media import Reader
from stylizer.pipeline import Pipeline
from stylizer.stages.box import iou
from stylizer.stages.mark import held
from stylizer.visitor import VisitorState
from tests.conftest import Finder
from tests.scene import CONTROLS, SMALL_HEADS, Trouble, camera, pipeline, reds

RED = SMALL_HEADS[0]  # of somebody with a head
LOOKS = {"detect", "face"}


def live(line: Pipeline, style: str = "plain") -> VisitorState:
    state = line.new_state({**CONTROLS, "style": style})
    state.live = True
    return state


def frames(count: int, every_s: float, red: int = RED) -> Sequence[Frame]:
    return [Frame(camera(red), round(i * every_s * 90_000)) for i in range(count)]


def test_who_is_followed_does_not_wait_for_a_look() -> None:
    """The parts that look would fail until a frame is drawn and shown: that does not matter to it."""
    trouble = Trouble()
    line = pipeline(trouble)
    state = live(line)
    first, *rest = frames(20, 0.04)
    line.step([first], [state])
    assert state.stages_ms.keys() >= LOOKS, "nobody is followed yet: the first frame is looked at"
    looked = set[str]()
    for frame in rest:
        trouble.always |= {("look", RED), ("face", RED)}
        jobs = line.see([frame], [state])
        (result,) = line.finish(line.draw(jobs))
        assert state.error is None and reds(result.pixels) == {RED}
        trouble.always.clear()
        line.look(jobs)
        looked |= state.stages_ms.keys()
    assert looked >= LOOKS, "what looks cost is told with the pictures they were told to"


@pytest.mark.parametrize("stage", ["look", "face"])
def test_a_look_that_fails_behind_the_picture_marks_a_later_one(stage: str) -> None:
    trouble = Trouble()
    line = pipeline(trouble)
    state = live(line)
    first, *rest = frames(40, 0.04)
    (good,) = line.step([first], [state])
    trouble.always.add((stage, RED))
    shown = []
    for frame in rest:
        (result,) = line.step([frame], [state])
        if state.error is not None:
            assert (result.pixels == held(good.pixels)).all()
            trouble.always.clear()
        shown.append(state.error is None)
        good = result if state.error is None else good
    assert shown.count(False) == 1 and all(shown[-10:])


@pytest.mark.parametrize("every_s", [0.7, -0.04], ids=["few frames", "a film that starts again"])
def test_where_a_look_would_be_told_too_late_it_comes_first(every_s: float) -> None:
    line = pipeline(Trouble())
    state = live(line)
    for frame in frames(4, every_s):
        (job,) = line.see([frame], [state])
        assert job.looked and job.glance is None and job.box is not None


def test_whoever_comes_next_is_turned_to_at_once() -> None:
    line = pipeline(Trouble())
    state = live(line)
    for frame in frames(30, 0.04):
        line.step([frame], [state])
    state.lose_person()
    (job,) = line.see([Frame(camera(SMALL_HEADS[1]), 30 * 3600)], [state])
    assert job.looked and job.stages_ms.keys() >= LOOKS and state.tracker.head is not None


def test_a_moving_man_is_followed_as_well_as_by_looks_that_are_waited_for(
    full_pipeline: Pipeline, media: Finder
) -> None:
    states = full_pipeline.new_state(), live(full_pipeline, full_pipeline.styles[0])
    overlaps = []
    with Reader(media("sam2_juggle.mp4")) as film:
        for frame in islice(film, 36):
            boxes = []
            for state in states:
                (job,) = jobs = full_pipeline.see([frame], [state])
                assert job.error is None and job.box is not None
                full_pipeline.look(jobs)
                boxes.append(job.box)
            overlaps.append(iou(*boxes))
    assert np.mean(overlaps) > 0.96 and min(overlaps) > 0.9
    assert states[0].tracker.generation == states[1].tracker.generation == 1
