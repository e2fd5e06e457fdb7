"""Watercolour, after Bousseau et al., Interactive watercolor rendering with temporal coherence and abstraction (NPAR
2006): pigment of density d in a colour C shows as C - (C - C²)(d - 1), so white paper and full colour stay as they are.

The density follows the paper's grain and the water, and grows where the brush ended.
"""

from functools import cache, lru_cache

import cv2
import numpy as np

from stylizer.frame import PixelsU8
from stylizer.stages.medium.paint import (
    ONE,
    Grey,
    Map,
    Paint,
    Paper,
    Table,
    enlarged,
    evened,
    evening,
    halved,
    light_of,
    table,
    three,
    vivid,
)

GRAIN, FLOW = 0.1, 0.2  # how far the paper's grain and the water change the density
GRAIN_PX, FLOW_PX = (1.1, 2.2), (40.0, 20.0, 10.0)
EDGE, EDGE_PX, MOST_EDGE = 4.0, 2.0, 0.2  # density where the light changes by all of its range in a pixel
RAGGED, FRAY_PX, HARD = 0.1, 1.5, 3  # the border frays by so much opacity; its blur; how steep it is then
VIVID, THIN = 1.25, 0.94
TILE = 512  # px after which textures repeat


def watercolour(drawn: PixelsU8, paper: Paper) -> tuple[Paint, Grey]:
    """How to paint a drawing RGBA [h, w, 4], and its opacity from then on."""
    light, opacity = light_of(drawn)
    change = evening(drawn)
    grain, pigment = (each[paper.region] for each in textures(paper.size, paper.pen))
    edges = _edges(light, opacity, paper.pen)

    def paint(colour: PixelsU8, rows: slice) -> PixelsU8:
        even = cv2.transform(evened(colour, change[rows]), vivid(VIVID))
        thin = cv2.convertScaleAbs(even, alpha=THIN, beta=255 * (1 - THIN))
        density = cv2.add(edges[rows], pigment[rows])
        room = cv2.LUT(thin, _room())
        more, less = (three(cv2.convertScaleAbs(cv2.max(side * density, 0), alpha=ONE)) for side in (1, -1))
        darker = cv2.subtract(thin, cv2.multiply(room, more, scale=1 / ONE))
        result: PixelsU8 = cv2.add(darker, cv2.multiply(room, less, scale=1 / ONE))
        return result

    return paint, _frayed(opacity, grain, paper.pen)


@lru_cache(maxsize=4)
def textures(size: tuple[int, int], pen: float) -> tuple[Map, Map]:
    """The paper's grain, of deviation 1, and the density of the pigment on it less 1: each as large as the paper."""
    side = round(TILE * pen)
    tiles = -(-size[0] // side), -(-size[1] // side)
    grain, pigment = (np.tile(cv2.resize(each, (side, side)), tiles)[: size[0], : size[1]] for each in _tiles())
    return grain, pigment


@cache
def _tiles() -> tuple[Map, Map]:
    """The same for [TILE, TILE]."""
    random = np.random.default_rng(7)
    grain = np.clip(_deviating_by_1(sum(_cloud(random, px) for px in GRAIN_PX)), -3, 3)
    flow = _deviating_by_1(sum(px * _cloud(random, px) for px in FLOW_PX))
    return grain, np.float32(GRAIN) * grain + np.float32(FLOW) * flow


def _cloud(random: np.random.Generator, px: float) -> Map:
    """Noise of deviation 1, blurred by so much, that goes on beyond its borders: [TILE, TILE]."""
    y, x = np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None]
    spectrum = np.fft.rfft2(random.standard_normal((TILE, TILE))) * np.exp(-2 * (np.pi * px) ** 2 * (y * y + x * x))
    return _deviating_by_1(np.fft.irfft2(spectrum, (TILE, TILE)))


def _deviating_by_1(cloud: object) -> Map:
    values = np.asarray(cloud, np.float32)
    return np.asarray(values / values.std(), np.float32)


def _edges(light: Grey, opacity: Grey, pen: float) -> Map:
    """Density that has gathered where the brush ended: [h, w]. At half size, whose differences are twice as large."""
    seen = halved(cv2.multiply(light, opacity, scale=1 / 255)).astype(np.float32)
    soft = cv2.GaussianBlur(seen, (0, 0), EDGE_PX * pen / 2)
    slope = cv2.magnitude(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1))
    share = cv2.min(cv2.multiply(slope, pen / (2 * 8 * 255)), MOST_EDGE)
    return enlarged(cv2.multiply(share, EDGE), light)


def _frayed(opacity: Grey, grain: Map, pen: float) -> Grey:
    """The border along the paper's grain; where nothing was, nothing comes."""
    soft = cv2.GaussianBlur(opacity, (0, 0), FRAY_PX * pen).astype(np.float32)
    ragged = cv2.scaleAdd(grain, RAGGED * 255, soft)
    hard = cv2.addWeighted(ragged, HARD, ragged, 0, 127.5 * (1 - HARD), dtype=cv2.CV_8U)
    result: Grey = cv2.min(hard, cv2.LUT(opacity, _thrice()))
    return result


@cache
def _room() -> Table:
    """C -> C - C²."""
    level = np.arange(256) / 255
    return table(255 * (level - level * level))


@cache
def _thrice() -> Table:
    return table(3 * np.arange(256))
