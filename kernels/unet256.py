"""The pix2pix U-Net-256 on a GPU: one CUDA graph per picture."""

import cupy as cp
import numpy as np

from kernels import cuda
from kernels.pict import Weights
from kernels.plan import unet_plan
from kernels.weights import SIZE

SHAPE = (SIZE, SIZE, 3)


class Unet256:
    """A network that lives on the current device, on its own stream.

    weights: from `load_weights`. rung: of the ladder; 6 is the product. Compiles its kernels and captures the graph
    here, never inside a frame. Raises BadWeights; cupy's errors where there is no GPU.
    picture, result: float32 [256, 256, 3] in 0..1 on the device; `step` reads the one and writes the other.
    """

    def __init__(self, weights: Weights, *, rung: int = 6) -> None:
        self.plan = unet_plan(weights, rung)
        self.stream = cp.cuda.Stream(non_blocking=True)
        with self.stream:
            self.arrays = cuda.allocate(self.plan)
            self.picture = self.arrays["picture"].reshape(SHAPE)
            self.result = self.arrays["result"].reshape(SHAPE)
            self.picture.fill(0)
            for launch in self.plan.prologue:
                cuda.run(launch, self.arrays)
            self._run_frame()  # compiles and loads every kernel, which must not happen during capture
            self.stream.synchronize()
            self.stream.begin_capture()
            self._run_frame()
            self._graph = self.stream.end_capture()

    def _run_frame(self) -> None:
        for launch in self.plan.frame:
            cuda.run(launch, self.arrays)

    def step(self) -> None:
        """One picture: reads `picture`, writes `result`. Launches on `stream` and does not wait."""
        self._graph.launch(self.stream)

    def __call__(self, picture: "cp.ndarray") -> "cp.ndarray":
        """picture [256, 256, 3] float32 in 0..1 -> `result`, which the next call overwrites. Waits for what wrote
        `picture`.

        Raises ValueError naming what is wrong with the picture.
        """
        _expect("picture", picture)
        ready = cp.cuda.get_current_stream().record()
        self.stream.wait_event(ready)
        with self.stream:
            self.picture[...] = picture
            self.step()
            done = self.stream.record()
        cp.cuda.get_current_stream().wait_event(done)
        return self.result


def _expect(name: str, array: "cp.ndarray") -> None:
    if array.dtype != np.float32 or array.shape != SHAPE:
        raise ValueError(f"{name} must be float32 {list(SHAPE)}, got {array.dtype} {list(array.shape)}")
