"""Live streams end to end over real WebRTC connections, with a pipeline that only tints."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping

import httpx
import numpy as np
import pytest

from stylizer.config import Settings
from stylizer.controls import Value
from stylizer.errors import NotFound
from stylizer.frame import PixelsU8
from stylizer.live import Worker
from tests.web.doubles import ColourPipeline, PaintedTrack, Running, Visitor, running, tinted, visiting, wait_for
from tests.web.test_api import OFFER
from web.api.app import create_app
from web.api.doors import RateLimit
from web.rtc import streams as streams_module
from web.rtc.peer import Peer
from web.rtc.streams import CONNECT_S, SILENCE_S, Streams
from web.rtc.threads import FRAME_THREADS, SLOW_THREADS

pytestmark = pytest.mark.timeout(60)
RED, GREEN = (230, 20, 20), (20, 200, 40)


@pytest.fixture(scope="module")
def worker() -> Iterator[Running]:
    app = create_app(Settings.load(visitors=2), ColourPipeline(), RateLimit(burst=10_000))
    with running(app) as served:
        yield served


def _expected(colour: tuple[int, int, int], style: str = "blue") -> PixelsU8:
    return tinted(np.full((1, 1, 3), colour, np.uint8), style)


def _assert_colour(picture: PixelsU8, expected: PixelsU8) -> None:
    # VP8 in limited-range YUV 4:2:0: a flat colour comes back within a few steps.
    assert np.abs(picture.reshape(-1, 3).astype(int) - expected.astype(int)).max() <= 16


def test_a_camera_goes_in_and_its_stylized_picture_comes_out(worker: Running) -> None:
    async def visit() -> None:
        async with visiting(worker, RED) as visitor:
            pictures = await visitor.frames(10)
            _assert_colour(pictures[-1], _expected(RED))
            assert pictures[-1].shape == (480, 640, 3)

    asyncio.run(visit())


def test_two_visitors_never_see_each_other(worker: Running) -> None:
    async def visit() -> None:
        async with visiting(worker, RED) as one, visiting(worker, GREEN) as other:
            for visitor, colour in ((one, RED), (other, GREEN)):
                for picture in await visitor.frames(40):
                    _assert_colour(picture, _expected(colour))

    asyncio.run(visit())


def test_a_control_over_the_channel_changes_the_picture(worker: Running) -> None:
    async def visit() -> None:
        async with visiting(worker, GREEN) as visitor:
            await visitor.frames(3)
            visitor.channel.send(json.dumps({"type": "set", "changes": {"style": "red"}, "seq": 7}))
            await asyncio.sleep(0.5)
            _assert_colour((await visitor.frames(5))[-1], _expected(GREEN, "red"))
            replies = [m for m in map(json.loads, visitor.messages) if m["type"] == "controls"]
            assert replies[-1]["seq"] == 7 and replies[-1]["controls"]["style"] == "red"

    asyncio.run(visit())


class SlowToLoad(ColourPipeline):
    """Style "red" takes until `loaded` is set; `asked`: when each of those who wait for it did."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded = threading.Event()
        self.asked: list[float] = []

    def checked(self, changes: Mapping[str, object]) -> dict[str, Value]:
        if changes.get("style") == "red":
            self.asked.append(time.monotonic())
            assert self.loaded.wait(40)
        return super().checked(changes)


def test_styles_that_load_do_not_hold_up_the_pictures() -> None:
    """As many requests at once as there are threads for anything."""
    pipeline = SlowToLoad()

    async def visit(worker: Running) -> None:
        async with visiting(worker, GREEN) as visitor:
            await visitor.frames(3)
            waiting = [
                asyncio.ensure_future(visitor.http.patch(visitor.path("controls"), json={"style": "red"}))
                for _ in range(FRAME_THREADS + SLOW_THREADS + 4)
            ]
            async with asyncio.timeout(20):
                while len(pipeline.asked) < SLOW_THREADS or time.monotonic() - pipeline.asked[-1] < 0.3:
                    await asyncio.sleep(0.02)
            try:
                _assert_colour((await visitor.frames(10))[-1], _expected(GREEN))
            finally:
                pipeline.loaded.set()
            assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}

    with running(create_app(Settings.load(visitors=1), pipeline, RateLimit(burst=10_000))) as worker:
        asyncio.run(visit(worker))


def test_a_wrong_control_over_the_channel_is_answered_and_changes_nothing(worker: Running) -> None:
    async def visit() -> None:
        async with visiting(worker, GREEN) as visitor:
            await visitor.frames(3)
            visitor.channel.send(json.dumps({"type": "set", "changes": {"seed": 3, "look": 9}, "seq": 1}))
            visitor.channel.send("{")
            await asyncio.sleep(0.3)
            errors = [m for m in map(json.loads, visitor.messages) if m["type"] == "error"]
            assert [(e["code"], e["seq"]) for e in errors] == [("bad_input", 1), ("bad_input", None)]
            assert (await visitor.http.get(visitor.path("controls"))).json()["controls"]["seed"] == 0

    asyncio.run(visit())


def test_statistics_are_pushed_each_second(worker: Running) -> None:
    async def visit() -> None:
        async with visiting(worker, GREEN) as visitor:
            await asyncio.sleep(2.6)
            stats = [m for m in map(json.loads, visitor.messages) if m["type"] == "stats"]
            assert len(stats) >= 2
            assert stats[-1]["fps"] > 10 and 0 < stats[-1]["latency_ms"]["p50"] < 500

    asyncio.run(visit())


def test_leaving_frees_the_place_at_once(worker: Running) -> None:
    async def visit() -> None:
        async with visiting(worker, RED) as visitor:
            await visitor.frames(2)
            assert (await visitor.http.delete(visitor.path())).status_code == 204
            assert await asyncio.to_thread(worker.visitors) == 0
            assert (await visitor.http.get(visitor.path("stats"))).status_code == 404

    asyncio.run(visit())


def test_an_ask_that_was_given_up_while_its_style_loaded_takes_no_place() -> None:
    """A page gives up after six seconds and asks again: alone at the booth, it would find every place taken."""
    pipeline = LoadingPipeline()
    with running(create_app(Settings.load(visitors=1), pipeline)) as worker, worker.client() as http:
        pipeline.loaded.clear()
        with pytest.raises(httpx.TimeoutException):
            http.post("/v1/streams", json={}, timeout=0.5)
        pipeline.loaded.set()
        wait_for(lambda: worker.app.state.service.ready.streams.opened == 1, 5)
        assert http.post("/v1/streams", json={}).status_code == 201


def test_an_ask_that_was_given_up_while_its_style_loaded_keeps_its_turn() -> None:
    """Somebody behind it in the queue asks before it does again."""
    pipeline = LoadingPipeline()
    with running(create_app(Settings.load(visitors=1), pipeline)) as worker, worker.client() as http:
        ready = worker.app.state.service.ready
        pipeline.loaded.set()
        host = ready.worker.join()
        first, second = (http.post("/v1/streams", json={"ticket": ""}).json() for _ in range(2))
        host.leave()
        pipeline.loaded.clear()
        with pytest.raises(httpx.TimeoutException):
            http.post("/v1/streams", json={"ticket": first["ticket"]}, timeout=0.5)
        pipeline.loaded.set()
        wait_for(lambda: ready.streams.opened == 1 and ready.worker.visitors == 0, 5)
        assert http.post("/v1/streams", json={"ticket": second["ticket"]}).status_code == 503
        assert http.post("/v1/streams", json={"ticket": first["ticket"]}).status_code == 201


class LoadingPipeline(ColourPipeline):
    """Whose styles are loaded when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded = threading.Event()

    def checked(self, changes: Mapping[str, object]) -> dict[str, Value]:
        assert self.loaded.wait(10)
        return super().checked(changes)


def test_a_visitor_who_vanishes_frees_the_place_within_six_seconds(worker: Running) -> None:
    async def visit() -> float:
        async with visiting(worker, RED) as visitor:
            await visitor.frames(2)
            assert await asyncio.to_thread(worker.visitors) == 1
            await visitor.vanish()
        gone_at = time.monotonic()
        while await asyncio.to_thread(worker.visitors):
            await asyncio.sleep(0.1)
        return time.monotonic() - gone_at

    assert asyncio.run(visit()) <= 6


def test_one_visitor_too_many_is_refused_until_somebody_leaves(worker: Running) -> None:
    async def visit() -> None:
        async with visiting(worker, RED) as first, visiting(worker, GREEN):
            refused = await first.http.post("/v1/streams", json={})
            assert refused.status_code == 503 and refused.json()["code"] == "no_capacity"
            assert "Retry-After" in refused.headers
            await first.http.delete(first.path())
            assert (again := await first.http.post("/v1/streams", json={})).status_code == 201
            first.http.headers["Authorization"] = f"Bearer {again.json()['token']}"
            await first.http.delete(f"/v1/streams/{again.json()['id']}")

    asyncio.run(visit())


def test_a_second_offer_replaces_the_connection_and_keeps_the_controls(worker: Running) -> None:
    async def visit() -> None:
        async with visiting(worker, GREEN, style="red") as first:
            await first.frames(3)
            second = Visitor(worker, PaintedTrack(RED))
            second.stream = first.stream
            second.http.headers["Authorization"] = first.http.headers["Authorization"]
            await second.connect()
            _assert_colour((await second.frames(5))[-1], _expected(RED, "red"))
            assert any(json.loads(m).get("why") == "replaced" for m in first.messages)
            await second.http.delete(second.path())
            await second.vanish()

    asyncio.run(visit())


def test_a_visitor_whose_candidates_are_all_withheld_still_connects(worker: Running) -> None:
    """Behind a relay or with hidden addresses the worker learns the other side's address from its first packet."""

    async def visit() -> None:
        visitor = Visitor(worker, PaintedTrack(RED))
        await visitor.open()
        await visitor.connect(hide_candidates=True)
        _assert_colour((await visitor.frames(3))[-1], _expected(RED))
        await visitor.http.delete(visitor.path())
        await visitor.vanish()

    asyncio.run(visit())


def test_results_are_sent_once_each_when_the_pipeline_is_slower_than_the_camera() -> None:
    app = create_app(Settings.load(visitors=1), ColourPipeline(delay_s=0.15), RateLimit(burst=10_000))

    async def visit(served: Running) -> None:
        async with visiting(served, RED) as visitor:
            await visitor.frames(2)
            visitor.seen.clear()
            await asyncio.sleep(3)
            sent = len(visitor.seen)
            stats = (await visitor.http.get(visitor.path("stats"))).json()
            assert 10 <= sent <= 21, "about 6.5 results a second, none of them twice"
            assert stats["dropped"] > stats["frames_out"]
            assert stats["latency_ms"]["p95"] < 450, "newest wins: latency is bounded by two steps, not by a queue"

    with running(app) as served:
        asyncio.run(visit(served))


@pytest.mark.parametrize("offers", [False, True], ids=["no offer", "an offer that leads nowhere"])
def test_who_does_not_connect_loses_the_place_at_the_deadline(offers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "SWEEP_S", 0.01)
    now_s = [100.0]
    worker = Worker(ColourPipeline(), capacity=1)

    async def run() -> None:
        streams = Streams(worker, clock=lambda: now_s[0])
        sweeping = asyncio.ensure_future(streams.run())
        stream = await streams.open()
        if offers:
            now_s[0] += 5
            await stream.answer(OFFER, "127.0.0.1")
        now_s[0] += CONNECT_S - 0.1
        await asyncio.sleep(0.1)
        assert len(streams) == worker.visitors == 1
        now_s[0] += 0.2
        async with asyncio.timeout(20):
            while len(streams) or worker.visitors:
                await asyncio.sleep(0.01)
        sweeping.cancel()
        await streams.close("test over")

    asyncio.run(run())


def test_a_connection_ends_although_who_ends_it_is_cancelled() -> None:
    async def run() -> None:
        streams = Streams(Worker(ColourPipeline(), capacity=1))
        stream = await streams.open()
        await stream.answer(OFFER, "127.0.0.1")
        peer = stream.peer
        assert peer is not None
        dropping = asyncio.ensure_future(streams.drop(stream, "left"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        dropping.cancel()
        await streams.close("worker ends")
        assert peer.gone

    asyncio.run(run())


class NeverEnds(Peer):
    """The far side is gone, and closing does not come back."""

    gone = True

    async def close(self, why: str) -> None:
        await asyncio.Event().wait()


def test_a_connection_that_does_not_end_keeps_nobody_elses_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams_module, "SWEEP_S", 0.01)
    monkeypatch.setattr(streams_module, "CLOSE_S", 0.05)
    now_s = [100.0]
    worker = Worker(ColourPipeline(), capacity=2)

    async def run() -> None:
        streams = Streams(worker, clock=lambda: now_s[0])
        sweeping = asyncio.ensure_future(streams.run())
        for _ in range(2):
            stream = await streams.open()
            stream.peer = NeverEnds(stream.session, now_s[0], lambda: now_s[0])
        now_s[0] += SILENCE_S + 1
        async with asyncio.timeout(5):
            while len(streams) or worker.visitors:
                await asyncio.sleep(0.01)
        sweeping.cancel()
        await streams.close("test over")

    asyncio.run(run())


def test_an_offer_that_waited_while_its_stream_ended_opens_nothing() -> None:
    async def run() -> None:
        streams = Streams(Worker(ColourPipeline(), capacity=1))
        stream = await streams.open()
        await stream.answer(OFFER, "127.0.0.1")
        dropping = asyncio.ensure_future(streams.drop(stream, "left"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(NotFound, match="has ended"):
            await stream.answer(OFFER, "127.0.0.1")
        await dropping
        assert stream.peer is None

    asyncio.run(run())
