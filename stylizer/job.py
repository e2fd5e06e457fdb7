"""One frame of one visitor on its way through the pipeline: what was found and drawn so far, and what went wrong."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from torch import Tensor

from stylizer.controls import Value
from stylizer.frame import Frame, PixelsU8
from stylizer.logs import log
from stylizer.reference import Reference
from stylizer.stages.box import Box
from stylizer.stages.closeup import Closeup
from stylizer.stages.compose import neutral
from stylizer.stages.eyes import Eyes
from stylizer.stages.mark import held
from stylizer.visitor import VisitorState

NEUTRAL_AFTER_S = 3.0  # a failing visitor sees the last good picture this long, then a plain card
LOG_EVERY = 100  # a stage that fails on each frame must not fill the disk


@dataclass(slots=True)
class Job:
    """One frame of one visitor on its way; `box` and all that follows stay None when nobody is in view.

    looked: the person was looked for in this very frame. gain: how many times brighter they are shown. on_card:
    foreground and matte where the matte's network left them, if that was a card.
    """

    frame: Frame
    state: VisitorState
    controls: Mapping[str, Value]
    reference: Reference | None
    pixels: PixelsU8
    box: Box | None = None
    near: Box | None = None
    looked: bool = False
    gain: float = 1.0
    crop: Tensor | None = None
    on_card: tuple[Tensor, Tensor] | None = None
    foreground: Tensor | None = None
    matte: Tensor | None = None
    picture: Tensor | None = None
    alpha: Tensor | None = None
    closeup: Closeup | None = None
    eyes: Eyes | None = None
    output: PixelsU8 | None = None
    error: Exception | None = None
    stages_ms: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, frame: Frame, state: VisitorState) -> Self:
        controls = state.controls
        state.face_view(frame.size, bool(controls["mirror"]))
        pixels = np.ascontiguousarray(frame.pixels[:, ::-1]) if controls["mirror"] else frame.pixels
        return cls(frame, state, controls, state.reference, pixels)

    def closed(self) -> Frame:
        """The finished picture; in its absence the last good one with a mark, and after a while a plain card."""
        state, now = self.state, self.frame.time_s
        state.error, state.stages_ms = self.error, self.stages_ms
        state.nobody = self.box is None
        state.failed += self.error is not None
        if self.output is not None:
            state.last, state.last_good_s = self.output, now
            return self.frame.with_pixels(self.output)
        if state.last is not None and state.last_good_s is not None and abs(now - state.last_good_s) < NEUTRAL_AFTER_S:
            return self.frame.with_pixels(held(state.last))
        state.lose_person()
        return self.frame.with_pixels(neutral(self.frame.size, self.controls))


@contextmanager
def answering_for(job: Job) -> Iterator[None]:
    """A fault inside is this visitor's: counted, logged now and then, told in the state; the others go on."""
    try:
        yield
    except Exception as error:
        job.error, job.output = error, None
        if job.state.failed % LOG_EVERY == 0:
            log.exception("frame failed", failed=job.state.failed + 1)


@contextmanager
def timed(jobs: Sequence[Job], stage: str) -> Iterator[None]:
    """A batch's time is shared out evenly. Times are for reports only: no stage reads the clock."""
    begin = time.perf_counter()
    try:
        yield
    finally:
        for job in jobs:
            job.stages_ms[stage] = (time.perf_counter() - begin) * 1000 / len(jobs)
