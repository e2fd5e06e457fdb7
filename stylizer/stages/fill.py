"""Continues a picture into a hole, smoothly: the push-pull pyramid of Gortler et al., "The Lumigraph" (1996)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stylizer.frame import PixelsU8

GREY = 128.0  # where nothing is known at all
TINY = np.float32(1e-6)


def continued(pixels: PixelsU8, known: NDArray[np.bool_]) -> PixelsU8:
    """uint8 [h, w, 3] with holes where `known` [h, w] is False -> the same with the holes filled from around them.

    Known pixels stay as they are; what lay in the holes has no influence. Meant for small pictures (some 160x90 px).
    """
    weighted = np.ones((*known.shape, 4), np.float32)
    weighted[..., :3] = pixels
    weighted *= known[..., None]
    filled: PixelsU8 = cv2.convertScaleAbs(_pull_push(weighted))
    cv2.copyTo(pixels, known.view(np.uint8), filled)
    return filled


def _pull_push(weighted: NDArray[np.float32]) -> NDArray[np.float32]:
    """[h, w, 4]: colours multiplied by their weight, and the weight 0..1 -> colours everywhere, [h, w, 3]."""
    height, width = weighted.shape[:2]
    colour, weight = weighted[..., :3], weighted[..., 3:]
    if max(height, width) <= 1:
        return colour / weight if weight.all() else np.full_like(colour, GREY)
    half = ((width + 1) // 2, (height + 1) // 2)
    coarse = cv2.resize(weighted, half, interpolation=cv2.INTER_AREA).reshape(half[1], half[0], 4)
    # A coarse pixel counts in full as soon as a quarter of it is known: so the hole takes on what is nearest.
    coarse *= np.minimum(1 / np.maximum(coarse[..., 3:], TINY), 4)
    result: NDArray[np.float32] = cv2.resize(_pull_push(coarse), (width, height), interpolation=cv2.INTER_LINEAR)
    result = result.reshape(height, width, 3)
    result *= 1 - weight
    result += colour
    return result
