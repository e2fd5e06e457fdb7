"""Two frames in work at once: while one is drawn, the next is already looked at.

On two cores this finishes more frames than one at a time with both cores: half of what a frame costs is small steps
that know only one thread, and a network on two threads is far from twice as fast as on one.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from stylizer.frame import Frame
from stylizer.visitor import VisitorState

Take = Callable[[], tuple[Sequence[Frame], Sequence[VisitorState]] | None]
Deliver = Callable[[list[Frame]], None]


class Halves(Protocol):
    """The part of `Pipeline` that the lanes need."""

    def see(self, frames: Sequence[Frame], states: Sequence[VisitorState]) -> list[Any]: ...
    def draw(self, jobs: list[Any]) -> list[Any]: ...
    def finish(self, jobs: list[Any]) -> list[Frame]: ...


class Lanes:
    """Order is kept, hand over hand: a frame lets go of the first lane only once it has the second.

    So a frame is taken only when it will soon be drawn, and nothing waits between the lanes: latency stays that of one
    frame.
    """

    def __init__(self, pipeline: Halves) -> None:
        self._pipeline = pipeline
        self._seeing, self._drawing = threading.Lock(), threading.Lock()

    def step(self, take: Take, deliver: Deliver) -> bool:
        """One batch through both lanes, in the caller's thread. False when `take` had nothing.

        take: called in the first lane: (frames, their states). deliver: called in the second, so in the same order.
        """
        with self._seeing:
            batch = take()
            if batch is None:
                return False
            jobs = self._pipeline.see(*batch)
            self._drawing.acquire()
        try:
            deliver(self._pipeline.finish(self._pipeline.draw(jobs)))
        finally:
            self._drawing.release()
        return True
