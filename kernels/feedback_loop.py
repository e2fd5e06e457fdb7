"""VJ mode's loop on a GPU: one CUDA graph for a step, another for a step with a moving crossfade."""

import cupy as cp
import numpy as np

from kernels import cuda
from kernels.arena import packed
from kernels.feedback import Settings
from kernels.launch import Launch, weights_equal
from kernels.loop import crossfade_launches, frame_launches, loop_buffers
from kernels.pict import Weights
from kernels.plan import unet_plan
from kernels.unet256 import SHAPE


class FeedbackLoop:
    """Two networks of the same size, mixed; the fed-back picture lives on the device.

    Captures both graphs here. Raises ValueError when the sizes differ, BadWeights; cupy's errors without a GPU.
    shown: float32 [256, 256, 3] in 0..1 on the device, what the last step wants shown.
    """

    def __init__(self, a: Weights, b: Weights) -> None:
        plan, other = unet_plan(a, 6), unet_plan(b, 6)
        if not weights_equal(plan.constants, other.constants):
            raise ValueError("a crossfade needs two networks of the same number of filters")
        ends = packed(plan.constants), packed(other.constants)
        self.stream = cp.cuda.Stream(non_blocking=True)
        with self.stream:
            self.arrays = cuda.allocate(plan) | {n: cp.zeros(b.elements, b.dtype) for n, b in loop_buffers().items()}
            for end, letter in zip(ends, "ab", strict=True):
                self.arrays |= {f"{letter}_{t}": cp.asarray(block) for t, block in end.blocks.items()}
            self.arrays |= {f"mixed_{t}": self.arrays[f"a_{t}"].copy() for t in ends[0].blocks}
            for name, (t, first, size) in ends[0].places.items():
                self.arrays[name] = self.arrays[f"mixed_{t}"][first : first + size]
            self.arrays["result"].fill(0)
            self.shown = self.arrays["shown"].reshape(SHAPE)
            fade, frame = crossfade_launches(plan, ends[0].blocks), frame_launches(plan)
            self._resting, self._moving = self._captured(frame, fade), self._captured([*fade, *frame], [])
            self.arrays["result"].fill(0)  # capturing made pictures too
        self._mix = 0.0

    def step(self, settings: Settings, mix: float) -> None:
        """One step: launches on `stream` and does not wait. mix: 0..1, costs only when it changed.

        Raises ValueError for a mix outside that range.
        """
        if not 0 <= mix <= 1:
            raise ValueError(f"mix must be in 0..1, got {mix}")
        with self.stream:
            self.arrays["settings"].set(settings.pack())
            if mix != self._mix:
                self.arrays["mix"].fill(np.float32(mix))
        (self._resting if mix == self._mix else self._moving).launch(self.stream)
        self._mix = mix

    def _captured(self, launches: list[Launch], before: list[Launch]) -> "cp.cuda.Graph":
        """before: run once, uncaptured. Everything runs once first: compiling and loading must not be captured."""
        self.arrays["settings"].set(Settings().pack())
        for launch in (*before, *launches):
            cuda.run(launch, self.arrays)
        self.stream.synchronize()
        self.stream.begin_capture()
        for launch in launches:
            cuda.run(launch, self.arrays)
        return self.stream.end_capture()
