"""Ink over the generator's colours: flat tones and dark lines, placed by the person's own edges.

What passes through 16x16 features is soft at 256 px. Three classical means make a drawing of it, 6 ms on one core:
a guided filter (He et al., ECCV 2010) moves the soft borders of colour to where the camera saw them, tones are drawn
together into a few steps, and lines come from a difference of Gaussians (after XDoG, Winnemoeller et al., 2012).
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Grey = NDArray[np.float32]  # [H, W] unit
Colour = NDArray[np.float32]  # [H, W, 3] unit

GUIDE_RADIUS_PX, GUIDE_EPSILON = 5, 2e-3
TONES = 7  # steps of brightness
TONE_SLOPE = 14.0  # of the soft step between two tones: a hard one would flicker
SATURATION, LIFT = 1.2, 0.02  # paint is stronger and lighter than cloth
LINE_SIGMA_PX, LINE_RATIO = 0.9, 1.6
LINE_THRESHOLD, LINE_GAIN = 0.006, 55.0
SURROUND = 0.6  # grey that stands around the person while lines are looked for
OUTLINE = 0.85
LEAST_SEEN = 1 / 512  # opacity below which a pixel comes out as nothing
AIR_PX = 2 * GUIDE_RADIUS_PX + 4  # the guided filter takes the mean of a mean, over what the bilateral filter gave
INK: Colour = np.array([0.16, 0.11, 0.16], np.float32)


def ink(picture: Tensor, alpha: Tensor, foreground: Tensor, matte: Tensor, amount: float) -> tuple[Tensor, Tensor]:
    """Flat tones and lines, mixed with the soft picture by `amount` 0..1; 0 changes nothing.

    picture, alpha: the drawing [1, 3, H, W] and its opacity [1, 1, H, W]. foreground, matte: the camera's
    person, alike. All unit, straight. Returns picture and alpha in the same shapes.
    """
    if amount <= 0:
        return picture, alpha
    drawn, opacity = picture.clone(), alpha.clone()
    rows, columns = part = _occupied(alpha[0, 0].numpy(), matte[0, 0].numpy())
    if rows.stop > rows.start:
        soft, crisp = _hwc(picture, part), _crisp(alpha[0, 0].numpy()[part])
        light = cv2.bilateralFilter(cv2.cvtColor(_hwc(foreground, part), cv2.COLOR_RGB2GRAY), 7, 0.12, 3)
        paint = _flat(guided(soft, light, GUIDE_RADIUS_PX, GUIDE_EPSILON).clip(0, 1))
        clear = (lines(light, matte[0, 0].numpy()[part]) * (1 - OUTLINE * _outline(crisp)))[..., None]
        mixed = soft + amount * (paint * clear + INK * (1 - clear) - soft)
        drawn[0, :, rows, columns] = torch.from_numpy(mixed).permute(2, 0, 1).clamp(0, 1)
        opacity[0, 0, rows, columns].lerp_(torch.from_numpy(crisp), amount)
    return drawn, opacity


def _occupied(opacity: Grey, matte: Grey) -> tuple[slice, slice]:
    """(rows, columns) of all that can be seen, with as much air as the filters reach: the rest need not be inked."""
    height, width = opacity.shape
    x, y, w, h = cv2.boundingRect(cv2.compare(cv2.max(opacity, matte), LEAST_SEEN, cv2.CMP_GT))
    if not w:
        return slice(0, 0), slice(0, 0)
    return slice(max(y - AIR_PX, 0), min(y + h + AIR_PX, height)), slice(max(x - AIR_PX, 0), min(x + w + AIR_PX, width))


def guided(colour: Colour, guide: Grey, radius: int, epsilon: float) -> Colour:
    """In each window the best linear function of `guide`: borders of `colour` move to those of the guide.

    colour [H, W, C]; epsilon: variance of the guide below which a window counts as even and is only smoothed.
    """

    def mean(x: NDArray[np.float32]) -> NDArray[np.float32]:
        result: NDArray[np.float32] = cv2.blur(x, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)
        return result

    mean_guide, mean_colour = mean(guide), mean(colour)
    variance: Grey = mean(guide * guide) - mean_guide * mean_guide + np.float32(epsilon)
    covariance = mean(colour * guide[..., None]) - mean_colour * mean_guide[..., None]
    slope: Colour = np.divide(covariance, variance[..., None], dtype=np.float32)
    offset = mean_colour - slope * mean_guide[..., None]
    return mean(slope) * guide[..., None] + mean(offset)


def lines(light: Grey, matte: Grey) -> Grey:
    """1 on paper, 0 in a line: where the picture is darker than its surroundings."""
    seen = light * matte + SURROUND * (1 - matte)
    difference = _blurred(seen, LINE_SIGMA_PX) - _blurred(seen, LINE_SIGMA_PX * LINE_RATIO)
    darkness: Grey = np.maximum(-difference - LINE_THRESHOLD, 0) * LINE_GAIN
    return np.clip(1 - darkness, 0, 1)


def _flat(colour: Colour) -> Colour:
    """Brightness in `TONES` soft steps, colours a little stronger."""
    hsv = cv2.cvtColor(colour, cv2.COLOR_RGB2HSV)
    value = hsv[..., 2] * TONES
    step = np.floor(value)
    hsv[..., 2] = np.clip((step + 1 / (1 + np.exp(-TONE_SLOPE * (value - step - 0.5)))) / TONES + LIFT, 0, 1)
    hsv[..., 1] = np.clip(hsv[..., 1] * SATURATION, 0, 1)
    result: Colour = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return result


def _crisp(opacity: Grey) -> Grey:
    """A border about two pixels wide where the soft opacity passes one half."""
    result: Grey = np.clip((opacity - 0.5) * 3 + 0.5, 0, 1)
    return result


def _outline(opacity: Grey) -> Grey:
    """1 along the inner side of the figure's border, about a pixel wide."""
    inner = cv2.erode(opacity, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    return np.clip(_blurred(opacity - inner, 0.5), 0, 1)


def _blurred(x: Grey, sigma_px: float) -> Grey:
    result: Grey = cv2.GaussianBlur(x, (0, 0), sigma_px)
    return result


def _hwc(picture: Tensor, part: tuple[slice, slice]) -> Colour:
    return np.ascontiguousarray(picture[0, :, *part].permute(1, 2, 0).numpy())
