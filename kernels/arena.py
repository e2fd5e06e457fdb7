"""All of a network's prepared weights in one block per type, so that a crossfade is one launch per type."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ALIGN_BYTES = 256  # between tensors, as cudaMalloc aligns


class Packed(NamedTuple):
    """blocks: the halves and the floats, each in one array. places: (type, first element, elements) of each tensor."""

    blocks: dict[str, NDArray[np.generic]]
    places: dict[str, tuple[str, int, int]]


def packed(constants: Mapping[str, NDArray[np.generic]]) -> Packed:
    """One tensor after the other, each at a multiple of 256 bytes, zero between them."""
    result = Packed({}, {})
    for dtype in ("float16", "float32"):
        chosen, start = {n: c for n, c in constants.items() if c.dtype == dtype}, 0
        step = ALIGN_BYTES // np.dtype(dtype).itemsize
        for name, constant in chosen.items():
            result.places[name] = dtype, start, constant.size
            start += -(-constant.size // step) * step
        block = np.zeros(start, dtype)
        for name, constant in chosen.items():
            _, first, size = result.places[name]
            block[first : first + size] = constant.ravel()
        result.blocks[dtype] = block
    return result
