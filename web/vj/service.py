"""What the stage's routes share: the stage, its audience, the pages in step, the streams of those who look."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator

from stylizer.config import Settings
from web.api.connections import Connections
from web.rtc.streams import Streams
from web.rtc.threads import keep_for_frames, slowly
from web.vj.hub import Hub
from web.vj.stage import Stage
from web.vj.viewers import Audience


class StageService:
    """Stands where the worker's `Service` stands, so that the routes of live streams serve viewers as well.

    key: what a control page must know. Each start has its own unless STYLIZER_STAGE_KEY gives one.
    """

    def __init__(self, settings: Settings, stage: Stage) -> None:
        self.settings, self.stage = settings, stage
        self.key = settings.stage_key.get_secret_value() or secrets.token_urlsafe(12)
        self.connections = Connections.allowed_by(settings)
        self.audience = Audience(stage.session, stage.broadcast)
        self.streams = Streams(self.audience)
        self.hub = Hub(stage, lambda: self.audience.camera)
        self.dropping = asyncio.Lock()

    @property
    def ready(self) -> "StageService":
        """The show runs before its pages are served."""
        return self

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        keep_for_frames(asyncio.get_running_loop())
        tasks = [asyncio.create_task(self.hub.run()), asyncio.create_task(self.streams.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.streams.close("shutdown")
            await slowly(self.stage.thumbnails.close)
