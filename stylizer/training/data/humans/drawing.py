"""The draughtsman's side of the same geometry: flat colours in two tones, few and clean lines, hair as one mass."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stylizer.training.data.humans.assets import Floats
from stylizer.training.data.humans.buffer import Buffer, Mask, blurred, length
from stylizer.training.data.humans.hand import Hand

BUSY = 0.04  # share of the cloth
STEP = 0.35  # dm: a jump in depth from which there is a line, where the person is near; grows with the distance


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """In camera space: the skull's middle [3], and its axes [3, 3], rows right, up, front."""

    middle: Floats
    axes: Floats


def smooth_step(values: Floats, at: float, width: float) -> Floats:
    return np.asarray(np.clip((values - at) / width + 0.5, 0, 1), np.float32)


def cleaned(mask: Mask, sigma: float) -> Floats:
    """A ragged mask as one would cut it with scissors, [S, S] 0..1, its edge a pixel soft."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma)
    return smooth_step(soft, 0.5, 0.5 / sigma)


def tones(light: Floats, group: NDArray[np.int16], at: float, sigma: float) -> Floats:
    """1 where a draughtsman shades, [S, S] 0..1: big forms only. light 0..1; group: what is smoothed together."""
    result = np.zeros_like(light)
    for name in np.unique(group[group >= 0]):
        inside = group == name
        result[inside] = smooth_step(-blurred(light, inside, sigma), -at, 0.06)[inside]
    return result


def jumps(buffer: Buffer, step: float = STEP) -> Mask:
    """Where depth breaks off within the figure: an arm before the chest, the chin before the neck. The nearer side."""
    inside = buffer.surface >= 0
    z = np.where(inside, buffer.position[..., 2], np.nan).astype(np.float32)
    flat = np.clip(np.abs(buffer.normal[..., 2]), 0.12, 1)
    result = np.zeros(inside.shape, np.bool_)
    for axis in (0, 1):
        before, after = np.roll(z, 1, axis), np.roll(z, -1, axis)
        for other, opposite in ((before, after), (after, before)):
            bend = np.nan_to_num(other - z) - np.nan_to_num(z - opposite)
            result |= (np.nan_to_num(other - z) > step * 0.5) & (bend > step * (0.5 + 0.1 / flat)) & inside
    return result


def borders(group: NDArray[np.int16]) -> Mask:
    """Samples whose right or lower neighbour belongs to another group, both within the figure."""
    result = np.zeros(group.shape, np.bool_)
    right, low = group[:, 1:] != group[:, :-1], group[1:] != group[:-1]
    result[:, :-1] |= right & (group[:, 1:] >= 0) & (group[:, :-1] >= 0)
    result[:-1] |= low & (group[1:] >= 0) & (group[:-1] >= 0)
    return result


def line(mask: Mask, width: float) -> Floats:
    """A thin mask as a line of that width in samples, smooth, [S, S] 0..1; of no width it is not drawn."""
    if width <= 0:
        return np.zeros(mask.shape, np.float32)
    radius = max(width / 2, 0.5)
    far = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    soft = cv2.GaussianBlur(np.clip(radius + 0.5 - far, 0, 1).astype(np.float32), (0, 0), 0.8)
    return np.asarray(np.clip(soft * 1.35 - 0.1, 0, 1), np.float32)


def without_specks(mask: Mask, least: int) -> Mask:
    """Only pieces of that many samples: what is shorter is no line but dirt."""
    count, names, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = np.array([False, *(stats[i, cv2.CC_STAT_AREA] >= least for i in range(1, count))])
    return np.asarray(keep[names])


def seams(lightness: Floats, surface: NDArray[np.int16], inside: Mask, scale: float) -> Floats:
    """Long dark lines in the cloth itself, [S, S] 0..1: lapels, pockets. scale: samples that a head is high."""
    fine, broad = np.zeros_like(lightness), np.zeros_like(lightness)
    for name in np.unique(surface[inside]):
        own = surface == name
        fine[own] = blurred(lightness, own, max(0.8, 0.010 * scale))[own]
        broad[own] = blurred(lightness, own, max(2.5, 0.045 * scale))[own]
    dark = inside & ((broad - fine) / (broad + 0.08) > 0.13)
    dark = without_specks(thinned(dark), int(0.5 * scale))
    if dark.sum() > BUSY * max(1, int(inside.sum())):
        return np.zeros_like(lightness)  # a pattern, no seams
    return line(dark, float(np.clip(0.006 * scale, 0.8, 1.6)))


def thinned(mask: Mask) -> Mask:
    """Thick spots shrink, lines stay: what two erosions would leave nothing of is kept."""
    once = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8))
    rest = cv2.dilate(cv2.erode(once, np.ones((3, 3), np.uint8)), np.ones((7, 7), np.uint8))
    return np.asarray(mask & (rest == 0))


def inked(colours: Floats, amount: Floats, strength: float = 1.0) -> Floats:
    """colours [S, S, 3] with ink over them: dark, with a breath of what it surrounds."""
    ink = colours * np.array([0.26, 0.20, 0.24], np.float32) + np.array([0.05, 0.03, 0.06], np.float32)
    return np.asarray(colours + (ink - colours) * (amount * strength)[..., None], np.float32)


def hair_tones(
    buffer: Buffer, mask: Mask, head: Head, way: Floats, colour: Floats, strands: Floats, scale: float, hand: Hand
) -> Floats:
    """Hair [S, S, 3]: two tones, a band of light around the skull, darker strands.

    strands: the texture's own lightness, about 1. scale: samples that the head is high.
    """
    from_middle = blurred_vectors(buffer.position, mask, 0.02 * scale) - head.middle
    round_ = from_middle / np.maximum(length(from_middle), 1e-6)
    own = blurred_vectors(buffer.normal, mask, 0.03 * scale)
    form = 0.65 * round_ + 0.35 * own
    form /= np.maximum(length(form), 1e-6)
    fine = cv2.GaussianBlur(np.where(mask, strands, 1.0).astype(np.float32), (0, 0), max(0.8, 0.011 * scale))
    broad = cv2.GaussianBlur(np.where(mask, strands, 1.0).astype(np.float32), (0, 0), max(2.0, 0.05 * scale))
    relief = np.clip((fine - broad) * 1.1, -0.25, 0.25)
    light = form @ way + relief
    shade = smooth_step(-light, -0.22, 0.10)
    up, right, front = round_ @ head.axes[1], round_ @ head.axes[0], round_ @ head.axes[2]
    rise, around = np.arcsin(np.clip(up, -1, 1)), np.arctan2(right, front)
    zigzag = 0.10 * np.abs(((around * 5.2 / np.pi) % 1) * 2 - 1) + 0.05 * np.abs(((around * 13 / np.pi) % 1) * 2 - 1)
    band = smooth_step(0.085 - np.abs(rise - 0.62 + zigzag), 0.0, 0.05) * smooth_step(light, 0.38, 0.2)
    band *= smooth_step(length(from_middle)[..., 0], 0.6, 0.3) * (length(from_middle)[..., 0] < 2.2)
    pale = colour + (1 - colour) * np.float32(0.36) + np.float32(0.03)
    toned = colour * (1 - shade[..., None] * (1 - hand.hair))
    toned = toned + (pale - toned) * (band * 0.85)[..., None]
    dark = smooth_step(-(fine - broad), 0.16, 0.05) * (1 - band)
    locks = dark * without_specks(mask & (dark > 0.3), int(0.08 * scale))
    return inked(np.asarray(toned, np.float32), locks, 0.5 * min(1.0, hand.ink))


def blurred_vectors(vectors: Floats, inside: Mask, sigma: float) -> Floats:
    """[S, S, 3] smoothed within the mask and continued a little beyond it."""
    return np.stack([blurred(vectors[..., k], inside, max(sigma, 1.0)) for k in range(3)], 2)
