"""A recognisable visitor at a real worker process: afterwards nothing of their picture is anywhere it wrote."""

import asyncio
import base64
import io
import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image

from stylizer.frame import PixelsU8
from tests.web.doubles import PaintedTrack, Running, Visitor, free_port

pytestmark = pytest.mark.timeout(150)
CHECKOUT = Path(__file__).parents[2]
FACE = (213, 97, 41)  # a colour that occurs nowhere else, as camera picture and as the upload
LONGEST_FACE = bytes(FACE) * 8
WORKER = """
from stylizer.config import Settings
from tests.scene import Trouble, pipeline
from web.api.server import serve
serve(Settings.load(), pipeline(Trouble(seed=2, rate=0.2)))
"""


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def _traces(content: bytes) -> list[str]:
    """In which form the face is in there: raw RGB or BGR rows, base64 of them, or written out as numbers."""
    forms = {
        "rgb": LONGEST_FACE,
        "bgr": bytes(reversed(LONGEST_FACE)),
        "base64": base64.b64encode(LONGEST_FACE * 3)[4:-4],
        "hex": (bytes(FACE) * 2).hex().encode(),
        "numbers": b"213,  97,  41",
        "list": b"213, 97, 41",
        "picture file": b"\x89PNG\r\n",
        "jpeg": b"\xff\xd8\xff\xe0",
    }
    return [name for name, form in forms.items() if form in content]


def test_the_search_finds_what_it_looks_for() -> None:
    picture: PixelsU8 = np.full((4, 64, 3), FACE, np.uint8)
    assert _traces(picture.tobytes()) and _traces(base64.b64encode(picture.tobytes()))
    assert _traces(repr(picture).encode()) and _traces(str(picture.tolist()).encode())
    assert not _traces(zlib.compress(os.urandom(10_000)))


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGABRT], ids=["told to end", "crashed"])
def test_nothing_of_a_visitors_picture_is_written(tmp_path: Path, ending: signal.Signals) -> None:
    """Streamed, uploaded, refused, failed in every stage and crashed: nothing on disk, nothing in the log."""
    home = tmp_path / "home"
    home.mkdir()
    port = free_port()
    environment = {
        **os.environ,
        **{name: str(home) for name in ("HOME", "TMPDIR", "TMP", "TEMP", "XDG_CACHE_HOME")},
        "STYLIZER_CACHE": str(home / "cache"),
        "STYLIZER_PORT": str(port),
        "STYLIZER_MIN_FPS": "0.1",
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONFAULTHANDLER": "1",
    }
    log = home / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen([sys.executable, "-c", WORKER], cwd=home, env=environment, stdout=sink, stderr=sink)
        try:
            asyncio.run(_visit(Running(f"http://127.0.0.1:{port}", FastAPI())))
            process.send_signal(ending)
            process.wait(20)
        finally:
            process.kill()
            process.wait()
    text = log.read_bytes()
    assert b"127.0.0.1" not in text.replace(b"http://127.0.0.1:", b""), "no visitor's address is logged"
    found = {str(path.relative_to(home)): traces for path in _files(home) if (traces := _traces(path.read_bytes()))}
    assert found == {}
    assert not list(tmp_path.rglob("core*")), "no core dump"


async def _visit(worker: Running) -> None:
    async with httpx.AsyncClient(base_url=worker.base, timeout=20) as http:
        async with asyncio.timeout(100):
            while not await _ready(http):
                await asyncio.sleep(0.2)
    visitor = Visitor(worker, PaintedTrack(FACE, pause_s=0.05))
    await visitor.open({"framing": "scene", "background": "room", "style": "plain"})
    await visitor.connect()
    await visitor.frames(30, 60)
    picture = _png(FACE)
    for query, body in (("", picture), ("?seed=x", picture), ("", picture[:-20]), ("?format=jpeg", picture)):
        await visitor.http.post(f"/v1/stylize{query}", content=body)
    await visitor.http.post("/v1/stylize", files={"image": ("face.png", picture + bytes(2_000_000))})
    await visitor.frames(5, 40)
    await visitor.vanish()


async def _ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/ready")).status_code == 200
    except httpx.TransportError:
        return False


def _png(colour: tuple[int, int, int]) -> bytes:
    memory = io.BytesIO()
    Image.new("RGB", (200, 200), colour).save(memory, "PNG")
    return memory.getvalue()
