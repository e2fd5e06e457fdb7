"""Hands pictures to something slow in a thread of its own: the newest wins, the show never waits."""

import threading
from collections.abc import Callable

from stylizer.frame import PixelsU8, fitted
from stylizer.logs import log


class Outlet:
    """write: called for the newest picture, `side` x `side`. close_device: called once, at the end. A fault ends the
    outlet alone."""

    def __init__(
        self, name: str, side: int, write: Callable[[PixelsU8], None], close_device: Callable[[], None]
    ) -> None:
        self.name, self._side, self._write, self._close_device = name, side, write, close_device
        self.fault = ""
        self._newest: PixelsU8 | None = None
        self._ready = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, pixels: PixelsU8) -> None:
        """pixels: not changed by the caller afterwards."""
        with self._ready:
            self._newest = pixels
            self._ready.notify()

    def close(self) -> None:
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            while (pixels := self._next()) is not None:
                self._write(fitted(pixels, self._side, self._side))
        except Exception as error:  # of somebody else's driver: the show goes on without it
            self.fault = str(error)
            log.warning("output ended", output=self.name, reason=self.fault)
        finally:
            self._close_device()

    def _next(self) -> PixelsU8 | None:
        with self._ready:
            self._ready.wait_for(lambda: self._closing or self._newest is not None)
            pixels, self._newest = self._newest, None
            return None if self._closing else pixels
