"""The pix2pix U-Net-256 on a GPU: one CUDA graph per picture."""

import cupy as cp
import numpy as np

from kernels import cuda
from kernels.card import Arrays
from kernels.feedback import lerp
from kernels.launch import Launch, Ref, weights_equal
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
            self.arena = cuda.Arena(self.plan.constants)
            self.arrays = cuda.allocate(self.plan) | self.arena.views
            self.picture = self.arrays["picture"].reshape(SHAPE)
            self.result = self.arrays["result"].reshape(SHAPE)
            self.picture.fill(0)
            self.run_prologue()
            self._run_frame()  # compiles and loads every kernel, which must not happen during capture
            self.stream.synchronize()
            self.stream.begin_capture()
            self._run_frame()
            self._graph = self.stream.end_capture()

    def run_prologue(self) -> None:
        """What depends on the weights alone; again after they change."""
        for launch in self.plan.prologue:
            cuda.run(launch, self.arrays)

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


class Crossfade:
    """Two networks of the same size mixed weight by weight; `unet` runs with the mix.

    Raises ValueError when the sizes differ, BadWeights.
    """

    def __init__(self, a: Weights, b: Weights) -> None:
        self.unet = Unet256(a)
        other = unet_plan(b, 6).constants
        if not weights_equal(self.unet.plan.constants, other):
            raise ValueError("a crossfade needs two networks of the same number of filters")
        stream = self.unet.stream
        with stream:
            ends = cuda.Arena(self.unet.plan.constants), cuda.Arena(other)
            self._mix = cp.zeros(1, np.float32)
            self._jobs = [self._job(dtype, ends) for dtype in ("float16", "float32")]
            self._run_all()
            stream.synchronize()
            stream.begin_capture()
            self._run_all()
            self._graph = stream.end_capture()

    def _job(self, dtype: str, ends: tuple[cuda.Arena, cuda.Arena]) -> tuple[Launch, Arrays]:
        out = self.unet.arena.blocks[dtype]
        arrays = {"a": ends[0].blocks[dtype], "b": ends[1].blocks[dtype], "mix": self._mix, "out": out}
        launch = lerp(Ref("a"), Ref("b"), Ref("mix"), Ref("out"), nbytes=out.nbytes, half=dtype == "float16")
        return launch, arrays

    def _run_all(self) -> None:
        for launch, arrays in self._jobs:
            cuda.run(launch, arrays)
        self.unet.run_prologue()

    def set_mix(self, mix: float) -> None:
        """Every tensor becomes a + mix * (b - a), 0 <= mix <= 1, and what depends on weights alone is made anew. Does
        not wait.

        Raises ValueError for a mix outside that range.
        """
        if not 0 <= mix <= 1:
            raise ValueError(f"mix must be in 0..1, got {mix}")
        with self.unet.stream:
            self._mix.fill(np.float32(mix))
            self._graph.launch(self.unet.stream)


def _expect(name: str, array: "cp.ndarray") -> None:
    if array.dtype != np.float32 or array.shape != SHAPE:
        raise ValueError(f"{name} must be float32 {list(SHAPE)}, got {array.dtype} {list(array.shape)}")
