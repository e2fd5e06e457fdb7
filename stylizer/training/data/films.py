"""Training pictures from clips: a film, a folder of pictures in order of their names, or a family the project draws."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylizer.errors import BadInput
from stylizer.frame import PixelsU8
from stylizer.media import Reader
from stylizer.picture import SUFFIXES, read_picture
from stylizer.training.data.clips import FAMILIES, clip

SHORT_SIDE = 286  # px, cropped to 256 at random, as pix2pix jitters its pictures
MOST_FRAMES = 3000  # of each clip, its first
DRAWN = ((300, 1), (300, 2), (300, 3))  # frames and seed of each clip of a family


def load_films(clips: list[str]) -> list[Tensor]:
    """Each clip as uint8 [T, 3, H, W], sides 256 at least.

    clips: paths, or `drawn:NAME` for a family of `clips`.
    Raises BadInput for a path where no clip is, Unreadable, NotFound.
    """
    films: list[Tensor] = []
    for name in clips:
        if name.startswith("drawn:"):
            films += [_tensor(clip(name.removeprefix("drawn:"), count, seed)) for count, seed in DRAWN]
        else:
            films.append(_tensor(np.stack(_alike(name, [_fitted(p) for p in _pictures(Path(name))]))))
    return films


def _alike(name: str, frames: list[PixelsU8]) -> list[PixelsU8]:
    """At least two, all of one size."""
    sizes = {f"{frame.shape[1]}x{frame.shape[0]}" for frame in frames}
    if len(frames) < 2 or len(sizes) > 1:
        held = f"{len(frames)} pictures" + (f" of several shapes: {', '.join(sorted(sizes))}" if len(sizes) > 1 else "")
        raise BadInput(f"{name}: holds {held}; a clip needs two at least, all of one shape")
    return frames


def _pictures(path: Path) -> Iterator[PixelsU8]:
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in SUFFIXES)
        yield from (read_picture(f) for f in files[:MOST_FRAMES])
        return
    if not path.is_file():
        raise BadInput(f"{path}: no film, no folder and not one of {', '.join('drawn:' + f for f in FAMILIES)}")
    with Reader(path) as film:
        yield from (frame.pixels for frame in islice(film, MOST_FRAMES))


def _fitted(pixels: PixelsU8) -> PixelsU8:
    """Scaled so that the shorter side has SHORT_SIDE pixels, the longer one cut to at most twice that."""
    height, width = pixels.shape[:2]
    scale = SHORT_SIDE / min(height, width)
    size = (max(SHORT_SIDE, round(width * scale)), max(SHORT_SIDE, round(height * scale)))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    y, x = (max(0, (side - 2 * SHORT_SIDE) // 2) for side in small.shape[:2])
    return np.asarray(small[y : y + 2 * SHORT_SIDE, x : x + 2 * SHORT_SIDE], np.uint8)


def _tensor(frames: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
