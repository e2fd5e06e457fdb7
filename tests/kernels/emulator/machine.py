"""The emulator as a machine with a card: what CuPy does on a GPU, on NumPy arrays."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from kernels.card import Arrays, CardFailed
from kernels.launch import Buffer, Launch
from tests.kernels.emulator import aligned, device_copy, run


class EmulatedCard:
    """A `kernels.card.Machine`. fails_at: of "captured" or "read", the count of the call that fails, from 1; 0 never.

    calls: how often each was asked for.
    """

    def __init__(self, **fails_at: int) -> None:
        self._fails_at, self.calls = fails_at, {"captured": 0, "read": 0}

    def memory(self, buffer: Buffer) -> NDArray[np.generic]:
        array = aligned(buffer.elements, buffer.dtype)
        if buffer.zero:
            array[:] = 0
        return array

    def holding(self, values: NDArray[np.generic]) -> NDArray[np.generic]:
        return device_copy(values)

    def write(self, target: NDArray[np.generic], values: NDArray[np.generic]) -> None:
        target[:] = values.ravel()

    def read(self, source: NDArray[np.generic]) -> NDArray[np.generic]:
        self._count("read")
        return source.copy()

    def run(self, launches: Sequence[Launch], arrays: Arrays) -> None:
        for launch in launches:
            run(launch, arrays)

    def captured(self, launches: Sequence[Launch], arrays: Arrays) -> Callable[[], None]:
        self._count("captured")
        self.run(launches, arrays)
        return lambda: self.run(launches, arrays)

    def _count(self, what: str) -> None:
        self.calls[what] += 1
        if self.calls[what] == self._fails_at.get(what, 0):
            raise CardFailed(f"{what} {self.calls[what]}: CUDA_ERROR_ILLEGAL_ADDRESS")
