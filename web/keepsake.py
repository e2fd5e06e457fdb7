"""What a visitor takes home: six seconds of their own drawing and a still. In memory only, gone after ten minutes."""

import asyncio
import contextlib
import queue
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from stylizer.errors import NoCapacity, NotFound, Unavailable
from stylizer.frame import Frame
from stylizer.live import LiveSession
from stylizer.picture import encode_picture
from web.memory_film import MemoryFilm

CLIP_S = 6.0
KEEP_S = 600.0
SILENCE_S = 5.0  # no drawing for this long: the recording is given up
LONGEST_S = 30.0  # whatever the pictures say of their time: somebody else may want to record
LOOK_S = 0.2  # between two looks whether the visitor is still there
LEAST_S = 1.0  # a clip shorter than this is none
MAX_WAITING = 8  # frames between the pipeline's thread and the encoder; more are left out of the clip
MAX_BYTES = 256_000_000  # of all keepsakes; one has about 1.5 MB


@dataclass(frozen=True, slots=True)
class Keepsake:
    """clip: H.264 in MP4. still: JPEG of the clip's first picture, the one that the countdown ended on."""

    clip: bytes
    still: bytes


def record(session: LiveSession, seconds: float = CLIP_S) -> Keepsake:
    """The next `seconds` of what the visitor sees; blocks meanwhile.

    Raises Unavailable when they leave, no drawing comes, or nobody is in view all the while.
    """
    frames: queue.Queue[Frame] = queue.Queue(MAX_WAITING)
    seen = False

    def see(_: Frame, result: Frame) -> None:
        if not frames.full():
            frames.put_nowait(result)

    with session.watched(see), MemoryFilm() as clip:
        began_s = heard_s = time.monotonic()
        while session.here and clip.seconds < seconds:
            with contextlib.suppress(queue.Empty):
                clip.add(frames.get(timeout=LOOK_S))
                heard_s, seen = time.monotonic(), seen or bool(session.outline)
            if time.monotonic() - heard_s > SILENCE_S or time.monotonic() - began_s > LONGEST_S:
                break
    if not session.here:
        raise Unavailable("the visitor left while the clip was recorded; nothing was kept")
    if clip.seconds < LEAST_S or not seen:
        raise Unavailable("no drawing came to be recorded; please stand in view and ask again")
    return Keepsake(clip.content, encode_picture(clip.first.pixels, "JPEG"))


class Shelf:
    """Keepsakes by unguessable names, each forgotten by itself after `keep_s`. Lives in one event loop."""

    def __init__(self, keep_s: float = KEEP_S, clock: Callable[[], float] = time.monotonic) -> None:
        self.keep_s = keep_s
        self._clock = clock
        self._kept: dict[str, tuple[Keepsake, float]] = {}  # name -> (keepsake, when it goes)

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, keepsake: Keepsake) -> str:
        """Its name. Raises NoCapacity when the memory set aside for all is full."""
        held = sum(len(k.clip) + len(k.still) for k, _ in self._kept.values())
        if held + len(keepsake.clip) + len(keepsake.still) > MAX_BYTES:
            raise NoCapacity("too many clips are kept at the moment; please ask again in a few minutes")
        name = secrets.token_urlsafe(18)
        self._kept[name] = keepsake, self._clock() + self.keep_s
        asyncio.get_running_loop().call_later(self.keep_s, self._kept.pop, name, None)
        return name

    def get(self, name: str) -> tuple[Keepsake, float]:
        """The keepsake and the seconds that are left to it. Raises NotFound."""
        keepsake, until_s = self._kept.get(name, (None, 0.0))
        left_s = until_s - self._clock()
        if keepsake is None or left_s <= 0:
            raise NotFound("this clip is not here (any more): clips are deleted ten minutes after they were made")
        return keepsake, left_s
