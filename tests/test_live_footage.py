"""Live, through the lanes, who moves stays in the picture as they do step by step."""

import threading
from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from stylizer.frame import Frame
from stylizer.live import Worker
from stylizer.media import Reader
from stylizer.pipeline import Pipeline
from tests.conftest import Finder

GREEN = (0, 255, 0)
CONTROLS = {"framing": "scene", "background": "plain", "background_colour": "#{:02x}{:02x}{:02x}".format(*GREEN)}
WAIT_S = 60.0


@pytest.fixture(scope="module")
def even_pipeline(full_pipeline: Pipeline) -> Pipeline:
    """With a look each second, however long looks take here: both ways see the same frames."""
    return Pipeline(full_pipeline._parts, detect_every_s=1.0)


@pytest.fixture(scope="module")
def juggler(media: Finder) -> list[Frame]:
    """Six seconds, at the pace of a slow machine: six looks."""
    with Reader(media("sam2_juggle.mp4")) as reader:
        return [frame for frame, _ in zip(islice(reader, None, None, 4), range(36), strict=False)]


def figure(frame: Frame) -> NDArray[np.bool_]:
    return np.abs(frame.pixels.astype(int) - GREEN).max(2) > 60  # type: ignore[no-any-return]


def live(pipeline: Pipeline, film: list[Frame]) -> list[Frame]:
    """Every frame's result: the next is handed in as soon as a lane has taken the last."""
    worker, moved, results = Worker(pipeline, capacity=1), threading.Condition(), list[Frame]()

    def see(frame: Frame, result: Frame) -> None:
        with moved:
            results.append(result)
            moved.notify()

    worker.start()
    try:
        session = worker.join(CONTROLS)
        with session.watched(see), moved:
            for frame in film:
                assert moved.wait_for(lambda: session._pending is None, WAIT_S)
                session.offer(frame)
            assert moved.wait_for(lambda: len(results) == len(film), WAIT_S)
        return results
    finally:
        worker.stop()


def test_a_moving_man_is_drawn_as_he_is_step_by_step(even_pipeline: Pipeline, juggler: list[Frame]) -> None:
    state = even_pipeline.new_state(CONTROLS)
    steps = [even_pipeline.step([frame], [state])[0] for frame in juggler]
    overlaps = []
    for one, other in zip(steps, live(even_pipeline, juggler), strict=True):
        a, b = figure(one), figure(other)
        overlaps.append((a & b).sum() / (a | b).sum())
    assert min(overlaps) > 0.98, np.round(overlaps, 3)
