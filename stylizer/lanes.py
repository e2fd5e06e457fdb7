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


class Thirds(Protocol):
    """The part of `Pipeline` that the lanes need."""

    def see(self, frames: Sequence[Frame], states: Sequence[VisitorState]) -> list[Any]: ...
    def draw(self, jobs: list[Any]) -> list[Any]: ...
    def finish(self, jobs: list[Any]) -> list[Frame]: ...


class Lanes:
    """Order is kept, hand over hand: a frame lets go of one part of the way only once it has the next.

    Nothing waits on the way: latency stays that of one frame. Of three parts none is longer than the two others
    together, so that two threads are always busy.
    """

    def __init__(self, pipeline: Thirds) -> None:
        self._pipeline = pipeline
        self._seeing, self._drawing, self._finishing = threading.Lock(), threading.Lock(), threading.Lock()

    def step(self, take: Take, deliver: Deliver) -> bool:
        """One batch all the way, in the caller's thread. False when `take` had nothing.

        take: called in the first part: (frames, their states). deliver: called in the last, so in the same order.
        """
        hand = _Hand(self._seeing)
        try:
            batch = take()
            if batch is None:
                return False
            jobs = self._pipeline.see(*batch)
            hand.over_to(self._drawing)
            jobs = self._pipeline.draw(jobs)
            hand.over_to(self._finishing)
            deliver(self._pipeline.finish(jobs))
        finally:
            hand.free()
        return True


class _Hand:
    """Holds one lock, and the next before it lets go of it."""

    def __init__(self, lock: threading.Lock) -> None:
        lock.acquire()
        self._lock = lock

    def over_to(self, lock: threading.Lock) -> None:
        lock.acquire()
        self._lock.release()
        self._lock = lock

    def free(self) -> None:
        self._lock.release()
