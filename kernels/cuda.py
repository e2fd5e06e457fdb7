"""Carries out launches on a GPU with CuPy."""

from collections.abc import Mapping
from functools import cache

import cupy as cp
import numpy as np
from numpy.typing import NDArray

from kernels.arena import packed
from kernels.launch import Kernel, Launch, Plan, Ref
from kernels.nvrtc import OPTIONS

Arrays = Mapping[str, cp.ndarray]


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
    """Memory for a plan's buffers: zero where it must be, otherwise as found."""
    make = {True: cp.zeros, False: cp.empty}
    return {name: make[b.zero](b.elements, b.dtype) for name, b in plan.buffers.items()}


class Arena:
    """All of a network's prepared weights, see `arena.packed`.

    views: each tensor by name. blocks: the memory of the halves and of the floats.
    """

    def __init__(self, constants: Mapping[str, NDArray[np.generic]]) -> None:
        host = packed(constants)
        self.blocks = {dtype: cp.asarray(block) for dtype, block in host.blocks.items()}
        self.views = {n: self.blocks[dtype][first : first + size] for n, (dtype, first, size) in host.places.items()}
