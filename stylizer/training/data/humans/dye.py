"""Colours for what is worn: a texture's few main colours, each dyed anew, as cloth and as a flat drawn colour."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stylizer.training.data.humans.assets import Floats
from stylizer.training.data.humans.buffer import OPAQUE

LIGHTNESS = np.array([0.3, 0.59, 0.11], np.float32)  # of RGB
MAIN = 5  # colours a texture is divided into
PATCH = 15  # texels: what is narrower takes its neighbours' colour
ALIKE = 16.0  # Lab distance under which two of them are one, lightness counted at a third
LEAST_LOCK = 120  # texels
HAIR = np.array(  # black to white, and a few that come from a bottle
    [
        [0.07, 0.06, 0.06], [0.12, 0.09, 0.08], [0.19, 0.12, 0.09], [0.29, 0.18, 0.11], [0.40, 0.26, 0.15],
        [0.55, 0.38, 0.20], [0.72, 0.56, 0.32], [0.83, 0.70, 0.46], [0.42, 0.18, 0.10], [0.58, 0.27, 0.13],
        [0.50, 0.49, 0.48], [0.80, 0.79, 0.77], [0.25, 0.33, 0.55], [0.62, 0.30, 0.42], [0.36, 0.24, 0.45],
    ],
    np.float32,
)  # fmt: skip
HAIR_SHARES = np.array([5, 6, 6, 5, 4, 3, 3, 2.5, 1.5, 1.2, 1.2, 1, 0.5, 0.6, 0.5])


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """of [S, S]: which main colour a texel has; colours [n, 3] unit."""

    of: NDArray[np.uint8]
    colours: Floats


def palette_of(texture: Floats) -> Palette:
    """texture [S, S, 4] unit. Lightness counts less: a fold's shade is no other colour."""
    lab = cv2.cvtColor(texture[..., :3], cv2.COLOR_RGB2LAB) * np.array([0.35, 1, 1], np.float32)
    smooth = cv2.GaussianBlur(lab, (0, 0), 2)
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    _, _, centres = cv2.kmeans(smooth[::4, ::4].reshape(-1, 3).copy(), MAIN, None, stop, 2, cv2.KMEANS_PP_CENTERS)
    groups = list(range(MAIN))
    for i in range(MAIN):
        for j in range(i):
            if np.linalg.norm(centres[i] - centres[j]) < ALIKE:
                groups[i] = groups[j]
                break
    nearest = np.linalg.norm(smooth[..., None, :] - centres, axis=-1).argmin(-1)
    names = sorted(set(groups))
    of = np.array([names.index(g) for g in groups], np.uint8)[nearest]
    votes = [cv2.blur((of == i).astype(np.float32), (PATCH, PATCH)) for i in range(len(names))]
    of = np.argmax(votes, axis=0).astype(np.uint8)  # prints and seams are no areas
    left, of = np.unique(of, return_inverse=True)
    colours = np.stack([texture[of == i][:, :3].mean(0) for i in range(len(left))])
    return Palette(of.astype(np.uint8), colours.astype(np.float32))


def cloth_colour(rng: Generator) -> Floats:
    """A colour that people wear: many quiet ones, some strong."""
    hue, kind = rng.uniform(0, 360), rng.random()
    if kind < 0.35:
        s, v = rng.uniform(0, 0.14), rng.uniform(0.08, 0.95)
    elif kind < 0.75:
        s, v = rng.uniform(0.25, 0.6), rng.uniform(0.25, 0.85)
    else:
        s, v = rng.uniform(0.6, 0.9), rng.uniform(0.45, 0.9)
    hsv = np.array([[[hue, s, v]]], np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0], np.float32)


def dyed(texture: Floats, palette: Palette, colours: Floats) -> Floats:
    """The texture [S, S, 4] with its main colours replaced by those [n, 3]."""
    was, now = palette.colours[palette.of], colours[palette.of]
    ratio = (texture[..., :3] + 0.06) / (was + 0.06)
    grey = ratio @ LIGHTNESS
    worn = np.clip(now * (0.7 * grey[..., None] + 0.3 * ratio).clip(0.2, 1.6), 0, 1)
    return np.dstack([worn, texture[..., 3]]).astype(np.float32)


def new_colours(palette: Palette, rng: Generator) -> Floats:
    """As they were, a little off, or new: all of one lot."""
    if rng.random() < 0.25:
        return np.asarray((palette.colours * rng.uniform(0.8, 1.2, 3)).clip(0.02, 1), np.float32)
    return np.stack([cloth_colour(rng) for _ in palette.colours])


def hair_colour(rng: Generator, age: float) -> Floats:
    shares = HAIR_SHARES * np.where(np.isin(np.arange(len(HAIR)), (10, 11)), 1 + 12 * age**2, 1.0)
    colour = HAIR[rng.choice(len(HAIR), p=shares / shares.sum())]
    return np.asarray((colour * rng.uniform(0.85, 1.15, 3)).clip(0.02, 0.95), np.float32)


def dyed_hair(texture: Floats, colour: Floats) -> Floats:
    """texture [S, S, 4] in that colour, its strands kept, single stray hairs left out."""
    grey = texture[..., :3] @ LIGHTNESS
    solid = (texture[..., 3] > OPAQUE).astype(np.uint8)
    _, names, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=4)
    alpha = np.where(stats[names, cv2.CC_STAT_AREA] < LEAST_LOCK, 0, texture[..., 3])
    middle = float(grey[solid > 0].mean()) if solid.any() else 0.5
    strands = ((grey + 0.1) / (middle + 0.1)).clip(0.4, 2.0) ** 0.8
    return np.dstack([np.clip(colour * strands[..., None], 0, 1), alpha]).astype(np.float32)
