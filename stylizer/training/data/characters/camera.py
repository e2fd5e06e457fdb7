"""What a camera and a matting network do to a figure: cloth, light, colour, blur, noise, JPEG, edges that are wrong."""

from functools import cache

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.float32]

NOISE_PX = 512  # side of the noise that everything is made of: the largest picture


@cache
def _clouds() -> Picture:
    """Smooth noise [12, NOISE_PX, NOISE_PX] of six grain sizes, standard deviation 1."""
    rng, fields = np.random.default_rng(5), []
    for grain in (2, 3, 5, 8, 14, 30, 2, 3, 5, 8, 14, 30):
        field = rng.normal(0, 1, (NOISE_PX // grain + 2, NOISE_PX // grain + 2)).astype(np.float32)
        field = cv2.resize(field, (NOISE_PX, NOISE_PX), interpolation=cv2.INTER_CUBIC)
        fields.append((field - field.mean()) / field.std())
    return np.stack(fields)


def cloud(rng: Generator, size: int, grain: int, *, stretch: bool = False) -> Picture:
    """Smooth noise [size, size]; grain 0 fine .. 5 coarse; `stretch` makes it long in a random direction: folds."""
    field = _clouds()[grain + 6 * int(rng.integers(2))]
    if not stretch:
        if size > NOISE_PX:  # the samples of a picture's pixels: as much finer than these
            return np.asarray(cv2.resize(field, (size, size)))
        y, x = rng.integers(0, NOISE_PX - size, 2) if size < NOISE_PX else (0, 0)
        return np.asarray(field[y : y + size, x : x + size])
    angle, longer = rng.uniform(0, 180), rng.uniform(2, 5)
    m = cv2.getRotationMatrix2D((NOISE_PX / 2, NOISE_PX / 2), angle, 1.0)
    m[0] *= longer
    m[:, 2] += rng.uniform(0, 256, 2) - 128
    return np.asarray(cv2.warpAffine(field, m, (size, size), borderMode=cv2.BORDER_REFLECT), np.float32)


def light_up(albedo: Picture, lit: Picture, labels: NDArray[np.uint8], ambient: float, rng: Generator) -> Picture:
    """albedo [S, S, 3] and lit [S, S] 0..1 -> the figure in that light, with folds and unevenness."""
    size = lit.shape[0]
    cloth = np.isin(labels, (3, 4)).astype(np.float32)
    folds = cloud(rng, size, int(rng.integers(2, 4)), stretch=True) * rng.uniform(0, 0.11)
    folds += cloud(rng, size, int(rng.integers(3, 5)), stretch=True) * rng.uniform(0, 0.12)
    grain = cloud(rng, size, 0) * max(0.0, rng.normal(0, 0.035)) * (labels != 1) * (labels != 7)
    uneven = cloud(rng, size, 5) * rng.uniform(0, 0.09) + cloud(rng, size, 3) * rng.uniform(0, 0.05)
    level = ambient + (1 - ambient) * lit ** rng.uniform(0.8, 1.4)
    level = level * (rng.uniform(0.8, 1.1) / float(level[labels > 0].mean() if labels.any() else 1.0))  # well exposed
    level = level * np.exp(cloth * folds + grain + uneven)
    shine = rng.uniform(0, 0.18) * np.clip(lit - 0.8, 0, 1)[..., None]
    tint = 1 + np.array([0.05, 0.01, -0.05], np.float32) * rng.normal(0, 1) * (lit[..., None] - 0.5)
    return np.asarray(albedo * level[..., None] * tint + shine, np.float32)


def develop(rgb: Picture, rng: Generator) -> Picture:
    """Exposure, contrast, white balance, saturation, blur, sensor noise. [S, S, 3] 0..1 in and out."""
    rgb = rgb * np.exp(rng.normal(0.0, 0.12)) * np.exp(rng.normal(0, 0.035, 3)).astype(np.float32)
    grey = rgb.mean(2, keepdims=True)
    rgb = grey + (rgb - grey) * rng.uniform(0.7, 1.3)
    rgb = np.clip(rgb, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.15)))
    middle = rng.uniform(0.35, 0.6)
    rgb = middle + (rgb - middle) * rng.uniform(0.8, 1.3) + rng.normal(0.0, 0.02)
    blur = rng.random()
    if blur < 0.6:
        rgb = cv2.GaussianBlur(rgb, (0, 0), float(rng.uniform(0.3, 1.3)))
    elif blur < 0.75:
        small = cv2.resize(rgb, None, fx=(k := float(rng.uniform(0.3, 0.8))), fy=k, interpolation=cv2.INTER_AREA)
        rgb = cv2.resize(small, rgb.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    if rng.random() < 0.35:  # sharpened by the camera
        rgb = rgb + (rgb - cv2.GaussianBlur(rgb, (0, 0), 1.0)) * float(rng.uniform(0.2, 1.0))
    noise = rng.standard_normal(rgb.shape, np.float32) * np.float32(rng.uniform(0, 0.03))
    return np.asarray(np.clip(rgb + noise, 0, 1), np.float32)


def jpeg(rgb_u8: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    _, data = cv2.imencode(".jpg", rgb_u8, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def imperfect_matte(alpha: Picture, rng: Generator) -> Picture:
    """A matte as a network gives it: soft or tight edges, bits missing, bits too many. [S, S] 0..1 in and out."""
    size = alpha.shape[0]
    grow = rng.normal(0, 0.9)
    soft = cv2.GaussianBlur(alpha, (0, 0), float(rng.uniform(0.4, 1.8)))
    edge = np.clip(0.5 - 0.2 * grow + cloud(rng, size, 2) * rng.uniform(0, 0.1), 0.12, 0.88)
    width = np.minimum(rng.uniform(0.15, 0.6), 2 * np.minimum(edge, 1 - edge))  # 0 stays 0 and 1 stays 1
    matte = np.clip((soft - edge) / width + 0.5, 0, 1)
    if rng.random() < 0.15:  # bits missing
        hole = np.clip((cloud(rng, size, 4) - rng.uniform(1.7, 2.4)) * 3, 0, 1)
        matte = matte * (1 - hole * rng.uniform(0.3, 1))
    if rng.random() < 0.2:  # stray bits
        stray = np.clip((cloud(rng, size, 4) - rng.uniform(1.8, 2.4)) * 3, 0, 1) * rng.uniform(0.2, 0.9)
        near = cv2.GaussianBlur(alpha, (0, 0), 12) > 0.02
        matte = np.maximum(matte, stray * near)
    return np.asarray(matte, np.float32)


def taken(rgb: Picture, alpha: Picture, rng: Generator) -> NDArray[np.uint8]:
    """Straight RGBA [S, S, 4] as a camera and a matting network give it; some of what is behind spills in.

    rgb [S, S, 3]: the figure's colours, gone on with beyond its edges. alpha [S, S]: where it is. All 0..1.
    """
    behind = rng.uniform(0, 1, 3).astype(np.float32) + np.float32(0.1) * cloud(rng, alpha.shape[0], 5)[..., None]
    spill = rng.uniform(0, 1)
    rgb = rgb * (alpha + (1 - alpha) * (1 - spill))[..., None] + behind * ((1 - alpha) * spill)[..., None]
    pixels = (develop(rgb, rng) * 255 + 0.5).astype(np.uint8)
    if rng.random() < 0.5:
        pixels = jpeg(pixels, int(rng.integers(35, 95)))
    return np.dstack([pixels, (imperfect_matte(alpha, rng) * 255 + 0.5).astype(np.uint8)])
