"""What watches over the worker: a dead thread is started again, one that hangs ends the service, in words."""

import asyncio
import errno
from collections.abc import Sequence

import numpy as np
import pytest

from stylizer.config import Settings
from stylizer.engines import card
from stylizer.errors import Unavailable
from stylizer.frame import Frame
from stylizer.live import LiveSession
from stylizer.visitor import VisitorState
from tests.web.doubles import ColourPipeline
from web.api import service as service_module
from web.api.service import Service

pytestmark = pytest.mark.timeout(60)
WAIT_S = 20.0


class Troubled(ColourPipeline):
    """Ends the thread of the step that meets `end`; holds every step while `gate` is cleared."""

    def __init__(self) -> None:
        super().__init__()
        self.end: SystemExit | None = None

    def see(self, frames: Sequence[Frame], states: Sequence[VisitorState]) -> list[Frame]:
        if (end := self.end) is not None:
            self.end = None
            raise end
        self.gate.wait(WAIT_S)
        return super().see(frames, states)


async def _ready(service: Service) -> LiveSession:
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                return service.ready.worker.join()
            except Unavailable:
                await asyncio.sleep(0.02)


def _grey(pts: int) -> Frame:
    return Frame(np.full((8, 8, 3), 90, np.uint8), pts)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_thread_is_started_again_without_being_asked_and_the_visitor_goes_on() -> None:
    pipeline = Troubled()
    service = Service(Settings.load(), lambda _: pipeline)

    async def run() -> None:
        async with service.running():
            session = await _ready(service)
            worker = service.ready.worker
            pipeline.end = SystemExit("scripted end of a thread")
            session.offer(_grey(1))
            async with asyncio.timeout(WAIT_S):
                while not worker.restarts:
                    await asyncio.sleep(0.02)
            session.offer(_grey(2))
            result = await asyncio.to_thread(session.take, WAIT_S)
            assert result is not None and result.pts == 2
            assert service.alive and service.ready.worker is worker

    asyncio.run(run())


def test_a_step_that_never_ends_is_given_up_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its very first one: nothing has been delivered yet."""
    monkeypatch.setattr(service_module, "STUCK_S", 0.1)
    pipeline = Troubled()
    service = Service(Settings.load(), lambda _: pipeline)

    async def run() -> None:
        given_up = asyncio.Event()
        service.give_up = given_up.set
        async with service.running():
            session = await _ready(service)
            pipeline.gate.clear()
            session.offer(_grey(1))
            await asyncio.wait_for(given_up.wait(), WAIT_S)
            assert not service.alive
            with pytest.raises(Unavailable, match="does not end"):
                _ = service.ready
            pipeline.gate.set()

    asyncio.run(run())


def test_a_card_that_has_failed_is_given_up_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step would fail from then on, and visitors would see a plain card for ever."""
    service = Service(Settings.load(), lambda _: Troubled())

    async def run() -> None:
        given_up = asyncio.Event()
        service.give_up = given_up.set
        async with service.running():
            await _ready(service)
            monkeypatch.setattr(card, "lost", lambda: "CUDA error: an illegal memory access")
            await asyncio.wait_for(given_up.wait(), WAIT_S)
            assert service.error == "the card has failed: CUDA error: an illegal memory access"

    asyncio.run(run())


def test_a_start_that_fails_in_an_unforeseen_way_is_told_and_not_waited_for() -> None:
    """As it does on a full disk; without a word the booth would say for ever that it loads."""

    def full(_: Settings) -> ColourPipeline:
        raise OSError(errno.ENOSPC, "No space left on device")

    service = Service(Settings.load(), full)

    async def run() -> None:
        async with service.running():
            async with asyncio.timeout(WAIT_S):
                while service.alive:
                    await asyncio.sleep(0.02)
            with pytest.raises(Unavailable, match="No space left"):
                _ = service.ready

    asyncio.run(run())
