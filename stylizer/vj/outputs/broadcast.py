"""The show's pictures for any number of listeners, newest wins; keys pressed elsewhere go the other way."""

import time
from collections import deque
from collections.abc import Callable

from stylizer.frame import PixelsU8

Listener = Callable[[PixelsU8, float], None]
MAX_KEYS = 32  # pressed between two pictures; more are nobody's fingers


class Broadcast:
    """A screen for `Show`. Listeners are called in the show's thread with the picture and its time: hand over only."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._listeners: dict[object, Listener] = {}
        self._keys: deque[str] = deque(maxlen=MAX_KEYS)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """From any thread. Returns what ends it; calling that twice is no fault."""
        place = object()
        self._listeners[place] = listener

        def end() -> None:
            self._listeners.pop(place, None)

        return end

    def press(self, key: str) -> None:
        """From any thread: the show takes one key with each picture."""
        self._keys.append(key)

    def show(self, pixels: PixelsU8) -> str:
        now = self._clock()
        for listener in list(self._listeners.values()):
            listener(pixels, now)
        return self._keys.popleft() if self._keys else ""

    def close(self) -> None:
        self._listeners.clear()
