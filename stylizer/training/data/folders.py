"""A user's own photos, films or drawings as a data set: every person found, cropped and matted as in the live picture.

Photos and films go through the pipeline's own look, track, crop and matte. Drawings are cut out by their transparency,
or by their plain ground, and framed as a person is; one without either is taken as it is.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from math import inf
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import torch
from numpy.lib.format import write_array_header_1_0
from numpy.typing import NDArray

from stylizer.convert import SIZE
from stylizer.errors import BadInput, Unreadable
from stylizer.files import made_whole, write_whole
from stylizer.frame import Frame, PixelsU8, u8_from_unit
from stylizer.media import FILM_SUFFIXES, Reader
from stylizer.picture import NOT_READ, SUFFIXES, read_picture, read_rgba
from stylizer.pipeline import Pipeline
from stylizer.stages.crop import MARGIN, cut_u8, square
from stylizer.training.data.pictures import SIDES

SETTLE = 4  # looks at a photo: the matting network remembers, and its first answer is its worst
LOOKS = 3  # frames of a film seen for each one that is kept
SAME_GROUND = 12  # levels out of 255 that a drawing's plain ground may vary by
Say = Callable[[str], None]


def make_pictures(
    source: Path, target: Path, side: str, say: Say, *, every_s: float = 0.5, pipeline: Pipeline | None = None
) -> int:
    """Fills `target` with every person in the pictures and films of `source`; returns how many there are.

    side: "photo" or "drawing". every_s: seconds between two pictures taken from a film. Raises BadInput when `source`
    holds nothing usable, OSError when another command fills `target` just now. A file that cannot be read is named and
    passed over.
    """
    if side not in SIDES:
        raise BadInput(f"side: must be one of {', '.join(SIDES)}, got {side!r}")
    files = _files(source)
    if side == "drawing":
        pipeline = None
    elif pipeline is None:
        raise BadInput("photos need a pipeline that finds the person in them")
    if (target / "plan.json").is_file():
        raise BadInput(f"{target}: holds drawn pairs, which it would overwrite; name another folder")
    target.mkdir(parents=True, exist_ok=True)
    count = 0
    with made_whole(target / f"{side}.npy") as part, part.open("wb") as array:
        _write_header(array, 0)
        for number, file in enumerate(files, 1):
            try:
                for picture in _people(pipeline, file, every_s) if pipeline else _drawings(file, every_s):
                    array.write(np.ascontiguousarray(picture).tobytes())
                    count += 1
            except BadInput as error:  # broken, or too large
                say(f"left out: {error}")
            if number % 20 == 0 or number == len(files):
                say(f"{number}/{len(files)} files, {count} {side}s")
        if count < 2:
            raise BadInput(f"{source}: {count} usable {side}s in {len(files)} files, at least 2 are needed")
        array.seek(0)
        _write_header(array, count)
    about = {"count": count, "size": SIZE, "side": side, "source": source.resolve().name}
    write_whole(target / "store.json", json.dumps(about))
    return count


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        raise BadInput(f"{source}: there is no such folder")
    known = {*SUFFIXES, *FILM_SUFFIXES}
    files = sorted(f for f in source.rglob("*") if f.suffix.lower() in {*known, *NOT_READ})  # the last are told of
    if not files:
        raise BadInput(f"{source}: holds no pictures or films; allowed are {', '.join(sorted(known))}")
    return files


def _write_header(array: BinaryIO, count: int) -> None:
    """A .npy file's, as long for any number of pictures: NumPy leaves room for it to grow."""
    shape = (count, SIZE, SIZE, 4)
    write_array_header_1_0(array, {"descr": "|u1", "fortran_order": False, "shape": shape})


def _people(pipeline: Pipeline, file: Path, every_s: float) -> Iterator[PixelsU8]:
    """Straight RGBA [256, 256, 4] of whoever is in view, as the style's network sees them."""
    state = pipeline.new_state()
    if file.suffix.lower() in SUFFIXES:
        still = read_picture(file)
        for tick in range(SETTLE):
            (job,) = pipeline.see([Frame(still, tick, Fraction(1, 10))], [state])
        if job.error is not None:
            raise job.error
        if job.foreground is not None and job.matte is not None:
            yield u8_from_unit(torch.cat((job.foreground, job.matte), 1))
        return
    with Reader(file) as film:
        kept = -every_s
        for frame in _apart(film, every_s / LOOKS):
            (job,) = pipeline.see([frame], [state])
            if job.error is not None:
                raise job.error
            if frame.time_s - kept < every_s or job.foreground is None or job.matte is None:
                continue
            kept = frame.time_s
            yield u8_from_unit(torch.cat((job.foreground, job.matte), 1))


def _apart(film: Iterable[Frame], every_s: float) -> Iterator[Frame]:
    """Frames that lie at least so far from each other."""
    kept = -inf
    for frame in film:
        if frame.time_s - kept >= every_s:
            kept = frame.time_s
            yield frame


def _drawings(file: Path, every_s: float) -> Iterator[PixelsU8]:
    if file.suffix.lower() not in SUFFIXES:
        with Reader(file) as film:
            for frame in _apart(film, every_s):
                yield framed(np.dstack([frame.pixels, np.full(frame.pixels.shape[:2], 255, np.uint8)]))
        return
    try:
        yield framed(read_rgba(file))
    except Unreadable as error:
        raise Unreadable(f"{file}: {error}" if str(file) not in str(error) else str(error)) from None


def framed(rgba: PixelsU8) -> PixelsU8:
    """A drawing [H, W, 4] -> [256, 256, 4]: the figure with air around it, as the live crop gives a person air."""
    alpha = _cut_out(rgba)
    rows, columns = np.flatnonzero((alpha > 127).any(1)), np.flatnonzero((alpha > 127).any(0))
    if not len(rows):
        raise Unreadable("the drawing is empty, all of it is transparent")
    height, width = alpha.shape
    y0, y1, x0, x1 = float(rows[0]), float(rows[-1] + 1), float(columns[0]), float(columns[-1] + 1)
    rgb = np.ascontiguousarray(rgba[..., :3])
    if y1 - y0 == height and x1 - x0 == width:  # no ground: the picture's upper or middle square
        whole = cut_u8(rgb, square((x0 + x1) / 2, 0, min(width, height)), SIZE)
        return np.dstack([whole, np.full((SIZE, SIZE), 255, np.uint8)])
    air = MARGIN * (y1 - y0)
    box = square((x0 + x1) / 2, y0 - air, max(y1 - y0, x1 - x0) + 2 * air)
    seen = cv2.multiply(rgb, np.dstack([alpha] * 3), scale=1 / 255)  # what transparency hides has no colour
    rim = 2 * max(1, round(box.width / SIZE))  # nothing beyond the picture: `cut_u8` draws its last blocks out
    seen, opaque = (
        cut_u8(cv2.copyMakeBorder(part, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=0), box.moved(rim, rim), SIZE)
        for part in (seen, np.dstack([alpha] * 3))
    )
    return np.dstack([cv2.divide(seen, opaque, scale=255), opaque[..., 0]])


def _cut_out(rgba: PixelsU8) -> NDArray[np.uint8]:
    """The drawing's own transparency, or what is left when a plain ground is poured away from the corners."""
    if rgba[..., 3].min() < 250:
        return np.ascontiguousarray(rgba[..., 3])
    rgb = np.ascontiguousarray(rgba[..., :3])
    height, width = rgb.shape[:2]
    corners = [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)]
    colours = np.array([rgb[y, x] for x, y in corners], np.int16)
    if np.abs(colours[0] - colours[1]).max() > SAME_GROUND:
        return np.full((height, width), 255, np.uint8)
    ground = colours[:2].mean(0)  # of the upper corners: a bust covers the lower ones
    corners = [at for at, c in zip(corners, colours, strict=True) if np.abs(c - ground).max() <= SAME_GROUND]
    mask = np.zeros((height + 2, width + 2), np.uint8)
    spread = (SAME_GROUND,) * 3
    for corner in corners:
        if not mask[corner[1] + 1, corner[0] + 1]:
            flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (255 << 8)
            cv2.floodFill(rgb.copy(), mask, corner, 0, spread, spread, flags)
    figure = np.asarray(255 - mask[1:-1, 1:-1], np.uint8)
    return figure if figure.any() else np.full((height, width), 255, np.uint8)
