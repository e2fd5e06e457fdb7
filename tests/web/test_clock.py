"""The time of day is set while somebody streams: by the network after a start without one, or after a night's sleep."""

import asyncio
import datetime
import time

import aiortc.clock
import aiortc.rate
import pytest

from stylizer.config import Settings
from tests.web.doubles import ColourPipeline, ScriptedTrack, Visitor, running
from web import compat
from web.api.app import create_app

NIGHT = datetime.timedelta(hours=8)
YEAR = datetime.timedelta(days=365)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("ahead", [NIGHT, YEAR, -YEAR])
def test_whoever_streams_goes_on_when_the_clock_is_set(
    ahead: datetime.timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiortc would count every millisecond in between, and everybody wait for it: ten seconds for a night."""
    now, seconds = aiortc.clock.current_datetime, time.time

    async def visit() -> None:
        visitor = Visitor(worker, ScriptedTrack([(160, 120)] * 400))
        await visitor.open()
        await visitor.connect()
        await visitor.frames(3)
        monkeypatch.setattr("aiortc.clock.current_datetime", lambda: now() + ahead)
        monkeypatch.setattr("time.time", lambda: seconds() + ahead.total_seconds())
        await visitor.frames(40, timeout_s=5)  # beyond its reports, of which aiortc sends one a second
        await asyncio.wait_for(visitor.http.delete(visitor.path()), 3)
        await asyncio.wait_for(visitor.vanish(), 3)

    with running(create_app(Settings.load(visitors=1), ColourPipeline())) as worker:
        asyncio.run(visit())


def test_the_first_picture_after_hours_of_none_stops_nobody() -> None:
    compat.mend_aiortc()
    estimator = aiortc.rate.RemoteBitrateEstimator()
    for ms in (0, 20, 40):
        estimator.add(ms, abs_send_time=ms << 8, payload_size=1000, ssrc=1)
    began_s = time.process_time()
    estimator.add(round(NIGHT.total_seconds() * 1000), abs_send_time=99 << 8, payload_size=1000, ssrc=1)
    assert time.process_time() - began_s < 0.5, "a millisecond; seconds where each one of the night is counted"
