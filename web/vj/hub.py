"""Keeps all control pages in step: whatever changes, and whoever changed it, every page is told."""

import asyncio
import json
from collections.abc import Callable

from stylizer.logs import log
from web.vj.stage import Json, Stage

LOOK_S = 0.03  # between two looks for changes: a page is told within the next picture
METERS_EVERY = 3  # looks

MAX_PAGES = 16


class Outbox:
    """One message of each type waits at most, the newest: a page that reads slowly gets fewer, never older ones."""

    def __init__(self) -> None:
        self._waiting: dict[str, str] = {}
        self._filled = asyncio.Event()

    def put(self, kind: str, text: str) -> None:
        self._waiting[kind] = text
        self._filled.set()

    async def get(self) -> str:
        await self._filled.wait()
        kind = next(iter(self._waiting))
        text = self._waiting.pop(kind)
        if not self._waiting:
            self._filled.clear()
        return text


class Hub:
    """`run` until cancelled. Pages enter and leave on the same event loop.

    camera: tells the stream whose camera is in the show, None for none.
    """

    def __init__(self, stage: Stage, camera: Callable[[], str | None]) -> None:
        self._stage, self._camera = stage, camera
        self._pages: set[Outbox] = set()
        self._told: dict[str, str] = {}

    @property
    def pages(self) -> int:
        return len(self._pages)

    def enter(self) -> Outbox:
        box = Outbox()
        self._pages.add(box)
        box.put("welcome", json.dumps(self._stage.welcome()))
        for kind, text in self._told.items():
            box.put(kind, text)
        return box

    def leave(self, box: Outbox) -> None:
        self._pages.discard(box)

    async def run(self) -> None:
        look = 0
        while True:
            await asyncio.sleep(LOOK_S)
            if not self._pages:
                self._told.clear()
                continue
            for make in (self._stage.controls, self._stage.wiring):
                self._tell_if_new(make)
            if look % METERS_EVERY == 0:
                self._tell_if_new(self._meters)
            if look % (10 * METERS_EVERY) == 0:
                self._tell_if_new(self._stage.shelf)
            look += 1

    def _meters(self) -> Json:
        return {**self._stage.meters(), "pages": self.pages, "camera": self._camera()}

    def _tell_if_new(self, make: Callable[[], Json]) -> None:
        try:
            message = make()
        except RuntimeError as error:  # a device list that changed under us; the next look is 30 ms away
            log.debug("state not read", reason=str(error))
            return
        kind, text = str(message["type"]), json.dumps(message)
        if self._told.get(kind) != text:
            self._told[kind] = text
            for page in self._pages:
                page.put(kind, text)
