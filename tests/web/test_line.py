"""Bad networks between an aiortc peer and the worker: loss, delay, cuts, a flood beside a visitor who streams."""

import asyncio
import itertools
import time
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from aiortc import RTCRtpReceiver
from av import VideoFrame

from stylizer.config import Settings
from tests.web.doubles import ColourPipeline, PaintedTrack, Running, Served, Visitor, WanderingTrack, running, visiting
from tests.web.line import Line
from tests.web.test_api import OFFER
from web import compat
from web.api.app import create_app
from web.api.doors import BURST, PER_SECOND, RateLimit
from web.rtc.peer import Peer

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def worker() -> Iterator[Running]:
    app = create_app(Settings.load(visitors=8), ColourPipeline(), RateLimit(burst=10_000))
    with running(app) as served:
        yield served


class Watcher:
    """When a visitor saw a picture unlike the one before."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.news_s = visitor, [time.monotonic()]
        visitor.seen.clear()  # what came before is no news
        self._task = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        last = -1.0
        while True:
            await asyncio.sleep(0.02)
            seen, self.visitor.seen[:] = list(self.visitor.seen), []
            for picture in seen:
                value = float(picture[::40, ::40, 0].mean())
                if abs(value - last) > 3:
                    self.news_s.append(time.monotonic())
                last = value

    def end(self) -> float:
        """The longest freeze, in seconds."""
        self._task.cancel()
        return float(np.diff([*self.news_s, time.monotonic()]).max())


async def through(worker: Served, line: Line | None = None) -> Visitor:
    """A visitor to whom three pictures have come, over this line or straight."""
    visitor = Visitor(worker, WanderingTrack())
    await visitor.open()
    await visitor.connect(line=line)
    await visitor.frames(3, 30)
    return visitor


async def leave(visitor: Visitor) -> None:
    await visitor.http.delete(visitor.path())
    await visitor.vanish()


@pytest.mark.parametrize("loss, delay_s, longest_s", [(0, 0, 1), (0.01, 0, 1), (0.05, 0.05, 1), (0.1, 0.05, 3)])
def test_loss_and_delay_freeze_no_picture_for_long(
    worker: Running, loss: float, delay_s: float, longest_s: float
) -> None:
    async def visit() -> tuple[float, int]:
        with Line(loss, delay_s) as line:
            visitor = await through(worker, line)
            watcher = Watcher(visitor)
            await asyncio.sleep(6)
            freeze_s = watcher.end()
            await leave(visitor)
            assert (line.lost > 0) == (loss > 0)
            return freeze_s, len(watcher.news_s)

    freeze_s, pictures = asyncio.run(visit())
    assert freeze_s <= longest_s
    assert pictures >= 20, "of some 60 that the camera made"


def test_what_waited_for_a_lost_packet_does_not_stay_late(worker: Running) -> None:
    """Latency after a burst of loss is what it was before: the receiver catches up."""

    async def visit() -> list[float]:
        with Line() as line:
            visitor = await through(worker, line)
            ages = []
            for loss in (0.0, 0.3, 0.0):
                line.loss = loss
                await asyncio.sleep(3)
                stats = (await visitor.http.get(visitor.path("stats"))).json()
                ages.append(stats["frames_in"])
            assert ages[2] - ages[1] >= 20, f"after the burst the camera's pictures arrive again: {ages}"
            behind = await _pictures_behind(visitor)
            await leave(visitor)
            return [behind]

    (behind,) = asyncio.run(visit())
    assert behind <= 6, "pictures between the camera and the mirror, of ten a second"


async def _pictures_behind(visitor: Visitor) -> int:
    """How many of the camera's pictures lie between the one it makes now and the one that is seen now."""
    camera = visitor.camera
    assert isinstance(camera, WanderingTrack)
    seen = float((await visitor.frames(1))[-1][::40, ::40, 0].mean())
    greys = [grey // 2 for grey in camera.GREYS]  # the pipeline halves what it tints
    shown = int(np.argmin([abs(seen - grey) for grey in greys]))
    made = list(camera.GREYS).index(camera.colour[0])
    return (made - shown) % len(greys)


def test_a_cut_of_two_seconds_is_over_three_seconds_after_it(worker: Running) -> None:
    async def visit() -> float:
        with Line() as line:
            visitor = await through(worker, line)
            line.cut = True
            await asyncio.sleep(2)
            line.cut = False
            back_s = time.monotonic()
            watcher = Watcher(visitor)
            while len(watcher.news_s) < 4 and time.monotonic() - back_s < 15:
                await asyncio.sleep(0.02)
            watcher.end()
            await leave(visitor)
            return watcher.news_s[3] - back_s

    assert asyncio.run(visit()) <= 3


def test_after_a_cut_a_whole_picture_comes_soon(worker: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was on its way when the line was cut is lost: Chromium could show nothing that builds on it."""
    whole: list[bool] = []  # of the worker's pictures, which are blue; the visitor's, from the same process, are grey
    encode = compat._CappedVp8.encode

    def watched(self: compat._CappedVp8, frame: VideoFrame, force_keyframe: bool = False) -> tuple[list[bytes], int]:
        red, _, blue = frame.to_ndarray(format="rgb24").mean((0, 1))
        if blue > red + 50:
            whole.append(force_keyframe)
        return encode(self, frame, force_keyframe)

    monkeypatch.setattr(compat._CappedVp8, "encode", watched)

    async def visit() -> None:
        with Line() as line:
            visitor = await through(worker, line)
            line.cut = True
            await asyncio.sleep(2.5)
            whole.clear()
            line.cut = False
            async with asyncio.timeout(5):
                while len(whole) < 6:
                    await asyncio.sleep(0.02)
            await leave(visitor)

    asyncio.run(visit())
    assert any(whole), "of six, at ten a second"


def test_when_pictures_come_again_after_a_cut_a_whole_one_is_asked_for(
    worker: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first that came may build on others that were lost; asked for during the cut, the whole one was lost, too."""
    told: list[bool] = []  # whether the camera is silent, each time that the worker looked
    asked_while_silent: list[bool] = []
    silent, begin_anew = Peer._silent, compat.begin_anew

    def looked(self: Peer) -> bool:
        told.append(silent(self))
        return told[-1]

    async def watched(receiver: RTCRtpReceiver) -> None:
        asked_while_silent.append(told[-1])
        await begin_anew(receiver)

    monkeypatch.setattr(Peer, "_silent", looked)
    monkeypatch.setattr(compat, "begin_anew", watched)

    async def visit() -> None:
        with Line() as line:
            visitor = await through(worker, line)
            session = worker.session()
            line.cut = True
            await asyncio.sleep(2.5)
            asked_while_silent.clear()
            before, line.cut = session.stats().frames_in, False
            async with asyncio.timeout(10):
                while session.stats().frames_in < before + 8:
                    await asyncio.sleep(0.02)
            await leave(visitor)

    asyncio.run(visit())
    assert False in asked_while_silent, f"asked while nothing came: {asked_while_silent}"


class NoisyTrack(PaintedTrack):
    """A camera whose every picture is noise: as many packets a second as the encoder may send."""

    def __init__(self) -> None:
        super().__init__((0, 0, 0), (320, 240), pause_s=0.07)
        self._rng = np.random.default_rng(8)

    async def recv(self) -> VideoFrame:
        frame = await super().recv()
        noise = self._rng.integers(0, 256, (240, 320, 3), np.uint8)
        made = VideoFrame.from_ndarray(noise, format="rgb24")
        made.pts, made.time_base = frame.pts, frame.time_base
        return made


def test_packets_that_nobody_can_send_again_are_given_up_after_a_second(worker: Running) -> None:
    """More of them than a sender remembers (128), fewer than aiortc waits for by itself (512)."""

    async def visit() -> tuple[int, float]:
        with Line() as line:
            visitor = Visitor(worker, NoisyTrack())
            await visitor.open()
            await visitor.connect(line=line)
            await visitor.frames(20, 30)
            line.lost, line.cut = 0, True
            async with asyncio.timeout(10):
                while line.lost < LOST_PACKETS:
                    await asyncio.sleep(0.01)
            line.cut = False
            session = worker.session()
            before, back_s = session.stats().frames_in, time.monotonic()
            async with asyncio.timeout(20):
                while session.stats().frames_in < before + 3:
                    await asyncio.sleep(0.02)
            took_s = time.monotonic() - back_s
            await leave(visitor)
            return line.lost, took_s

    lost, took_s = asyncio.run(visit())
    assert lost < 512
    assert took_s <= 2.5


def test_a_visitor_whose_line_was_lost_gets_the_settings_back(worker: Running) -> None:
    async def visit() -> None:
        with Line() as line:
            visitor = Visitor(worker, PaintedTrack((200, 40, 40)))
            await visitor.open({"style": "red", "seed": 7})
            await visitor.connect(line=line)
            await visitor.frames(3, 30)
            line.cut = True
            async with asyncio.timeout(15):
                while (await visitor.http.get(visitor.path("stats"))).status_code != 404:
                    await asyncio.sleep(0.1)
            asked = {"resume": visitor.stream["token"], "controls": {"look": 0.25}}
            again = (await visitor.http.post("/v1/streams", json=asked)).json()
            held = again["controls"]
            assert (held["style"], held["seed"], held["look"]) == ("red", 7, 0.25)
            stranger = (await visitor.http.post("/v1/streams", json={"resume": "a-guess"})).json()
            assert stranger["controls"]["seed"] == 0
            for stream in (again, stranger):
                visitor.http.headers["Authorization"] = f"Bearer {stream['token']}"
                await visitor.http.delete(f"/v1/streams/{stream['id']}")
            await visitor.vanish()

    asyncio.run(visit())


LOST_PACKETS = 260  # either way
FLOODERS = 8  # connections at once
NOBODYS = "/v1/streams/nobody/offer"


async def _flood(served: Running, end_s: float) -> list[int]:
    """A visitor with a place of their own who offers, connection after connection, without ever connecting."""
    statuses: list[int] = []

    async def offer(http: httpx.AsyncClient, stream_id: str) -> None:
        for path in itertools.cycle(("/v1/streams", f"/v1/streams/{stream_id}/offer", NOBODYS)):
            if time.monotonic() > end_s:
                return
            asked = {"sdp": OFFER} if path.endswith("offer") else {}
            statuses.append((await http.post(path, json=asked)).status_code)

    async with httpx.AsyncClient(base_url=served.base, headers={"Origin": served.base}, timeout=20) as http:
        own = (await http.post("/v1/streams", json={})).json()
        http.headers["Authorization"] = f"Bearer {own['token']}"
        await asyncio.gather(*(offer(http, own["id"]) for _ in range(FLOODERS)))
        await http.delete(f"/v1/streams/{own['id']}")
    return statuses


def test_a_flood_of_offers_does_not_disturb_who_streams() -> None:
    """As many requests as eight connections carry, while one visitor watches: refused, and no freeze over a second."""

    async def visit(served: Running) -> tuple[float, list[int]]:
        async with visiting(served, (0, 0, 0)) as quiet:
            await quiet.http.delete(quiet.path())  # warmed up
        visitor = Visitor(served, WanderingTrack())
        await visitor.open()
        await visitor.connect()
        await visitor.frames(3, 30)
        watcher = Watcher(visitor)
        statuses = await _flood(served, time.monotonic() + 4)
        freeze_s = watcher.end()
        await leave(visitor)
        return freeze_s, statuses

    with running(create_app(Settings.load(visitors=2), ColourPipeline(), RateLimit(BURST, PER_SECOND))) as served:
        freeze_s, statuses = asyncio.run(visit(served))
    assert freeze_s <= 1
    assert len(statuses) > 60 and statuses.count(429) > 0.5 * len(statuses)
    assert 200 in statuses, "some of the offers were taken up"
    assert set(statuses) <= {200, 404, 429, 503}
