"""Two frames in work at once: they overlap, they stay in order, nothing waits between the lanes."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from stylizer.frame import Frame
from stylizer.lanes import Lanes
from stylizer.visitor import VisitorState

WAIT_S = 20.0


class Stages:
    """A small pipeline that tells what it does; `gate` holds the second third."""

    def __init__(self) -> None:
        self.seen = threading.Semaphore(0)
        self.gate = threading.Event()
        self.drawing = 0
        self.broken = False

    def see(self, frames: Sequence[Frame], states: Sequence[VisitorState]) -> list[Frame]:
        self.seen.release()
        return list(frames)

    def draw(self, jobs: list[Frame]) -> list[Frame]:
        self.drawing += 1
        assert self.drawing == 1, "two frames are drawn at once"
        assert self.gate.wait(WAIT_S)
        self.drawing -= 1
        if self.broken:
            raise RuntimeError("scripted fault")
        return jobs

    def finish(self, jobs: list[Frame]) -> list[Frame]:
        return jobs


def film(count: int) -> list[Frame]:
    return [Frame(np.zeros((2, 2, 3), np.uint8), pts=i) for i in range(count)]


def test_the_next_frame_is_looked_at_while_one_is_drawn_and_no_third() -> None:
    stages, frames = Stages(), iter(film(6))
    done: list[Frame] = []
    lanes, state = Lanes(stages), VisitorState()

    def run() -> None:
        while lanes.step(lambda: ([f], [state]) if (f := next(frames, None)) else None, done.extend):
            pass

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert stages.seen.acquire(timeout=WAIT_S) and stages.seen.acquire(timeout=WAIT_S)
    assert not stages.seen.acquire(timeout=0.05), "a third frame was taken before there was room for it"
    stages.gate.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert [frame.pts for frame in done] == list(range(6))


def test_an_error_in_either_lane_frees_it() -> None:
    stages, state = Stages(), VisitorState()
    lanes, (frame,) = Lanes(stages), film(1)
    stages.gate.set()
    stages.broken = True
    with pytest.raises(RuntimeError, match="scripted"):
        lanes.step(lambda: ([frame], [state]), lambda _: None)
    stages.broken = False
    done: list[Frame] = []
    assert lanes.step(lambda: ([frame], [state]), done.extend)
    assert done == [frame]
    assert not lanes.step(lambda: None, done.extend)
