"""Continues a picture into a hole, smoothly: the push-pull pyramid of Gortler et al., "The Lumigraph" (1996)."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stylizer.frame import PixelsU8

GREY = 128.0  # where nothing is known at all


def continued(pixels: PixelsU8, known: NDArray[np.bool_]) -> PixelsU8:
    """uint8 [h, w, 3] with holes where `known` [h, w] is False -> the same with the holes filled from around them.

    Known pixels stay as they are; what lay in the holes has no influence. Meant for small pictures (some 160x90 px).
    """
    weight = known.astype(np.float32)
    colour = pixels.astype(np.float32) * weight[..., None]
    filled = _pull_push(colour, weight)
    filled[known] = pixels[known]
    rounded: PixelsU8 = np.clip(filled + 0.5, 0, 255).astype(np.uint8)
    return rounded


def _pull_push(colour: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """colour [h, w, 3], premultiplied by weight [h, w] in 0..1 -> straight colours everywhere."""
    height, width = weight.shape
    if max(height, width) <= 1:
        return colour / weight[..., None] if weight.all() else np.full_like(colour, GREY)
    coarser = ((width + 1) // 2, (height + 1) // 2)
    mean = _halved(weight, coarser)
    # A coarse pixel counts in full as soon as a quarter of it is known: so the hole takes on what is nearest.
    full = np.minimum(4 * mean, 1)
    gain = np.divide(full, mean, out=np.zeros_like(mean), where=mean > 0)
    small = _pull_push(_halved(colour, coarser) * gain[..., None], full)
    around = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).reshape(colour.shape)
    result: NDArray[np.float32] = colour + (1 - weight[..., None]) * around
    return result


def _halved(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return result
