"""Carries out launches on a GPU with CuPy."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial

import cupy as cp
import numpy as np
from cupy.cuda.compiler import CompileException
from numpy.typing import NDArray

from kernels.card import Arrays, CardFailed
from kernels.launch import Buffer, Kernel, Launch, Plan, Ref
from kernels.nvrtc import OPTIONS

# What CuPy raises when a driver, a card or a compiler fails: CUDA's own errors are RuntimeErrors.
ERRORS = (RuntimeError, MemoryError, CompileException)


@cache
def function(kernel: Kernel, device: int) -> "cp.RawKernel":
    """The compiled function.

    Compiled once per kernel and device, at warm-up; CuPy keeps machine code on disk between runs.
    """
    del device  # part of the key: a module belongs to one device
    return cp.RawModule(code=kernel.source(), options=OPTIONS, backend="nvrtc").get_function(kernel.name)


def run(launch: Launch, arrays: Arrays) -> None:
    """Launches on the current stream and does not wait."""
    args = tuple(arrays[a.buffer].ravel()[a.offset :] if isinstance(a, Ref) else a for a in launch.args)
    function(launch.kernel, cp.cuda.Device().id)(launch.grid, launch.block, args)


def allocate(plan: Plan) -> "dict[str, cp.ndarray]":
    """A plan's constants, and memory for its buffers: zero where it must be, otherwise as found."""
    make = {True: cp.zeros, False: cp.empty}
    buffers = {name: make[b.zero](b.elements, b.dtype) for name, b in plan.buffers.items()}
    return buffers | {name: cp.asarray(constant).ravel() for name, constant in plan.constants.items()}


class Card:
    """The current device as a `card.Machine`, on a stream of its own. Raises CardFailed."""

    def __init__(self) -> None:
        with _failing():
            self.stream = cp.cuda.Stream(non_blocking=True)

    def memory(self, buffer: Buffer) -> "cp.ndarray":
        with _failing(), self.stream:
            return (cp.zeros if buffer.zero else cp.empty)(buffer.elements, buffer.dtype)

    def holding(self, values: NDArray[np.generic]) -> "cp.ndarray":
        with _failing(), self.stream:
            return cp.array(values.ravel())

    def write(self, target: "cp.ndarray", values: NDArray[np.generic]) -> None:
        with _failing(), self.stream:
            target.set(
                np.ascontiguousarray(values.ravel()), self.stream
            )  # from pageable memory, which CUDA copies aside first

    def read(self, source: "cp.ndarray") -> NDArray[np.generic]:
        with _failing(), self.stream:
            host: NDArray[np.generic] = cp.asnumpy(source)
            return host

    def run(self, launches: Sequence[Launch], arrays: Arrays) -> None:
        with _failing(), self.stream:
            for launch in launches:
                run(launch, arrays)

    def captured(self, launches: Sequence[Launch], arrays: Arrays) -> Callable[[], None]:
        self.run(launches, arrays)  # compiles and loads, which must not happen during capture
        with _failing(), self.stream:
            self.stream.synchronize()
            self.stream.begin_capture()
            try:
                for launch in launches:
                    run(launch, arrays)
            finally:
                graph = self.stream.end_capture()
        return partial(self._launch, graph)

    def _launch(self, graph: "cp.cuda.Graph") -> None:
        with _failing():
            graph.launch(self.stream)


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except ERRORS as error:
        raise CardFailed((str(error).strip().splitlines() or [type(error).__name__])[0]) from error
