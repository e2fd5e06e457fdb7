"""What a network needs of a machine: memory, launches, graphs. `cuda.Card` is a GPU; the tests' emulator is another."""

import ctypes
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kernels.launch import Buffer, Launch

NO_DEVICE = 100  # of CUDA's errors
Array = Any  # one dimension, C-contiguous, sliced like NumPy's: of CuPy on a card, of NumPy on the emulator
Arrays = Mapping[str, Array]


class CardFailed(RuntimeError):
    """A card, its driver or its compiler does not do what it is asked to; the message is theirs, one line."""


class Machine(Protocol):
    """Does everything in the order in which it is asked to, and waits in `read` alone. Everything raises CardFailed."""

    def memory(self, buffer: Buffer) -> Array:
        """New: zero where the buffer asks for it, else as found."""
        ...

    def holding(self, values: NDArray[np.generic]) -> Array:
        """New memory with a copy of `values`, flat."""
        ...

    def write(self, target: Array, values: NDArray[np.generic]) -> None:
        """`values`, of the target's type and number, may change as soon as this returns."""
        ...

    def read(self, source: Array) -> NDArray[np.generic]:
        """A copy, once everything asked for before is done."""
        ...

    def run(self, launches: Sequence[Launch], arrays: Arrays) -> None: ...

    def captured(self, launches: Sequence[Launch], arrays: Arrays) -> Callable[[], None]:
        """Runs them once, and returns what runs them again, as one graph, at one call."""
        ...


def why_no_card() -> str:
    """Asks NVIDIA's driver, without CUDA's libraries. "" where there is a card, else what is missing, in words."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return f"no NVIDIA driver ({library}) is installed"
    count = ctypes.c_int(0)
    error = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if error not in (0, NO_DEVICE):
        return f"NVIDIA's driver answers with CUDA error {error}"
    return "" if count.value else "NVIDIA's driver finds no card"
