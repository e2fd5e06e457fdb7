"""`stylizer bench live`: a worker as it is served, in a process of its own, and visitors who connect to it by WebRTC.

Visitors and worker share the machine: their encoding and decoding of the camera's side takes from the same cores.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from aiortc.codecs import get_encoder
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from av import VideoFrame

from stylizer import machine
from stylizer.config import Settings
from stylizer.errors import NoCapacity, Unavailable
from stylizer.frame import VIDEO_CLOCK, PixelsU8, fitted
from stylizer.media import Reader
from web import compat
from web.bench.visitor import CONTROLS, Visitor
from web.rtc.intake import fit

CAMERA_PX = 640  # longer side of the camera's picture
FILM_FRAMES = 72
SETTLE_S = 5.0  # after the last visitor came: encoders find their rate, the matte its memory
START_S = 300.0  # a first start compiles networks
PERCENTILES = (50, 95, 99)


def run(
    settings: Settings, clip: Path, visitors: int, loss: float, seconds: float, fps: float, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Raises Unavailable when the worker does not come up, NoCapacity when it has fewer places than `visitors`."""
    compat.receive_promptly()  # as a browser does; aiortc would show each picture when the next one comes
    film = _film(clip)
    port = _free_port()
    served = settings.model_copy(update={"host": "127.0.0.1", "port": port, "visitors": visitors})
    tell("starting the worker")
    begin = time.perf_counter()
    with _worker(served) as worker:
        base = f"http://127.0.0.1:{port}"
        ready_s = _wait_ready(base, worker)
        tell(f"ready after {ready_s:.1f} s; {visitors} visitors for {seconds:g} s")
        first_at_s, measured = asyncio.run(_visits(base, film, visitors, loss, seconds, fps, worker))
    asked = f"--input {clip.name} --visitors {visitors} --loss {loss:g} --seconds {seconds:g}"
    return {
        "command": f"stylizer bench live {asked}",
        "date": datetime.now(UTC).date().isoformat(),
        "camera": {"size": [film[0].shape[1], film[0].shape[0]], "fps": fps},
        "controls": CONTROLS,
        "ready_s": round(ready_s, 2),
        "start_to_picture_s": None if first_at_s is None else round(first_at_s - begin, 2),
        **measured,
        "encoder_ms": _encoder_ms(film),
        "machine": machine.describe(),
    }


async def _visits(
    base: str,
    film: Sequence[PixelsU8],
    count: int,
    loss: float,
    seconds: float,
    fps: float,
    worker: subprocess.Popen[bytes],
) -> tuple[float | None, dict[str, Any]]:
    """When the first drawn picture came to anybody, and the figures."""
    guests = [Visitor(base, film, fps, loss, seed) for seed in range(count)]
    try:
        for guest in guests:
            await guest.enter()
        refusal = await _one_too_many(base, film)
        await asyncio.sleep(SETTLE_S)
        begin, cpu = time.perf_counter(), machine.cpu_s_of(worker.pid)
        await asyncio.sleep(seconds)
        end = time.perf_counter()
        used = (machine.cpu_s_of(worker.pid) - cpu) / (end - begin)
        rss_mb = machine.memory_mb_of(worker.pid)
    finally:
        for guest in guests:
            await guest.leave()
    first_at_s = min((guest.seen.numbers[0][1] for guest in guests if guest.seen.numbers), default=None)
    return first_at_s, {
        "visitors": [_figures(guest, begin, end) for guest in guests],
        "one_too_many": refusal,
        "worker": {"cores_used": round(used, 2), "rss_mb": rss_mb},
    }


async def _one_too_many(base: str, film: Sequence[PixelsU8]) -> str:
    """What the worker says to the visitor for whom there is no place; empty when it lets them in."""
    guest = Visitor(base, film, 1, 0)
    try:
        await guest.enter()
    except NoCapacity as refusal:
        return str(refusal)
    finally:
        await guest.leave()
    return ""


def _figures(guest: Visitor, begin_s: float, end_s: float) -> dict[str, Any]:
    """One visitor's figures over the whole time, and in tenths of it, which tell whether anything grows."""
    tenth = (end_s - begin_s) / 10
    spans = [(begin_s + i * tenth, begin_s + (i + 1) * tenth) for i in range(10)]
    told = [stats for at_s, stats in guest.seen.server if begin_s <= at_s < end_s and stats["latency_ms"]]
    last = told[-1] if told else {}
    return {
        "unique_fps": round(guest.seen.unique_fps(begin_s, end_s), 1),
        "server_latency_ms": last.get("latency_ms", {}),
        "server_p95_ms_over_time": _thinned([stats["latency_ms"]["p95"] for stats in told]),
        "camera_to_screen_ms": _percentiles(guest.seen.latencies_ms(begin_s, end_s)),
        "camera_to_screen_p50_ms_over_time": [
            _percentiles(guest.seen.latencies_ms(*span)).get("p50") for span in spans
        ],
        "stages_ms": last.get("stages_ms", {}),
        "unreadable": guest.seen.unreadable,
    }


def _thinned(values: list[float]) -> list[float]:
    return [values[int(i * len(values) / 10)] for i in range(10)] if len(values) > 10 else values


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {f"p{p}": round(float(v), 1) for p, v in zip(PERCENTILES, np.percentile(values, PERCENTILES), strict=True)}


def _encoder_ms(film: Sequence[PixelsU8]) -> dict[str, float]:
    """The median time that aiortc's encoders take for one picture of the camera's size, in this process."""
    result = {}
    for name in ("VP8", "H264"):
        encoder = get_encoder(RTCRtpCodecParameters(mimeType=f"video/{name}", clockRate=90000, payloadType=97))
        times = []
        for number, pixels in enumerate(film):
            frame = VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number * 3000, VIDEO_CLOCK
            begin = time.perf_counter()
            encoder.encode(frame)
            times.append((time.perf_counter() - begin) * 1000)
        result[name] = round(float(np.median(times)), 2)
    return result


def _film(clip: Path) -> list[PixelsU8]:
    with Reader(clip) as reader:
        frames = [frame.pixels for frame, _ in zip(reader, range(FILM_FRAMES), strict=False)]
    height, width = frames[0].shape[:2]
    return [fitted(pixels, *fit(width, height, CAMERA_PX)) for pixels in frames]


@contextmanager
def _worker(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """`stylizer serve` with these settings; ended with SIGTERM, as a container would."""
    child = subprocess.Popen([sys.executable, "-m", "stylizer", "serve"], env=os.environ | settings.as_environment())
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait_ready(base: str, worker: subprocess.Popen[bytes]) -> float:
    """Seconds until `/ready`."""
    begin = time.perf_counter()
    while time.perf_counter() - begin < START_S:
        if worker.poll() is not None:
            raise Unavailable("the worker ended before it was ready; its own words are above")
        try:
            if httpx.get(f"{base}/ready", timeout=2, trust_env=False).status_code == 200:
                return time.perf_counter() - begin
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(0.05)
    raise Unavailable(f"the worker was not ready after {START_S:g} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
