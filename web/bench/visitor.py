"""A visitor without a browser: an aiortc peer with a film for a camera, who notes when each picture comes back."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from stylizer.bench import block_code
from stylizer.errors import NoCapacity
from stylizer.frame import VIDEO_CLOCK, PixelsU8

BEAT_S = 1.0
# Scene and room: the corner with the code comes back as the camera saw it.
CONTROLS = {"framing": "scene", "background": "room"}


@dataclass(slots=True)
class Seen:
    """numbers: of the pictures that came back, with the time of arrival. sent: when each number left the camera."""

    sent: dict[int, float] = field(default_factory=dict)
    numbers: list[tuple[int, float]] = field(default_factory=list)
    unreadable: int = 0
    server: list[tuple[float, dict[str, Any]]] = field(default_factory=list)  # the worker's statistics, each second

    def unique_fps(self, since_s: float, until_s: float) -> float:
        """Different camera pictures per second among those that came back."""
        return len({n for n, at_s in self.numbers if since_s <= at_s < until_s}) / (until_s - since_s)

    def latencies_ms(self, since_s: float, until_s: float) -> list[float]:
        """From leaving the camera to being decoded at the visitor, each number's first arrival."""
        first: dict[int, float] = {}
        for number, at_s in self.numbers:
            first.setdefault(number, at_s)
        return [(at_s - self.sent[n]) * 1000 for n, at_s in first.items() if since_s <= at_s < until_s]


class FilmCamera(VideoStreamTrack):  # type: ignore[misc]  # aiortc counts as untyped here
    """Plays pictures over and over at `fps`, each stamped with its number; fewer a second, but the film no slower, when
    `at_most_fps` is less: as a browser keeps to `maxFramerate`."""

    def __init__(self, film: Sequence[PixelsU8], fps: float, seen: Seen) -> None:
        super().__init__()
        self.at_most_fps = self._fps = fps
        self._film, self._seen = film, seen
        self._number = -1
        self._begun_s: float | None = None
        self._played_s = 0.0

    async def recv(self) -> VideoFrame:
        now = time.perf_counter()
        if self._begun_s is None:
            self._begun_s = now
        else:
            self._played_s += 1 / min(self._fps, self.at_most_fps)
        await asyncio.sleep(max(0.0, self._begun_s + self._played_s - now))
        self._number += 1
        pixels = self._film[int(self._played_s * self._fps + 0.5) % len(self._film)].copy()
        block_code.stamp(pixels, self._number)
        frame = VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.pts, frame.time_base = int(self._played_s / VIDEO_CLOCK), VIDEO_CLOCK
        self._seen.sent[self._number] = time.perf_counter()
        return frame


class Visitor:
    """One connection to the worker at `base`. loss: share of packets, either way, that never arrive."""

    def __init__(self, base: str, film: Sequence[PixelsU8], fps: float, loss: float, seed: int = 0) -> None:
        self.seen = Seen()
        self._http = httpx.AsyncClient(base_url=base, headers={"Origin": base}, timeout=30, trust_env=False)
        self._pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._camera = FilmCamera(film, fps, self.seen)
        self._loss, self._dice = loss, random.Random(seed)
        self._tasks: list[asyncio.Task[None]] = []
        self._path = ""

    async def enter(self) -> None:
        """Raises NoCapacity with the worker's own words when it refuses."""
        answer = await self._http.post("/v1/streams", json={"controls": CONTROLS})
        if answer.status_code == 503:
            raise NoCapacity(answer.json()["message"])
        opened = answer.raise_for_status().json()
        self._http.headers["Authorization"] = f"Bearer {opened['token']}"
        self._path = f"/v1/streams/{opened['id']}"
        self._pc.addTrack(self._camera)
        channel = self._pc.createDataChannel("controls")
        channel.on("message", self._on_message)
        self._pc.on("track", lambda track: self._tasks.append(asyncio.ensure_future(self._watch(track))))
        await self._pc.setLocalDescription(await self._pc.createOffer())
        reply = await self._http.post(f"{self._path}/offer", json={"sdp": self._pc.localDescription.sdp})
        self._lose_packets()
        sdp = reply.raise_for_status().json()["sdp"]
        await self._pc.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
        self._tasks.append(asyncio.ensure_future(self._beat(channel)))

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._path:
            await self._http.delete(self._path)
        await self._pc.close()
        await self._http.aclose()

    def _on_message(self, message: str) -> None:
        told = json.loads(message)
        if told.get("type") == "stats":
            self._camera.at_most_fps = told["camera_fps"]
            self.seen.server.append((time.perf_counter(), told))

    async def _beat(self, channel: Any) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            if channel.readyState == "open":
                channel.send('{"type": "beat"}')

    async def _watch(self, track: Any) -> None:
        with contextlib.suppress(MediaStreamError):  # the track ends with the connection
            while True:
                picture = await track.recv()
                at_s = time.perf_counter()
                corner = picture.to_ndarray(format="gray")[: block_code.HEIGHT]
                number = block_code.read(np.repeat(corner[..., None], 3, 2))
                if number is None or number not in self.seen.sent:
                    self.seen.unreadable += 1
                else:
                    self.seen.numbers.append((number, at_s))

    def _lose_packets(self) -> None:
        """A bad line: some packets are thrown away before they are sent, and some of those that came in.

        aiortc has no public place for that; its ICE transport's two inner calls are wrapped.
        """
        if not self._loss:
            return
        transport = self._pc.getSenders()[0].transport.transport
        send, receive = transport._send, transport._recv

        async def lossy_send(data: bytes) -> None:
            if self._dice.random() >= self._loss:
                await send(data)

        async def lossy_receive() -> bytes:
            while True:
                data: bytes = await receive()
                if self._dice.random() >= self._loss:
                    return data

        transport._send, transport._recv = lossy_send, lossy_receive
