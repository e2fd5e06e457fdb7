"""Two ways of drawing, the same film: both run as visitors of the worker, frame by frame, and end up side by side."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from stylizer.errors import BadInput, Unavailable
from stylizer.frame import Frame, PixelsU8
from stylizer.live import LiveSession, Worker
from stylizer.media import Reader
from web.memory_film import MemoryFilm

RESULT_S = 30.0  # for one frame: a style may compile with the first one
Tell = Callable[[float], object]  # the share that is done


def side_by_side(
    worker: Worker, film: Path, ways: Sequence[Mapping[str, object]], seconds: float, tell: Tell
) -> tuple[bytes, PixelsU8]:
    """Draws the first `seconds` in each of `ways` (sets of controls). Returns an MP4 and its last picture.

    No frame is dropped: each is offered when the one before is drawn. Raises what the reader, the worker's `join` and
    a wrong control raise; Unavailable when the worker gives nothing.
    """
    with ExitStack() as stack:
        places = []
        for way in ways:
            places.append(worker.join(way))
            stack.callback(places[-1].leave)
        reader = stack.enter_context(Reader(film))
        last: PixelsU8 | None = None
        with MemoryFilm() as result:
            for frame in reader:
                if frame.time_s > seconds:
                    break
                last = np.hstack(_drawn(places, frame))
                result.add(frame.with_pixels(last))
                tell(min(1.0, frame.time_s / seconds))
    if last is None:
        raise BadInput(f"{film.name}: its first picture comes after {seconds:g} s")
    return result.content, last


def _drawn(places: Sequence[LiveSession], frame: Frame) -> list[PixelsU8]:
    for place in places:
        place.offer(frame)
    results = [place.take(RESULT_S) for place in places]
    if missing := [index for index, result in enumerate(results) if result is None]:
        raise Unavailable(f"nothing was drawn for side {missing[0] + 1} within {RESULT_S:g} s")
    return [result.pixels for result in results if result is not None]
