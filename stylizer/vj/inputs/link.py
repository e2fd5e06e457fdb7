"""Ableton Link: tempo and beat shared with the other programs of a network, where aalink is installed."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from stylizer.errors import Unavailable

ASK_EVERY_S = 0.1


class AbletonLink:
    """Tells `beat_is(bpm, beat)` ten times a second while anybody else is in the session, until `close`.

    library: aalink itself. Raises Unavailable without it.
    """

    def __init__(self, beat_is: Callable[[float, float], None], bpm: float = 120.0, library: Any | None = None) -> None:
        self._library, self._beat_is, self._bpm = library or _aalink(), beat_is, bpm
        self.peers = 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="link", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._thread.join()

    async def _run(self) -> None:
        link: Any = self._library.Link(self._bpm)
        link.enabled = True
        while not self._closing.is_set():
            self.peers = int(link.num_peers)
            if self.peers:
                self._beat_is(float(link.tempo), float(link.beat))
            await asyncio.sleep(ASK_EVERY_S)
        link.enabled = False


def _aalink() -> Any:
    try:
        import aalink
    except ImportError:
        raise Unavailable("Ableton Link needs aalink: install stylizer[venue]") from None
    return aalink
