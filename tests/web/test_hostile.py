"""What a stranger could pile up, or never end: it is bounded, and whoever streams beside it sees nothing of it."""

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.rtcsctptransport import (
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    SCTP_DATA_UNORDERED,
    DataChunk,
    tsn_plus_one,
)
from fastapi import FastAPI, WebSocket
from websockets.sync.client import connect

from stylizer.config import Settings
from stylizer.picture import encode_picture
from tests.web.doubles import ColourPipeline, PaintedTrack, Running, Visitor, running, visiting, wait_for
from tests.web.test_service import Troubled
from web import compat, compat_http
from web.api import doors, stills
from web.api.app import create_app
from web.api.doors import RateLimit

pytestmark = pytest.mark.timeout(120)
WAIT_S = 20.0
WHOLE = SCTP_DATA_FIRST_FRAG | SCTP_DATA_LAST_FRAG | SCTP_DATA_UNORDERED
LIMIT_BYTES = 100_000


@pytest.fixture(scope="module")
def worker() -> Iterator[Running]:
    settings = Settings.load(visitors=4, max_upload_bytes=LIMIT_BYTES)
    with running(create_app(settings, ColourPipeline(), RateLimit(burst=10_000))) as served:
        yield served


# ---------------------------------------------------------------- requests


def _asked(worker: Running, request: str) -> socket.socket:
    """A connection on which this was said, and nothing more."""
    host, _, port = worker.base.removeprefix("http://").partition(":")
    made = socket.create_connection((host, int(port)), timeout=WAIT_S)
    made.sendall(request.replace("\n", "\r\n").encode())
    return made


def _all(connection: socket.socket) -> bytes:
    """Until the other side closes; a second of silence too many fails the test."""
    received = b""
    while part := connection.recv(65_536):
        received += part
    return received


def _post(worker: Running, path: str, length: int) -> str:
    host = worker.base.removeprefix("http://")
    return f"POST {path} HTTP/1.1\nHost: {host}\nOrigin: {worker.base}\nContent-Length: {length}\n\n"


def test_a_body_that_does_not_tell_its_length_is_counted_as_it_comes(worker: Running) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 65_536
            yield b" " * 65_536

    with worker.client() as http:
        answer = http.post("/v1/streams", content=endless(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert sent < 100 * doors.MAX_JSON_BYTES, "what fits into the buffers between the two, not all 65 MB"


@pytest.mark.parametrize("path", ["/v1/streams", "/v1/stylize"])
def test_a_body_that_does_not_end_is_given_up_in_words(
    worker: Running, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "BODY_S", 0.2)
    with _asked(worker, _post(worker, path, length=1000) + '{"controls"') as slow:
        answer = _all(slow)
    assert answer.startswith(b"HTTP/1.1 408") and b'"too_slow"' in answer
    assert b"connection: close" in answer.lower(), "the rest of the body would be taken for the next request"


@pytest.mark.parametrize(
    "said", ["", "GET /health HTTP/1.1\nHost: a\nX-Slow: ", "GET /health HTTP/1.1\nHost: a\n\nGET"]
)
def test_a_request_that_does_not_end_is_hung_up_on(worker: Running, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first on a connection, and the next one."""
    monkeypatch.setattr(compat_http, "ASK_S", 0.2)
    with _asked(worker, said) as slow:
        answer = _all(slow)
    assert answer.startswith(b"HTTP/1.1 200") == said.endswith("GET")


def test_an_answer_that_takes_long_and_a_websocket_are_not_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compat_http, "ASK_S", 0.1)
    app = FastAPI()

    @app.get("/slow")
    async def slow() -> str:
        await asyncio.sleep(0.5)
        return "there"

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())

    with running(app, wait_ready=False) as served, served.client() as http:
        assert http.get("/slow").json() == "there"
        with connect(served.base.replace("http", "ws") + "/echo") as page:
            time.sleep(0.3)
            page.send("still here")
            assert page.recv(WAIT_S) == "still here"
        with _asked(served, "GET /slow HTTP/1.1\nHost: a\n\n") as connection:
            while b'"there"' not in (part := connection.recv(65_536)):
                assert part, "hung up on"
            connection.sendall(b"GET")
            assert _all(connection) == b"", "but the request after it has its own time"


def test_an_upload_that_breaks_off_is_no_fault_in_the_log(worker: Running, caplog: pytest.LogCaptureFixture) -> None:
    log, service = logging.getLogger("uvicorn.error"), worker.app.state.service
    log.addHandler(caplog.handler)
    with _asked(worker, _post(worker, "/v1/stylize", 1000) + "abc"):
        wait_for(lambda: service.uploads == 1, WAIT_S)
    wait_for(lambda: service.uploads == 0, WAIT_S)
    time.sleep(0.05)
    log.removeHandler(caplog.handler)
    assert caplog.messages == []


def test_only_so_many_pictures_are_on_their_way_in(worker: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stills, "MAX_UPLOADS", 2)
    service = worker.app.state.service
    with worker.client() as http, contextlib.ExitStack() as slow:
        for _ in range(2):
            slow.enter_context(_asked(worker, _post(worker, "/v1/stylize", length=1000) + "half a picture"))
        wait_for(lambda: service.uploads == 2, WAIT_S)
        refused = http.post("/v1/stylize", content=b"a third")
        assert (refused.status_code, refused.json()["code"]) == (503, "no_capacity")
        slow.close()
        wait_for(lambda: service.uploads == 0, WAIT_S)
        assert http.post("/v1/stylize", content=b"a third").status_code == 415, "it is read, and is no picture"


def test_pictures_that_wait_to_be_drawn_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are held whole: without a bound they pile up behind a slow machine."""
    monkeypatch.setattr(stills, "MAX_UPLOADS", 1)
    pipeline, picture = Troubled(), encode_picture(np.full((8, 8, 3), 90, np.uint8))
    with (
        running(create_app(Settings.load(), pipeline)) as worker,
        worker.client() as http,
        worker.client() as other,
        ThreadPoolExecutor() as beside,
    ):
        pipeline.gate.clear()
        first = beside.submit(other.post, "/v1/stylize", content=picture)
        wait_for(lambda: worker.app.state.service.ready.worker.busy_s > 0, WAIT_S)
        assert http.post("/v1/stylize", content=picture).status_code == 503
        pipeline.gate.set()
        assert first.result().status_code == 200 and http.post("/v1/stylize", content=picture).status_code == 200


# ---------------------------------------------------------------- peers


class SameKeyframe(PaintedTrack):
    """A camera of 8K whose one picture, encoded once, is sent again and again: cheap to send, dear to decode."""

    def __init__(self, per_s: float) -> None:
        super().__init__((9, 9, 9))
        self._every_s, self._number = 1 / per_s, 0
        encoder: av.VideoCodecContext = av.CodecContext.create("libvpx", "w")
        encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 7680, 4320, "yuv420p", Fraction(1, 30)
        encoder.options = {"deadline": "realtime", "cpu-used": "8"}
        picture = av.VideoFrame.from_ndarray(np.full((4320 * 3 // 2, 7680), 90, np.uint8), format="yuv420p")
        picture.pts = 0
        self._data = b"".join(map(bytes, [*encoder.encode(picture), *encoder.encode(None)]))

    async def recv(self) -> av.Packet:
        await asyncio.sleep(self._every_s)
        packet = av.Packet(self._data)
        packet.pts = packet.dts = self._number = self._number + 3000
        packet.time_base = Fraction(1, 90_000)
        return packet


def _undecoded(worker: Running) -> int:
    """Encoded pictures that wait at the worker, of all visitors."""
    peers = [stream.peer for stream in worker.app.state.service.ready.streams._streams.values() if stream.peer]
    receivers = [receiver for peer in peers for receiver in peer._pc.getReceivers()]
    return sum(receiver._RTCRtpReceiver__decoder_queue.qsize() for receiver in receivers)


def test_pictures_that_come_faster_than_they_are_decoded_do_not_pile_up(worker: Running) -> None:
    async def visit() -> tuple[int, float]:
        hostile = Visitor(worker, SameKeyframe(per_s=150))
        await hostile.open()
        await hostile.connect()
        most, end_s = 0, time.monotonic() + 6
        while time.monotonic() < end_s:
            most = max(most, _undecoded(worker))
            await asyncio.sleep(0.02)
        began_s = time.monotonic()
        await hostile.http.delete(hostile.path())
        took_s = time.monotonic() - began_s
        await hostile.vanish()
        return most, took_s

    most, took_s = asyncio.run(visit())
    assert 5 < most <= compat.MAX_UNDECODED + 1, "the decoder was behind, and was not followed for ever"
    assert took_s < 2, "whoever ends the connection waits for one picture, not for all"


async def _send_endlessly(visitor: Visitor, pieces: int, arrange: Callable[[int, DataChunk], None]) -> None:
    """Whatever the worker says of its window."""
    sctp = visitor.pc.sctp
    for number in range(pieces):
        chunk = DataChunk()
        chunk.tsn, chunk.stream_id, chunk.stream_seq, chunk.protocol = sctp._local_tsn, visitor.channel.id, 7, 53
        chunk.user_data = b"x" * 1000
        arrange(number, chunk)
        sctp._local_tsn = tsn_plus_one(chunk.tsn)
        with contextlib.suppress(ConnectionError):  # the worker has hung up
            await sctp._send_chunk(chunk)
        if number % 20 == 0:
            await asyncio.sleep(0.01)


def _one_message_without_an_end(number: int, chunk: DataChunk) -> None:
    chunk.flags = SCTP_DATA_FIRST_FRAG if number == 0 else 0


def _a_gap_before_each(number: int, chunk: DataChunk) -> None:
    chunk.flags, chunk.tsn = WHOLE, tsn_plus_one(chunk.tsn)


def _each_on_another_channel(number: int, chunk: DataChunk) -> None:
    chunk.flags, chunk.stream_id = WHOLE, number


@pytest.mark.parametrize("arrange", [_one_message_without_an_end, _a_gap_before_each, _each_on_another_channel])
def test_messages_that_pile_up_cost_their_sender_the_channel_and_nobody_a_picture(
    worker: Running, arrange: Callable[[int, DataChunk], None]
) -> None:
    async def visit() -> None:
        async with visiting(worker, (200, 40, 40)) as quiet, visiting(worker, (20, 200, 40)) as hostile:
            await quiet.frames(3)
            await hostile.frames(3)
            async with asyncio.timeout(WAIT_S):
                while hostile.channel.readyState != "open":
                    await asyncio.sleep(0.02)
            peer = worker.app.state.service.ready.streams._streams[hostile.stream["id"]].peer
            association = peer._pc.sctp
            await _send_endlessly(hostile, 600, arrange)
            async with asyncio.timeout(WAIT_S):
                while association.state != "closed":
                    await asyncio.sleep(0.02)
            held = sum(len(stream.reassembly) for stream in association._inbound_streams.values())
            assert held <= compat.MAX_PIECES and len(association._sack_misordered) <= compat.MAX_PIECES + 1
            await quiet.frames(10)
            assert quiet.channel.readyState == "open"

    asyncio.run(visit())


def test_a_message_of_the_largest_size_that_is_allowed_comes_whole(worker: Running) -> None:
    """Refused in words, for it is no control: the channel stays."""

    async def visit() -> None:
        async with visiting(worker, (200, 40, 40)) as visitor:
            await visitor.frames(3)
            visitor.channel.send(b"x" * 65_000)
            async with asyncio.timeout(WAIT_S):
                while not any("65000 bytes, at most" in message for message in visitor.messages):
                    await asyncio.sleep(0.02)
            assert visitor.channel.readyState == "open"

    asyncio.run(visit())
