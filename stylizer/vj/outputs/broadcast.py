"""The show's pictures for any number of listeners, newest wins."""

import time
from collections.abc import Callable

from stylizer.frame import PixelsU8

Listener = Callable[[PixelsU8, float], None]


class Broadcast:
    """A screen for `Show`. Listeners are called in the show's thread with the picture and its time: hand over only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._listeners: dict[object, Listener] = {}

    def listen(self, listener: Listener) -> Callable[[], None]:
        """From any thread. Returns what ends it; calling that twice is no fault."""
        place = object()
        self._listeners[place] = listener

        def end() -> None:
            self._listeners.pop(place, None)

        return end

    def show(self, pixels: PixelsU8) -> str:
        now = self._clock()
        for listener in list(self._listeners.values()):
            listener(pixels, now)
        return ""

    def close(self) -> None:
        self._listeners.clear()
