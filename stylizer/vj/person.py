"""The person in the guest's picture, found beside the show: the step takes the newest matte and never waits."""

import threading
import time
from collections.abc import Callable

import torch
from torch import Tensor

from stylizer.config import Settings
from stylizer.frame import u8_from_unit
from stylizer.logs import log
from stylizer.stages.box import Box
from stylizer.stages.matte import Matte, MatteState, View

AGAIN_S = 1.0  # after a failure


class PersonMatte:
    """For VjSession(matte=...). The way is chosen and loaded at the first picture, in the thread.

    open_way: what finds the person.
    """

    def __init__(self, open_way: Callable[[], Matte]) -> None:
        self._open_way = open_way
        self._alpha = torch.zeros(1, 1, 256, 256)  # nobody yet
        self._newest: Tensor | None = None
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None

    @classmethod
    def best(cls, settings: Settings) -> "PersonMatte":
        """By the ladder; its libraries are imported only when somebody is let in."""

        def open_way() -> Matte:
            from stylizer.ladder import open_matte

            return open_matte(settings)

        return cls(open_way)

    def __call__(self, picture: Tensor) -> Tensor:
        """unit [1, 3, 256, 256] -> alpha [1, 1, 256, 256] of a picture before it, at first of nobody; its own once it
        was found, when the same tensor is asked about again."""
        newest = self._alpha
        if picture is not self._newest:
            self._newest = picture
            self._ready.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="vj-matte", daemon=True)
            self._thread.start()
        return newest

    def _run(self) -> None:
        way, state = self._open_way(), None
        log.info("the person is found by", way=way.name)
        while True:
            self._ready.wait()
            self._ready.clear()
            picture = self._newest
            assert picture is not None
            try:
                state = self._step(way, picture, state)
            except Exception:  # of a network or its card: the person stands where they were, and is looked for anew
                log.exception("the person was not found")
                state = None
                time.sleep(AGAIN_S)
                self._ready.set()

    def _step(self, way: Matte, picture: Tensor, state: MatteState | None) -> MatteState:
        height, width = picture.shape[2:]
        view = View(u8_from_unit(picture), Box(0, 0, width, height))
        with torch.inference_mode():
            _, alpha, states = way(picture, [state], [view])
        self._alpha = alpha.cpu()
        return states[0]
