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
Colour = NDArray[np.float32]  # [3, H, W] unit: in planes, as torch has it

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
INK: Colour = np.array([0.16, 0.11, 0.16], np.float32)[:, None, None]
TINY = np.float32(1e-6)


def ink(picture: Tensor, alpha: Tensor, foreground: Tensor, matte: Tensor, amount: float) -> tuple[Tensor, Tensor]:
    """Flat tones and lines, mixed with the soft picture by `amount` 0..1; 0 changes nothing.

    picture, alpha: the drawing [1, 3, H, W] and its opacity [1, 1, H, W]. foreground, matte: the camera's
    person, alike. All unit, straight. Returns picture and alpha in the same shapes.
    """
    if amount <= 0:
        return picture, alpha
    drawn, opacity = picture.clone(), alpha * (1 - amount)  # where nobody is, but a speck perhaps, nothing stays
    rows, columns = part = occupied(alpha[0, 0].numpy(), matte[0, 0].numpy())
    if rows.stop > rows.start:
        soft = np.ascontiguousarray(picture[0, :, *part].numpy())
        crisp = _crisp(alpha[0, 0, *part].numpy())
        light = cv2.bilateralFilter(_grey(foreground[0, :, *part].numpy()), 5, 0.12, 3)
        mixed = _flat(guided(soft, light, GUIDE_RADIUS_PX, GUIDE_EPSILON).clip(0, 1))
        clear = lines(light, matte[0, 0, *part].numpy()) * (1 - OUTLINE * _outline(crisp))
        mixed += (mixed - INK) * (clear - 1)
        mixed -= soft
        mixed *= np.float32(amount)
        mixed += soft
        np.clip(mixed, 0, 1, out=drawn[0, :, *part].numpy())
        opacity[0, 0, *part] += torch.from_numpy(crisp * np.float32(amount))
    return drawn, opacity


def occupied(opacity: Grey, matte: Grey) -> tuple[slice, slice]:
    """(rows, columns) of all that can be seen, with as much air as the filters reach: the rest need not be inked.

    What is not three pixels thick, such as the specks that generators leave in corners, does not count.
    """
    height, width = opacity.shape
    seen = cv2.compare(cv2.max(opacity, matte), LEAST_SEEN, cv2.CMP_GT)
    x, y, w, h = cv2.boundingRect(cv2.erode(seen, np.ones((3, 3), np.uint8)))
    if not w:
        return slice(0, 0), slice(0, 0)
    return slice(max(y - AIR_PX, 0), min(y + h + AIR_PX, height)), slice(max(x - AIR_PX, 0), min(x + w + AIR_PX, width))


def guided(colour: Colour, guide: Grey, radius: int, epsilon: float) -> Colour:
    """In each window the best linear function of `guide`: borders of `colour` move to those of the guide.

    colour [C, H, W]; epsilon: variance of the guide below which a window counts as even and is only smoothed.
    """

    def mean(x: Grey) -> Grey:
        result: Grey = cv2.blur(x, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)
        return result

    mean_guide = mean(guide)
    share: Grey = np.reciprocal(mean(guide * guide) - mean_guide * mean_guide + np.float32(epsilon))
    result = np.empty(colour.shape, np.float32)
    for plane, out in zip(colour, result, strict=True):
        mean_plane = mean(plane)
        slope: Grey = (mean(plane * guide) - mean_plane * mean_guide) * share
        np.multiply(mean(slope), guide, out=out)
        out += mean(mean_plane - slope * mean_guide)
    return result


def lines(light: Grey, matte: Grey) -> Grey:
    """1 on paper, 0 in a line: where the picture is darker than its surroundings."""
    seen = light * matte + SURROUND * (1 - matte)
    difference = _blurred(seen, LINE_SIGMA_PX) - _blurred(seen, LINE_SIGMA_PX * LINE_RATIO)
    darkness: Grey = np.maximum(-difference - LINE_THRESHOLD, 0) * LINE_GAIN
    return np.clip(1 - darkness, 0, 1)


def _flat(colour: Colour) -> Colour:
    """Brightness in `TONES` soft steps, colours a little stronger: value and saturation of HSV, the hue as it is."""
    value, least = colour.max(0), colour.min(0)
    scaled = value * TONES
    step = np.floor(scaled)
    toned = np.clip((step + 1 / (1 + np.exp(-TONE_SLOPE * (scaled - step - 0.5)))) / TONES + LIFT, 0, 1)
    # A channel lies below the value by value * saturation * what the hue says: the last is kept.
    stronger = np.minimum(SATURATION / np.maximum(value, TINY), 1 / np.maximum(value - least, TINY))
    result: Colour = toned - toned * stronger * (value - colour)
    return result


def _grey(colour: Colour) -> Grey:
    """As bright as the eye sees it (BT.601)."""
    red, green, blue = colour
    result: Grey = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
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
