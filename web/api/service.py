"""What the routes share: the pipeline from loading to ready, its worker, the streams."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

from stylizer.config import Settings
from stylizer.engines import card
from stylizer.errors import StylizerError, Unavailable
from stylizer.live import Stepper, Worker
from stylizer.logs import log
from web import memory
from web.api.connections import Connections
from web.api.turns import Turns
from web.keepsake import Shelf
from web.rtc.streams import Streams
from web.rtc.threads import keep_for_frames, slowly

SUPERVISE_S = 0.5
STUCK_S = 120.0  # one step takes at most some seconds, where a network is compiled within it; beyond, it never ends
MAX_RESTARTS = 20  # a thread that dies again and again is not mended by starting it
STILL_THREADS = 4  # threads that wait for POST /v1/stylize, apart from those that convert and encode live frames
RECORDERS = 4  # threads that encode visitors' clips


class ServedPipeline(Stepper, Protocol):
    """The part of `Pipeline` that the web needs."""

    @property
    def ladder(self) -> Sequence[tuple[str, str, str]]: ...
    @property
    def styles(self) -> tuple[str, ...]: ...
    def titles(self, language: str) -> Mapping[str, str]: ...
    def refresh_styles(self) -> None: ...
    def warm_up(self) -> None: ...


class Ready(NamedTuple):
    pipeline: ServedPipeline
    worker: Worker
    streams: Streams


class Service:
    """Lives as long as one application. `error`: why it will never be ready, None while there is hope.

    loaded: called once when the pipeline is there, or will never be.
    give_up: called once when only a new process can help, so that whoever watches over it starts one.
    """

    def __init__(self, settings: Settings, open_pipeline: Callable[[Settings], ServedPipeline]) -> None:
        self.settings = settings
        self.error: str | None = None
        self.loaded: Callable[[], None] | None = None
        self.give_up: Callable[[], None] | None = None
        self.connections = Connections.allowed_by(settings)
        self.stills = ThreadPoolExecutor(STILL_THREADS, thread_name_prefix="still")
        self.recorders = ThreadPoolExecutor(RECORDERS, thread_name_prefix="keepsake")
        self.uploads = 0  # pictures of POST /v1/stylize that were not answered yet
        self.recording: set[str] = set()  # streams whose clip is being made
        self.shelf = Shelf()
        self.turns = Turns()
        self._open_pipeline = open_pipeline
        self._ready: Ready | None = None

    @property
    def ready(self) -> Ready:
        """Raises Unavailable while the pipeline loads, when only a new process can help, and while a thread is dead."""
        if self.error is not None:
            raise Unavailable(self.error)
        if self._ready is None:
            raise Unavailable("the worker is loading its networks; please try again in a moment")
        if not self._ready.worker.alive:
            raise Unavailable("the pipeline's thread is being started again; please try again in a moment")
        return self._ready

    @property
    def alive(self) -> bool:
        """False when only a new process can help."""
        return self.error is None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Loads in a thread while the application answers already; ends every stream and the worker on the way out."""
        keep_for_frames(asyncio.get_running_loop())
        opening = asyncio.create_task(self._open())
        try:
            yield
        finally:
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            await self._close()

    async def _open(self) -> None:
        loading = _Loading(self._open_pipeline, self.settings)
        try:
            pipeline = await loading.result()
        except StylizerError as error:
            self.error = f"{type(error).__name__}: {error}"
            log.error("pipeline not opened", error=self.error)
            return
        except Exception as error:  # a full disk, say: waiting does not help, so it must not look like loading
            self.error = f"{type(error).__name__}: {error}"
            log.exception("pipeline not opened")
            return
        finally:
            if self.loaded is not None:
                self.loaded()
        worker = Worker(pipeline, self.settings.visitors, min_fps=self.settings.min_fps)
        worker.start()
        streams = Streams(worker)
        self._ready = Ready(pipeline, worker, streams)
        log.info("ready", ladder=[list(rung) for rung in pipeline.ladder])
        await asyncio.gather(streams.run(), self._supervise(worker), _tidy())

    async def _supervise(self, worker: Worker) -> None:
        """A dead thread is started again; one that hangs cannot be ended, and a card that has failed answers this
        process no more, so then the process gives up."""
        while self.error is None:
            await asyncio.sleep(SUPERVISE_S)
            worker.revive()
            if worker.restarts > MAX_RESTARTS:
                self.error = f"the pipeline's thread ended {worker.restarts} times"
            elif worker.busy_s > STUCK_S:
                self.error = f"one step has taken {worker.busy_s:.0f} s and does not end"
            elif why := card.lost():
                self.error = f"the card has failed: {why}"
        log.error("giving up", error=self.error)
        if self.give_up is not None:
            self.give_up()

    async def _close(self) -> None:
        self.stills.shutdown(wait=False, cancel_futures=True)
        self.recorders.shutdown(wait=False, cancel_futures=True)
        if self._ready is not None:
            await self._ready.streams.close("shutdown")
            await asyncio.to_thread(self._ready.worker.stop)


async def _tidy() -> None:
    while True:
        await asyncio.sleep(memory.EVERY_S)
        await slowly(memory.give_back)


class _Loading:
    """Opens and warms the pipeline in a daemon thread, so that SIGTERM need not wait for a compilation."""

    def __init__(self, open_pipeline: Callable[[Settings], ServedPipeline], settings: Settings) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[ServedPipeline] = self._loop.create_future()
        threading.Thread(target=self._run, args=(open_pipeline, settings), name="loading", daemon=True).start()

    async def result(self) -> ServedPipeline:
        return await self._future

    def _run(self, open_pipeline: Callable[[Settings], ServedPipeline], settings: Settings) -> None:
        pipeline: ServedPipeline | None = None
        failure: BaseException | None = None
        try:
            pipeline = open_pipeline(settings)
            pipeline.warm_up()
        except BaseException as error:  # handed over to the event loop, which raises it
            failure = error
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settle, pipeline, failure)

    def _settle(self, pipeline: ServedPipeline | None, failure: BaseException | None) -> None:
        if self._future.cancelled():
            return
        if failure is not None:
            self._future.set_exception(failure)
        else:
            assert pipeline is not None
            self._future.set_result(pipeline)
