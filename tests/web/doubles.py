"""Small real parts for tests of the web: a pipeline without networks, a worker's address, a peer that is no browser."""

import asyncio
import contextlib
import itertools
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, cast

import httpx
import numpy as np
import uvicorn
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame
from fastapi import FastAPI

from stylizer import controls as table
from stylizer.config import Settings
from stylizer.controls import Value
from stylizer.errors import NotFound
from stylizer.frame import VIDEO_CLOCK, Frame, PixelsU8
from stylizer.reference import Reference
from stylizer.visitor import VisitorState
from tests.web.line import Line
from web import compat
from web.api.server import config_of
from web.rtc.session import Session

SHORT = httpx.Limits(keepalive_expiry=2)  # the server hangs up on the idle after 5 s, httpx's own time: a race
FIGURE = ((0.4, 0.2), (0.6, 0.2), (0.65, 0.95), (0.35, 0.95))  # somebody in the middle


class ColourPipeline:
    """Adds blue to every frame, or red for style "red"; `delay_s` makes it slow, `nobody` lets it see no person."""

    ladder = (("device", "none (test)", ""), ("matte", "none (test)", "a test needs no weights"))
    styles: tuple[str, ...] = ("blue", "red")
    batch = 4

    def __init__(self, delay_s: float = 0.0) -> None:
        self.delay_s = delay_s
        self.on_disk = self.styles
        self.nobody = False
        self.gate = threading.Event()
        self.gate.set()

    def titles(self, language: str) -> dict[str, str]:
        told = {"en": {"blue": "Blue", "red": "Fire Red"}, "ja": {"blue": "青", "red": "赤"}}[language]
        return {name: told.get(name, name.capitalize()) for name in self.styles}

    def refresh_styles(self) -> None:
        self.styles = self.on_disk

    def warm_up(self) -> None:
        assert self.gate.wait(20)

    def new_state(self, controls: Mapping[str, object] | None = None) -> VisitorState:
        return VisitorState(
            controls=MappingProxyType({**table.defaults(), "style": "blue", **self.checked(controls or {})})
        )

    def checked(self, changes: Mapping[str, object]) -> dict[str, Value]:
        values = table.checked(changes)
        if values.get("style", "blue") not in self.styles:
            raise NotFound(f"no style is called {values['style']!r}")
        return values

    def reference(self, pixels: PixelsU8, style: str) -> Reference:
        return Reference.of(pixels, None)

    def prepare(self, reference: Reference, style: str) -> None:
        """There is no style's network."""

    def see(self, frames: Sequence[Frame], states: Sequence[VisitorState]) -> list[Frame]:
        time.sleep(self.delay_s)
        for state in states:
            state.outline = () if self.nobody else FIGURE
        return [f.with_pixels(tinted(f.pixels, str(s.controls["style"]))) for f, s in zip(frames, states, strict=True)]

    def draw(self, jobs: list[Frame]) -> list[Frame]:
        return jobs

    def finish(self, jobs: list[Frame]) -> list[Frame]:
        return jobs


def tinted(pixels: PixelsU8, style: str) -> PixelsU8:
    out = pixels // 2
    out[..., 0 if style == "red" else 2] += 120
    return out


def free_port() -> int:
    """None of those that kernels give to connections: one of another test's would have it before it is used."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return port
    raise AssertionError("no free port among a hundred")


@dataclass(frozen=True)
class Running:
    """A worker that serves on a port of this machine."""

    base: str
    app: FastAPI

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.base, headers={"Origin": self.base, **headers}, timeout=20, limits=SHORT)

    def visitors(self) -> int:
        with self.client() as http:
            return int(http.get("/ready").json()["visitors"])

    def session(self) -> Session:
        """Of the only visitor."""
        (session,) = self.app.state.service.ready.streams.sessions
        return cast(Session, session)

    def controls(self) -> dict[str, Value]:
        """Of the only visitor."""
        return dict(self.session().controls)

    def stands_at(self, name: str, value: Value) -> bool:
        """Whether there is one visitor and this is what they chose: one place may just be lost, the next not taken."""
        return [session.controls[name] for session in self.app.state.service.ready.streams.sessions] == [value]


SERVE = (
    "from stylizer.config import Settings; from tests.web.doubles import ColourPipeline; "
    "from web.api.server import serve; serve(Settings.load(), ColourPipeline())"
)


def worker_process(*wrapper: str, **settings: object) -> "subprocess.Popen[bytes]":
    """A worker in a process of its own. wrapper: a command that runs the one after it."""
    given = {f"STYLIZER_{name.upper()}": str(value) for name, value in settings.items()}
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **given}
    return subprocess.Popen([*wrapper, sys.executable, "-c", SERVE], env=environment)


def is_ready(base: str) -> bool:
    """Whether a worker there answers, and is warm."""
    try:
        return httpx.get(f"{base}/ready", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def running(app: FastAPI, wait_ready: bool = True, port: int = 0) -> Iterator[Running]:
    port = port or free_port()
    server = uvicorn.Server(config_of(Settings.load(host="127.0.0.1", port=port), app))
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    worker = Running(f"http://127.0.0.1:{port}", app)
    try:
        with worker.client() as http:
            wait_for(lambda: server.started, 10)
            if wait_ready:
                wait_for(lambda: http.get("/ready").status_code == 200, 120)
        yield worker
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the server did not end within 10 s of being told"


def wait_for(condition: Callable[[], object], timeout_s: float) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, f"not within {timeout_s} s"
        time.sleep(0.02)


class PaintedTrack(VideoStreamTrack):  # type: ignore[misc]  # aiortc counts as untyped here
    """A camera that sees one colour, as 30 frames a second of `size`, or fewer. Stops sending while `silent`."""

    def __init__(self, colour: tuple[int, int, int], size: tuple[int, int] = (320, 240), pause_s: float = 0.0) -> None:
        super().__init__()
        self.colour, self.size, self.pause_s = colour, size, pause_s
        self.silent = asyncio.Event()

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(self.pause_s)
        pts, time_base = await self.next_timestamp()
        while self.silent.is_set():
            await asyncio.sleep(0.05)
        pixels = np.empty((self.size[1], self.size[0], 3), np.uint8)
        pixels[:] = self.colour
        frame = VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        return frame


class ScriptedTrack(MediaStreamTrack):  # type: ignore[misc]  # aiortc counts as untyped here
    """Pictures of the given sizes, one every `every_s`; after `linger_s` of silence the end."""

    kind = "video"

    def __init__(self, sizes: Sequence[tuple[int, int]], every_s: float = 0.05, linger_s: float = 0.0) -> None:
        super().__init__()
        self.sizes = list(sizes)
        self.every_s, self.linger_s = every_s, linger_s
        self.pts = 5_000_000  # a browser's clock starts anywhere

    async def recv(self) -> VideoFrame:
        await asyncio.sleep(self.every_s)
        if not self.sizes:
            await asyncio.sleep(self.linger_s)
            self.stop()
            raise MediaStreamError
        width, height = self.sizes.pop(0)
        frame = VideoFrame.from_ndarray(np.full((height, width, 3), 90, np.uint8), format="rgb24")
        frame.pts, frame.time_base = self.pts, VIDEO_CLOCK
        self.pts += 3000
        return frame


class WanderingTrack(PaintedTrack):
    """Ten pictures a second, each another grey: whoever receives them can tell a new one from one shown again."""

    GREYS = range(20, 220, 20)

    def __init__(self) -> None:
        super().__init__((0, 0, 0), (160, 120), pause_s=0.07)
        self._greys = itertools.cycle(self.GREYS)

    async def recv(self) -> VideoFrame:
        self.colour = (next(self._greys),) * 3
        return await super().recv()


class Served(Protocol):
    """A worker, wherever it runs."""

    @property
    def base(self) -> str: ...


class Visitor:
    """An aiortc peer that does what the page does: takes a place, offers, beats, keeps what it sees."""

    def __init__(self, worker: Served, camera: VideoStreamTrack) -> None:
        self.http = httpx.AsyncClient(base_url=worker.base, headers={"Origin": worker.base}, timeout=20, limits=SHORT)
        self.camera = camera
        self.seen: list[PixelsU8] = []
        self.messages: list[str] = []
        self.stream: dict[str, str] = {}
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.channel: RTCDataChannel = self.pc.createDataChannel("controls")
        self.channel.on("message", self.messages.append)
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, controls: Mapping[str, object] | None = None) -> None:
        answer = await self.http.post("/v1/streams", json={"controls": dict(controls or {})})
        assert answer.status_code == 201, answer.text
        self.stream = answer.json()
        self.http.headers["Authorization"] = f"Bearer {self.stream['token']}"

    async def connect(self, hide_candidates: bool = False, line: Line | None = None) -> None:
        """line: the bad network that lies between."""
        self.pc.addTrack(self.camera)
        self.pc.on("track", lambda track: self._tasks.append(asyncio.ensure_future(self._watch(track))))
        self._tasks.append(asyncio.ensure_future(self._ask_again()))
        await self.pc.setLocalDescription(await self.pc.createOffer())
        sdp = self.pc.localDescription.sdp
        if hide_candidates:
            sdp = "\r\n".join(line for line in sdp.splitlines() if "candidate" not in line) + "\r\n"
        answer = await self.http.post(self.path("offer"), json={"sdp": line.offer(sdp) if line else sdp})
        assert answer.status_code == 200, answer.text
        sdp = answer.json()["sdp"]
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp=line.answer(sdp) if line else sdp, type="answer"))

    def path(self, tail: str = "") -> str:
        return f"/v1/streams/{self.stream['id']}" + (f"/{tail}" if tail else "")

    async def frames(self, count: int, timeout_s: float = 15) -> list[PixelsU8]:
        """The next `count` pictures."""
        self.seen.clear()
        async with asyncio.timeout(timeout_s):
            while len(self.seen) < count:
                await asyncio.sleep(0.02)
        return list(self.seen)

    async def _watch(self, track: VideoStreamTrack) -> None:
        with contextlib.suppress(Exception):  # the track ends when the test does
            while True:
                self.seen.append((await track.recv()).to_ndarray(format="rgb24"))

    async def _ask_again(self) -> None:
        """For lost packets, as browsers do."""
        while True:
            await asyncio.sleep(0.1)
            for receiver in self.pc.getReceivers() if self.pc.connectionState == "connected" else ():
                await compat.ask_again(receiver)

    async def vanish(self) -> None:
        """As a tab that crashed: nothing is said, nothing is sent any more."""
        self.stream = {}
        await self.pc.close()
        for task in self._tasks:
            task.cancel()
        await self.http.aclose()


@contextlib.asynccontextmanager
async def visiting(worker: Running, colour: tuple[int, int, int], **controls: object) -> AsyncIterator[Visitor]:
    visitor = Visitor(worker, PaintedTrack(colour))
    try:
        await visitor.open(controls)
        await visitor.connect()
        yield visitor
    finally:
        if visitor.stream:
            await visitor.http.delete(visitor.path())
        await visitor.vanish()
