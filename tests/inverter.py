"""A pipeline for tests of whoever drives one: what it does is plain, when it does it is in the test's hands."""

import threading
from collections.abc import Mapping, Sequence

from stylizer import controls as table
from stylizer.controls import Value
from stylizer.frame import Frame, PixelsU8
from stylizer.reference import Reference
from stylizer.visitor import VisitorState

WAIT_S = 20.0


class Inverter:
    """A real, small pipeline: the negative of the picture. `gate` holds a step until it is opened."""

    def __init__(self, batch: int = 16) -> None:
        self.batch = batch
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.batches: list[int] = []
        self.cutting = threading.Event()
        self.prepared: list[tuple[Reference, str]] = []
        self.faults: dict[str, BaseException] = {}  # by third, "see" or "draw"; taken up when the third begins

    def new_state(self, controls: Mapping[str, object] | None = None) -> VisitorState:
        return VisitorState(controls=table.defaults() | self.checked(controls or {}))

    def checked(self, changes: Mapping[str, object]) -> dict[str, Value]:
        return table.checked(changes)

    def reference(self, pixels: PixelsU8, style: str) -> Reference:
        self.cutting.set()
        self.gate.wait(WAIT_S)
        return Reference.of(pixels, None)

    def prepare(self, reference: Reference, style: str) -> None:
        self.prepared.append((reference, style))

    def see(self, frames: Sequence[Frame], states: Sequence[VisitorState]) -> list[Frame]:
        fault = self.faults.get("see")
        self.batches.append(len(frames))
        self.entered.release()
        self.gate.wait(WAIT_S)
        if fault is not None:
            raise fault
        return list(frames)

    def draw(self, jobs: list[Frame]) -> list[Frame]:
        if (fault := self.faults.get("draw")) is not None:
            raise fault
        return jobs

    def finish(self, jobs: list[Frame]) -> list[Frame]:
        return [frame.with_pixels(255 - frame.pixels) for frame in jobs]
