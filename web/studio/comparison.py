"""Several ways of drawing, the same film: one after the other as a visitor of the worker, then side by side."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from stylizer.errors import BadInput, Unavailable
from stylizer.frame import Frame
from stylizer.live import LiveSession, Worker
from stylizer.media import Reader
from web.memory_film import MemoryFilm

RESULT_S = 30.0  # for one frame: a style may compile with the first one
Tell = Callable[[float], object]  # the share that is done


def side_by_side(worker: Worker, film: Path, ways: Sequence[Mapping[str, object]], seconds: float, tell: Tell) -> bytes:
    """Draws the first `seconds` in each of `ways` (sets of controls). Returns an MP4.

    No frame is dropped: each is offered when the one before is drawn. Raises what the reader, the worker's `join` and
    a wrong control raise; Unavailable when the worker gives nothing.
    """
    sides = []
    for index, way in enumerate(ways):
        place = worker.join(way)  # one at a time: a small machine may have no second one
        try:
            sides.append(list(_drawn(place, film, seconds)))
            tell((index + 1) / len(ways))
        finally:
            place.leave()
    if not sides[0]:
        raise BadInput(f"{film.name}: its first picture comes after {seconds:g} s")
    with MemoryFilm() as result:
        for row in zip(*sides, strict=True):
            result.add(row[0].with_pixels(np.hstack([frame.pixels for frame in row])))
    return result.content


def _drawn(place: LiveSession, film: Path, seconds: float) -> Iterator[Frame]:
    with Reader(film) as reader:
        for frame in reader:
            if frame.time_s > seconds:
                return
            place.offer(frame)
            if (drawn := place.take(RESULT_S)) is None:
                raise Unavailable(f"nothing was drawn within {RESULT_S:g} s")
            yield drawn
