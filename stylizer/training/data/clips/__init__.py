"""Endless films that the project draws itself: what the embedded next-frame models learned from.

Each family is one file with one generator: `frames(seed)` yields uint8 [256, 256, 3] for ever, the same for the same
seed. A frame must tell where it moves to, because a next-frame network sees no other: motion follows from the
picture itself (a wave and its tail, smoke that rises) and never from something hidden.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from stylizer.errors import NotFound
from stylizer.frame import PixelsU8
from stylizer.training.data.clips import cells, flames, ink, silk, spirals

Family = Callable[[int], Iterator[PixelsU8]]

FAMILIES: Mapping[str, Family] = {
    "spirals": spirals.frames,
    "cells": cells.frames,
    "flames": flames.frames,
    "ink": ink.frames,
    "silk": silk.frames,
}


def clip(family: str, count: int, seed: int) -> NDArray[np.uint8]:
    """The first `count` frames: uint8 [count, 256, 256, 3]. Raises NotFound naming the families there are."""
    if family not in FAMILIES:
        raise NotFound(f"no clip family is called {family!r}; there are {', '.join(FAMILIES)}")
    return np.stack(list(islice(FAMILIES[family](seed), count)))
