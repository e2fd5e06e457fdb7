"""Two frames in work at once: they overlap, they stay in order, nothing waits between the lanes."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from stylizer.frame import Frame
from stylizer.lanes import Lanes
from stylizer.visitor import VisitorState

WAIT_S = 20.0


class Halves:
    """A small pipeline that tells what it does; `gate` holds the second half."""

    def __init__(self) -> None:
        self.seen = threading.Semaphore(0)
        self.gate = threading.Event()
        self.in_second = 0
        self.broken = False

    def see(self, frames: Sequence[Frame], states: Sequence[VisitorState]) -> list[Frame]:
        self.seen.release()
        return list(frames)

    def draw(self, jobs: list[Frame]) -> list[Frame]:
        self.in_second += 1
        assert self.in_second == 1, "two frames in the second lane"
        assert self.gate.wait(WAIT_S)
        self.in_second -= 1
        if self.broken:
            raise RuntimeError("scripted fault")
        return jobs

    def finish(self, jobs: list[Frame]) -> list[Frame]:
        return jobs


def film(count: int) -> list[Frame]:
    return [Frame(np.zeros((2, 2, 3), np.uint8), pts=i) for i in range(count)]


def test_the_next_frame_is_looked_at_while_one_is_drawn_and_no_third() -> None:
    halves, frames = Halves(), iter(film(6))
    done: list[Frame] = []
    lanes, state = Lanes(halves), VisitorState()

    def run() -> None:
        while lanes.step(lambda: ([f], [state]) if (f := next(frames, None)) else None, done.extend):
            pass

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert halves.seen.acquire(timeout=WAIT_S) and halves.seen.acquire(timeout=WAIT_S)
    assert not halves.seen.acquire(timeout=0.05), "a third frame was taken before there was room for it"
    halves.gate.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert [frame.pts for frame in done] == list(range(6))


def test_an_error_in_either_lane_frees_it() -> None:
    halves, state = Halves(), VisitorState()
    lanes, (frame,) = Lanes(halves), film(1)
    halves.gate.set()
    halves.broken = True
    with pytest.raises(RuntimeError, match="scripted"):
        lanes.step(lambda: ([frame], [state]), lambda _: None)
    halves.broken = False
    done: list[Frame] = []
    assert lanes.step(lambda: ([frame], [state]), done.extend)
    assert done == [frame]
    assert not lanes.step(lambda: None, done.extend)
